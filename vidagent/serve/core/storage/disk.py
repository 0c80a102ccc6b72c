"""Free-space check of a disk: uploads and downloads leave some free for the server itself."""

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
        folder: An existing folder.
        min_free_bytes: Space to leave free.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        """Measure nothing yet."""
        self._folder = folder
        self._min_free = min_free_bytes

    @property
    def free_bytes(self) -> int:
        """Free space now."""
        return shutil.disk_usage(self._folder).free

    @property
    def full(self) -> bool:
        """Whether less is free than must stay free."""
        return self.free_bytes < self._min_free

    def check(self, incoming: int = 0) -> None:
        """Check the free space before `incoming` bytes are written.

        Raises:
            ApiError: If they would leave too little.
        """
        free = self.free_bytes
        if free - incoming < self._min_free:
            what = f"; {incoming:,} more would leave less than" if incoming else ", less than"
            raise _disk_full(
                f"the server's disk has {free:,} bytes free{what} the {self._min_free:,} kept free"
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Report a full disk during the block as an error for clients.

        Raises:
            ApiError: If the disk is full.
        """
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise _disk_full("the server's disk is full") from error
            raise


def _disk_full(message: str) -> ApiError:
    return ApiError(507, "disk_full", f"{message} (--min-free-mb)", {"Connection": "close"})
