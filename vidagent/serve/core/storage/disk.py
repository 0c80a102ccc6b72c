"""The disk that files come to, of which some is kept free, so that the server itself can go on writing."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidagent.serve.core.errors import ApiError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Disk:
    """The disk under a folder.

    Args:
        folder: A folder that is there.
        least_bytes: What is to stay free.
    """

    def __init__(self, folder: Path, least_bytes: int) -> None:
        """Keep them."""
        self._folder = folder
        self._least = least_bytes

    @property
    def free_bytes(self) -> int:
        """What is free now."""
        return shutil.disk_usage(self._folder).free

    @property
    def full(self) -> bool:
        """Whether less is free than is to stay so."""
        return self.free_bytes < self._least

    def check(self, coming: int = 0) -> None:
        """Refuse bytes that would leave too little.

        Args:
            coming: How many are about to be written.

        Raises:
            ApiError: If they would.
        """
        free = self.free_bytes
        if free - coming < self._least:
            what = f"; {coming:,} more would leave less than" if coming else ", less than"
            self._refuse(f"the server's disk has {free:,} bytes free{what} the {self._least:,} kept free")

    @contextmanager
    def written(self) -> Iterator[None]:
        """Have a disk that is full amid the block told as such.

        Raises:
            ApiError: If it is.
        """
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._refuse("the server's disk is full")

    def _refuse(self, why: str) -> None:
        raise ApiError(507, "disk_full", f"{why} (--min-free-mb)", {"Connection": "close"})
