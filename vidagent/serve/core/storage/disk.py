"""Free-space checks: uploads and downloads must leave space for the server itself."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vidagent.serve.core.errors import ApiError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class Disk:
    """The disk that holds an existing folder; `min_free_bytes` of it must stay free."""

    folder: Path
    min_free_bytes: int

    @property
    def free_bytes(self) -> int:
        """Free space now."""
        return shutil.disk_usage(self.folder).free

    @property
    def full(self) -> bool:
        """Whether less than the minimum is free."""
        return self.free_bytes < self.min_free_bytes

    def check(self, incoming: int = 0) -> None:
        """Raise an `ApiError` if `incoming` bytes would leave too little space."""
        free, least = self.free_bytes, self.min_free_bytes
        if free - incoming < least:
            what = f"; {incoming:,} more would leave less than" if incoming else ", less than"
            raise _disk_full(f"the server's disk has {free:,} bytes free{what} the {least:,} kept free")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a full disk during the block into an `ApiError`."""
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise _disk_full("the server's disk is full") from error
            raise


def _disk_full(message: str) -> ApiError:
    return ApiError(507, "disk_full", f"{message} (--min-free-mb)", {"Connection": "close"})
