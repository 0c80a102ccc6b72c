"""A results file of JSON lines that survives a kill: finished questions are never asked again."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vidagent.errors import UsageError

Entry = dict[str, Any]


class Log:
    """Appends lines, each by one write that is on the disk when it returns; a context manager.

    A kill leaves at most one cut line, at the end, which is cut away when the file is opened again. Of two lines with
    one key the later counts.

    Args:
        path: The file; made if there is none.
        key: Tells what a line is about.

    Raises:
        UsageError: If it cannot be opened, is in use by another process, or holds something else.
    """

    def __init__(self, path: Path, key: Callable[[Entry], Hashable]) -> None:
        """Open the file and read its lines."""
        self._path, self._key = path, key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._done = self._read()
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"{path} is being written by another process") from None
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Do nothing: the file is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    @property
    def done(self) -> Mapping[Hashable, Entry]:
        """Lines of the file, by key."""
        return self._done

    def add(self, entry: Entry) -> None:
        """Append a line.

        Raises:
            UsageError: If the disk does not take it; nothing of it is kept then.
        """
        end = self._file.seek(0, os.SEEK_END)
        data = json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            written = self._file.write(data)
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise UsageError(f"{self._path} cannot be written: {error.strerror}") from None
        if written != len(data):
            self._file.truncate(end)
            raise UsageError(f"{self._path} cannot be written: the disk is full")
        self._done[self._key(entry)] = entry

    def _read(self) -> dict[Hashable, Entry]:
        self._file.seek(0)
        data = self._file.read() or b""
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self._file.truncate(len(whole))
        done = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                done[self._key(entry)] = entry
            except (ValueError, KeyError, TypeError):
                raise UsageError(
                    f"{self._path}, line {number}: no result of this command; name another file with -o"
                ) from None
        return done
