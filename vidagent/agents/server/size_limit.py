"""A limit on the size of what a server sends, counted as it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from vidagent.agents.server.connection import ServerError, public_url

MOST_BYTES = 64 << 20


async def limit_size(response: Any) -> None:  # noqa: ANN401 - of httpx or httpx2, which the OpenAI client uses
    """Limit the size of a response to `MOST_BYTES` (a response hook of an HTTP client)."""
    base = next((kind for kind in type(response.stream).__mro__ if kind.__name__ == "AsyncByteStream"), None)
    if base is not None:
        response.stream = _limited(base)(response.stream, public_url(str(response.url)))


class _LimitedStream:
    """Passes a body on until it is too large.

    Args:
        inner: The body.
        where: The address it comes from, for the message.
    """

    def __init__(self, inner: Any, where: str) -> None:  # noqa: ANN401 - a stream of either library
        self._inner, self._where = inner, where

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._inner:
            size += len(piece)
            if size > MOST_BYTES:
                raise ServerError(f"the model server at {self._where} sent more than {MOST_BYTES >> 20} MB")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


@cache
def _limited(base: type[Any]) -> type[Any]:
    """Return the limited stream as a kind of the library's own, which it insists on."""
    return type("LimitedStream", (_LimitedStream, base), {})
