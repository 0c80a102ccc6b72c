"""The output file, which is also the record of what is done: each line is written whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from vidagent.errors import ModelError, UsageError, VideoError
from vidagent.serve.batch.input_file import InputLine
from vidagent.types import Answer

ErrorType = Literal["video", "model", "usage", "internal"]
Result = dict[str, Any]
"""One object of the output."""

KEY = "vidagent_line"
"""The field that says which line of the input it is: its number and a hash of it."""
_OURS = ("response", "answer", "error")
_TYPES: tuple[tuple[type[Exception], ErrorType], ...] = (
    (VideoError, "video"),
    (ModelError, "model"),
    (UsageError, "usage"),
)


def answered(line: InputLine, answer: Answer) -> Result:
    """Return the output's line of an answered question."""
    return {**_input_fields(line), "response": answer.answer, "answer": answer.to_dict(), KEY: line.key}


def failed(line: InputLine, error: Exception) -> Result:
    """Return the output's line of a question that ended in an error."""
    kind = next((name for known, name in _TYPES if isinstance(error, known)), "internal")
    message = str(error) if kind != "internal" else f"{type(error).__name__}: {error}"
    return {**_input_fields(line), "error": {"type": kind, "message": message}, KEY: line.key}


def _input_fields(line: InputLine) -> Result:
    """Return the input's fields; one that has the name of an output field becomes `input_NAME`."""
    return {f"input_{name}" if name in _OURS else name: value for name, value in line.fields.items()}


class OutputFile:
    """An output file locked by this process; a context manager.

    A line is appended by one write and flushed to the disk, so that a kill leaves at most one cut line, at the end,
    which is repaired when the file is opened again.

    Args:
        path: The file; it is made if there is none.

    Raises:
        UsageError: If another process has it locked, it cannot be written, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        """Open, lock and repair the file."""
        self._path = path
        self._file = self._open()
        try:
            self._repair()
            self.results = [_read(raw, path, number) for number, raw in enumerate(self._raw(), 1)]
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, and with it the lock."""
        os.close(self._file)

    def open_lines(self, lines: Sequence[InputLine]) -> list[InputLine]:
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
        """Append a line; it is on the disk when this returns.

        Raises:
            UsageError: If it cannot be written; nothing of it is written then.
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
        """Remove the lines with errors, so that they are asked again."""
        self._rewrite([result for result in self.results if "error" not in result])

    def sort(self) -> None:
        """Put the lines into the order of the input."""
        self._rewrite(sorted(self.results, key=lambda result: int(result[KEY].partition(":")[0])))

    def _rewrite(self, results: list[Result]) -> None:
        """Replace the file by other lines at once; the new file is locked before it takes the name."""
        if results == self.results:
            return
        path = self._path.resolve()
        part = path.with_name(f".{path.name}.part")  # the lock makes us the only writer
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

    def _open(self) -> int:
        """Open and lock the file; open it again if it was replaced meanwhile."""
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

    def _repair(self) -> None:
        """Remove a cut last line; add a line end where only that is missing."""
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
