"""Messages between the program and the decoding process: a JSON object, then raw arrays.

Nothing received is unpickled or evaluated, as a crafted file may control the decoding process. A message is
`length of the header (4 bytes, big-endian) | header (JSON) | bytes of each array`, and the header's `"arrays"`
lists `[dtype, shape]` of each.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 8 * 1024 * 1024
"""The longest header allowed."""

_LENGTH = struct.Struct(">I")
_DTYPES = {"|u1", "|b1", "<i4", "<f8"}


class ProtocolError(Exception):
    """The bytes received are not a valid message."""


def encode(header: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> list[bytes | memoryview]:
    """Encode a message as buffers to be written in order."""
    solid = [np.ascontiguousarray(array) for array in arrays]
    listed = [[array.dtype.str, list(array.shape)] for array in solid]
    text = json.dumps({**header, "arrays": listed}).encode("ascii")
    bodies = [array.data.cast("B") for array in solid if array.size]
    return [_LENGTH.pack(len(text)) + text, *bodies]


def receive(
    fill: Callable[[memoryview], None], *, max_bytes: int
) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Read one message.

    Args:
        fill: Fills a buffer with the next bytes, or raises.
        max_bytes: Most bytes of all arrays together.

    Raises:
        ProtocolError: If the bytes are not a valid message, or announce more than is allowed.
    """
    prefix = bytearray(_LENGTH.size)
    fill(memoryview(prefix))
    (length,) = _LENGTH.unpack(prefix)
    if length > HEADER_BYTES:
        raise ProtocolError(f"a header of {length} bytes")
    text = bytearray(length)
    fill(memoryview(text))
    header = _parse(bytes(text))
    arrays = [_empty(spec) for spec in _specs(header.pop("arrays", []), max_bytes)]
    for array in arrays:
        if array.size:
            fill(array.data.cast("B"))
    return header, arrays


def _parse(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError("a header that is no JSON") from None
    if not isinstance(header, dict):
        raise ProtocolError("a header that is no object")
    return header


def _specs(listed: Any, max_bytes: int) -> list[tuple[str, list[int]]]:  # noqa: ANN401 - checked here
    specs: list[tuple[str, list[int]]] = []
    total = 0
    for item in listed if isinstance(listed, list) else [None]:
        match item:
            case [str(dtype), list(shape)] if dtype in _DTYPES and len(shape) <= 4:
                if not all(type(side) is int and 0 <= side < 1 << 40 for side in shape):
                    raise ProtocolError("an array of impossible shape")
                total += np.dtype(dtype).itemsize * math.prod(shape)
                specs.append((dtype, shape))
            case _:
                raise ProtocolError("an array of unknown kind")
    if total > max_bytes:
        raise ProtocolError(f"{total} bytes of arrays")
    return specs


def _empty(spec: tuple[str, list[int]]) -> NDArray[Any]:
    return np.empty(spec[1], np.dtype(spec[0]))
