"""Limits on what a server sends: bytes, unpacked, and values of JSON, counted as they arrive.

A reply is parsed as a whole, which takes memory and holds the event loop, by its values more than by its length.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache
from typing import Any

from vidagent.agents.server.connection import ServerError, public_url

MOST_BYTES = 4 << 20
"""Longest reply: a hundred times what a model writes, and what a list of a thousand models takes."""
MOST_STREAMED_BYTES = 64 << 20
"""Longest stream: its events are parsed one by one and dropped, and each token has an envelope of some 300 bytes."""
MOST_VALUES = 200_000
"""Most values in a reply, or in one event: token ids of a long prompt."""
_MOST_EVENT_BYTES = 1 << 20
_PIECE_BYTES = 2048
"""How much is passed on between two turns of the event loop: it may hold a hundred events."""
_PACKED = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_EVENT_ENDS = (b"\n\n", b"\n\r\n")
_MARKS = (b"[", b"{", b",")
"""Bytes counted as values of JSON: one for each object, list and comma."""

Hook = Callable[[Any], Awaitable[None]]


async def limit_size(response: Any) -> None:  # noqa: ANN401 - of httpx or httpx2, which the OpenAI client uses
    """Limit what a model server sends (a response hook of an HTTP client)."""
    _limit(response, "model server")


def limits_of(who: str) -> Hook:
    """Return the hook for another kind of server, by its name in messages."""

    async def limit(response: Any) -> None:  # noqa: ANN401 - of httpx
        _limit(response, who)

    return limit


def _limit(response: Any, who: str) -> None:  # noqa: ANN401 - of either library
    """Count the body as it arrives, and have it read as UTF-8: decoding some charsets takes quadratic time.

    Raises:
        ServerError: If it is packed in a way that was not asked for and cannot be unpacked step by step.
    """
    where = f"the {who} at {public_url(str(response.url))}"
    packing = response.headers.get("content-encoding", "identity").strip().casefold()
    if packing not in {*_PACKED, "identity", ""}:
        raise ServerError(f"{where} sent a packed reply ({packing[:40]!a}), which was not asked for")
    base = next((kind for kind in type(response.stream).__mro__ if kind.__name__ == "AsyncByteStream"), None)
    if base is None:
        return
    is_stream = "event-stream" in response.headers.get("content-type", "")
    response.headers.pop("content-encoding", None)
    response.encoding = "utf-8"
    response.stream = _limited(base)(response.stream, where, _PACKED.get(packing), is_stream)


class _LimitedStream:
    """Passes a body on, unpacked and in small pieces, until it is too large.

    Args:
        inner: The body.
        where: The server, for the message.
        window: The window of zlib by which it is packed, or None.
        is_stream: Whether it is a stream of events.
    """

    def __init__(self, inner: Any, where: str, window: int | None, is_stream: bool) -> None:  # noqa: ANN401 - a stream of either library
        self._inner, self._where, self._window, self._is_stream = inner, where, window, is_stream
        self._size = self._values = self._event = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        unpacker = None if self._window is None else zlib.decompressobj(self._window)
        async for packed in self._inner:
            for piece in _pieces(packed) if unpacker is None else self._unpacked(unpacker, packed):
                self._count(piece)
                yield piece
                await asyncio.sleep(0)

    def _unpacked(self, unpacker: Any, packed: bytes) -> Iterator[bytes]:  # noqa: ANN401 - zlib does not name its type
        try:
            while packed and not unpacker.eof:
                yield unpacker.decompress(packed, _PIECE_BYTES)
                packed = unpacker.unconsumed_tail
        except zlib.error:
            raise ServerError(f"{self._where} sent a packed reply that is broken", retried=True) from None

    def _count(self, piece: bytes) -> None:
        """Count a piece.

        Raises:
            ServerError: If it is more than there may be.
        """
        self._size += len(piece)
        most = MOST_STREAMED_BYTES if self._is_stream else MOST_BYTES
        if self._size > most:
            raise ServerError(f"{self._where} sent more than {most >> 20} MB")
        end = max(piece.rfind(mark) for mark in _EVENT_ENDS) if self._is_stream else -1
        if end >= 0:
            self._values, self._event, piece = 0, 0, piece[end:]
        self._values += sum(piece.count(mark) for mark in _MARKS)
        self._event += len(piece)
        if self._is_stream and self._event > _MOST_EVENT_BYTES:
            raise ServerError(f"{self._where} sent an event of more than {_MOST_EVENT_BYTES >> 20} MB")
        if self._values > MOST_VALUES:
            raise ServerError(f"{self._where} sent a reply of more than {MOST_VALUES:,} values")

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + _PIECE_BYTES] for start in range(0, len(data), _PIECE_BYTES))


@cache
def _limited(base: type[Any]) -> type[Any]:
    """Return the limited stream as a kind of the library's own, which it insists on."""
    return type("LimitedStream", (_LimitedStream, base), {})
