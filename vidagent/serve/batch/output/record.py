"""The output file, which is also the record of what is done: written line by line, whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vidagent.errors import UsageError
from vidagent.serve.batch.input_lines import Line
from vidagent.serve.batch.output.results import KEY, Result


class Record:
    """An output file held by this process; a context manager.

    A line is appended by one write and flushed to the disk, so that a kill leaves at most one cut line, at the end,
    which is mended when the file is opened again.

    Args:
        path: The file; it is made if there is none.

    Raises:
        UsageError: If another process holds it, it cannot be written, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        """Open, hold and mend the file."""
        self._path = path
        self._file = self._held()
        try:
            self._mend()
            self.results = [_read(raw, path, number) for number, raw in enumerate(self._raw(), 1)]
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the file go."""
        os.close(self._file)

    def left(self, lines: Sequence[Line]) -> list[Line]:
        """Return the lines of the input that are not done.

        Raises:
            UsageError: If the file is the output of another input, or holds a line twice.
        """
        known = {line.key for line in lines}
        done: set[str] = set()
        for result in self.results:
            key = result[KEY]
            if key not in known:
                raise UsageError(
                    f"{self._path} is the output of another input: its line {key.partition(':')[0]} differs; "
                    "name another file with -o, or remove this one"
                )
            if key in done:
                raise UsageError(f"{self._path} holds line {key.partition(':')[0]} of the input twice")
            done.add(key)
        return [line for line in lines if line.key not in done]

    def append(self, result: Result) -> None:
        """Write a line to its end, on the disk when this returns.

        Raises:
            UsageError: If it cannot be written; nothing of it is kept then.
        """
        data = _bytes(result)
        end = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, data)
            if written != len(data):
                os.ftruncate(self._file, end)
                raise UsageError(f"{self._path} cannot be written: the disk is full")
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, end)
            raise UsageError(f"{self._path} cannot be written: {error.strerror}") from None
        self.results.append(result)

    def drop_errors(self) -> None:
        """Take the lines with errors out, so that they are asked again."""
        self._rewrite([result for result in self.results if "error" not in result])

    def sort(self) -> None:
        """Put the lines into the order of the input."""
        self._rewrite(sorted(self.results, key=lambda result: int(result[KEY].partition(":")[0])))

    def _rewrite(self, results: list[Result]) -> None:
        """Put other lines into the file's place at once; they are held before they are there."""
        if results == self.results:
            return
        path = self._path.resolve()
        part = path.with_name(f".{path.name}.part")  # who holds the file is the only one to write it
        mode = os.fstat(self._file).st_mode & 0o7777
        file = os.open(part, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC, mode)
        try:
            with open(file, "wb", closefd=False) as whole:
                whole.writelines(map(_bytes, results))
            os.fsync(file)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.replace(path)
        except BaseException:
            os.close(file)
            part.unlink(missing_ok=True)
            raise
        os.close(self._file)
        self._file, self.results = file, results

    def _held(self) -> int:
        """Open the file and hold it; a file that was replaced while we waited is opened again."""
        while True:
            try:
                file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
            except OSError as error:
                raise UsageError(f"{self._path} cannot be written: {error.strerror}") from None
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                raise UsageError(f"{self._path} is being written by another process") from None
            if _same(file, self._path):
                return file
            os.close(file)

    def _mend(self) -> None:
        """Take a cut last line away; one that lacks its end alone gets it."""
        data = self._path.read_bytes()
        if not data or data.endswith(b"\n"):
            return
        begin = data.rfind(b"\n") + 1
        if _whole(data[begin:]):
            os.write(self._file, b"\n")
        else:
            if begin == 0 and not data.startswith(b"{"):
                raise UsageError(f"{self._path} is no output of `vidagent batch`, and stays as it is")
            os.ftruncate(self._file, begin)

    def _raw(self) -> Iterable[bytes]:
        return [raw for raw in self._path.read_bytes().split(b"\n") if raw]


def _bytes(result: Result) -> bytes:
    return json.dumps(result, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"


def _read(raw: bytes, path: Path, number: int) -> Result:
    if not _whole(raw):
        raise UsageError(f"{path} is no output of `vidagent batch`: line {number} has no {KEY!r}")
    result: Result = json.loads(raw)
    return result


def _whole(raw: bytes) -> bool:
    """Tell whether these bytes are one line of an output."""
    try:
        value: Any = json.loads(raw)
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(value.get(KEY), str)


def _same(file: int, path: Path) -> bool:
    """Tell whether an open file still lies at a path."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
