"""Files of named arrays: written atomically, memory-mapped, checked by length and checksum.

Layout: the magic bytes, the length of the header as 8 digits, a JSON header, then each array's bytes at an
offset that is a multiple of 64. (`npz` cannot be memory-mapped, and loading it may read pickles.)
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from vidagent.private_folder import make_private

MAGIC = b"vidagent arrays 1\n"
ALIGN = 64
MAX_HEADER = 1_000_000
KINDS = "biuf"


class ArrayFileError(Exception):
    """The file is not an array file, or is incomplete or damaged."""


def write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays atomically.

    Raises:
        ValueError: If an array holds anything but booleans or numbers.
        OSError: If the file cannot be written.
    """
    blocks = {name: _contiguous(name, array) for name, array in arrays.items()}
    header, offsets = _header(blocks)
    make_private(path.parent)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(header)
            for block, offset in zip(blocks.values(), offsets, strict=True):
                file.seek(offset)
                file.write(block.data)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _contiguous(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in KINDS:
        raise ValueError(f"array {name!r} is of {array.dtype}; only booleans and numbers are kept")
    return np.ascontiguousarray(array).reshape(array.shape)


def _header(blocks: Mapping[str, NDArray[Any]]) -> tuple[bytes, list[int]]:
    """Return the header and each array's file offset; `at` counts from the end of the padded header."""
    entries, offsets, at = [], [], 0
    for name, block in blocks.items():
        entry = {"name": name, "dtype": block.dtype.str, "shape": block.shape, "at": at}
        entries.append({**entry, "crc": zlib.crc32(block.data)})
        offsets.append(at)
        at += -(-block.nbytes // ALIGN) * ALIGN
    text = json.dumps(entries).encode()
    lead = MAGIC + b"%08d" % len(text) + text
    space = -(-len(lead) // ALIGN) * ALIGN
    return lead.ljust(space), [space + offset for offset in offsets]


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file as read-only memory maps.

    Raises:
        FileNotFoundError: If there is no such file.
        ArrayFileError: If the file is damaged, truncated, or another kind of file.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        lead = file.read(len(MAGIC) + 8)
        entries, space = _entries(file.read(_header_length(path, lead)), path, len(lead))
        try:
            return {str(entry["name"]): _map(file, entry, space, size) for entry in entries}
        except (KeyError, TypeError, ValueError) as error:
            _fail(path, str(error))


def _header_length(path: Path, lead: bytes) -> int:
    digits = lead[len(MAGIC) :]
    if not lead.startswith(MAGIC) or len(digits) != 8 or not digits.isdigit() or int(digits) > MAX_HEADER:
        _fail(path, "it does not begin as one")
    return int(digits)


def _entries(text: bytes, path: Path, lead: int) -> tuple[list[dict[str, Any]], int]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        _fail(path, str(error))
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        _fail(path, "its header is no list of arrays")
    return entries, -(-(lead + len(text)) // ALIGN) * ALIGN


def _map(file: Any, entry: dict[str, Any], space: int, size: int) -> NDArray[Any]:  # noqa: ANN401 - any binary file
    dtype, shape = np.dtype(entry["dtype"]), tuple(int(length) for length in entry["shape"])
    start, length = space + int(entry["at"]), dtype.itemsize * math.prod(shape)
    if dtype.kind not in KINDS or min(shape, default=0) < 0 or not space <= start or start + length > size:
        raise ValueError(f"array {entry['name']!r} does not lie in the file")
    if length == 0:
        return np.empty(shape, dtype)
    array: NDArray[Any] = np.memmap(file, dtype, "r", start, shape)
    if zlib.crc32(array.data) != entry["crc"]:
        raise ValueError(f"array {entry['name']!r} has changed since it was written")
    return array


def _fail(path: Path, why: str) -> NoReturn:
    raise ArrayFileError(f"{path} is no whole file of arrays: {why}")
