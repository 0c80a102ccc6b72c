"""Embeddings over `POST /v1/embeddings`: texts as OpenAI takes them, pictures in the form that the server takes.

There is no standard form for pictures: vLLM takes one as a chat message, SGLang and Jina take objects, Infinity takes
data URLs. The first picture is sent in each form until one is accepted.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import httpx
import numpy as np
from numpy.typing import NDArray

from vidagent.agents.server.connection import ServerError, retry
from vidagent.agents.server.json_server import JsonServer
from vidagent.config import Settings
from vidagent.images import jpeg
from vidagent.video.index.embeddings import Vectors

T = TypeVar("T")
_PATH = "/embeddings"
_REPLY_S = 120.0
_AT_ONCE = 8
"""Requests under way; vLLM puts what comes together into one batch."""
_TEXTS, _PICTURES = 32, 16
"""Inputs of one request, for servers that take several."""
_MOST_CHARS = 1_000
"""Longest text that is sent; models of pictures read some 64 tokens of it."""
_MOST_VALUES = 16_384
_REFUSALS = frozenset({400, 404, 405, 415, 422, 500, 501})
"""Statuses by which a server may refuse a form."""


def connect(settings: Settings) -> EmbeddingClient | None:
    """Return the client of the embedding server, or None if none is set."""
    if settings.embedding_base_url is None:
        return None
    key = settings.embedding_api_key.get_secret_value() if settings.embedding_api_key else ""
    return EmbeddingClient(
        settings.embedding_base_url, settings.embedding_model, key, settings.reply_seconds or _REPLY_S
    )


class EmbeddingClient:
    """Turns pictures and texts into unit vectors of one space.

    Args:
        url: The base URL, such as http://127.0.0.1:8000/v1.
        model: The model's name on that server, or None for the first that it lists.
        key: The server's key, or an empty text.
        reply_s: Longest wait for one reply.
    """

    def __init__(self, url: str, model: str | None, key: str = "", reply_s: float = _REPLY_S) -> None:
        """Prepare the requests; nothing is sent yet."""
        self._server = JsonServer(url, _PATH, "embedding server", key, "VIDAGENT_EMBEDDING_API_KEY", reply_s)
        self._given = model
        self._form: _Form | None = None

    @cached_property
    def model(self) -> str:
        """The model's name.

        Raises:
            ServerError: If it is not given, and the server does not list any.
        """
        return self._given or asyncio.run(self._first_listed())

    def pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Return the unit vector of each RGB picture, float32 of shape `(N, D)`.

        Raises:
            ServerError: If the server cannot be reached, refuses, takes no pictures, or sends nothing usable.
        """
        return self._run([jpeg.encode(picture) for picture in pictures], self._of_pictures)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vector of each text, float32 of shape `(N, D)`; errors as `pictures`."""
        inputs = [" ".join(text[: 4 * _MOST_CHARS].split())[:_MOST_CHARS] or "-" for text in texts]
        return self._run(inputs, self._of_texts)

    def _run(
        self, inputs: Sequence[T], embed: Callable[[httpx.AsyncClient, Sequence[T]], Awaitable[list[Vectors]]]
    ) -> Vectors:
        if not inputs:
            return np.empty((0, 0), np.float32)
        _ = self.model  # asked for before the loop that sends with it

        async def all_of_them() -> list[Vectors]:
            async with self._server.client() as client:
                return await embed(client, inputs)

        found = asyncio.run(all_of_them())
        if len({part.shape[1] for part in found}) != 1:
            raise ServerError(f"{self._server.name} sent vectors of different lengths")
        return np.concatenate(found)

    async def _of_texts(self, client: httpx.AsyncClient, texts: Sequence[str]) -> list[Vectors]:
        return await _side_by_side(
            self._asked(client, {"input": part}, len(part)) for part in _parts(texts, _TEXTS)
        )

    async def _of_pictures(self, client: httpx.AsyncClient, jpegs: Sequence[bytes]) -> list[Vectors]:
        urls = [f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" for data in jpegs]
        first: list[Vectors] = []
        if self._form is None:
            self._form, vectors = await self._accepted_form(client, urls[0])
            first, urls = [vectors], urls[1:]
        form = self._form
        size = 1 if form is _chat else _PICTURES
        rest = await _side_by_side(self._asked(client, form(part), len(part)) for part in _parts(urls, size))
        return [*first, *rest]

    async def _accepted_form(self, client: httpx.AsyncClient, url: str) -> tuple[_Form, Vectors]:
        """Send a picture in each form until one is accepted; some servers drop the connection for the others.

        Raises:
            ServerError: If none is, or nobody is there.
        """
        refusals: list[ServerError] = []
        for form in _FORMS:
            try:
                return form, await self._once(client, form([url]), 1)
            except ServerError as error:
                if error.status is not None and error.status not in _REFUSALS:
                    raise
                refusals.append(error)
        if all(error.retried and error.status is None for error in refusals):
            raise refusals[0]
        raise ServerError(
            f"{self._server.name} takes no pictures with the model {self.model!r}: {refusals[0]}; "
            "serve a model of pictures and texts, such as SigLIP, CLIP or Qwen3-VL-Embedding"
        )

    async def _asked(self, client: httpx.AsyncClient, body: Mapping[str, Any], count: int) -> Vectors:
        """Send one request, with retries, and return its vectors."""
        return await retry(lambda: self._once(client, body, count))

    async def _once(self, client: httpx.AsyncClient, body: Mapping[str, Any], count: int) -> Vectors:
        data = await self._server.post(client, json={"model": self.model, "encoding_format": "float", **body})
        try:
            return _vectors(data, count)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ServerError(f"{self._server.name} sent no usable vectors: {error}") from None

    async def _first_listed(self) -> str:
        async with self._server.client() as client:
            data = await retry(lambda: self._server.get(client, "/models"))
        listed = data.get("data")
        names = (
            [one.get("id") for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
        )
        if not names or not isinstance(names[0], str):
            raise ServerError(
                f"{self._server.name} lists no model: set embedding_model (VIDAGENT_EMBEDDING_MODEL, or vidagent.toml)"
            )
        return names[0]


_Form = Callable[[Sequence[str]], dict[str, Any]]
"""Makes the body of a request of the data URLs of pictures."""


def _chat(urls: Sequence[str]) -> dict[str, Any]:
    """Return the form of vLLM: one picture, as a message."""
    content = [{"type": "image_url", "image_url": {"url": urls[0]}}]
    return {"messages": [{"role": "user", "content": content}]}


def _objects(urls: Sequence[str]) -> dict[str, Any]:
    """Return the form of SGLang and Jina."""
    return {"input": [{"image": url} for url in urls]}


def _data_urls(urls: Sequence[str]) -> dict[str, Any]:
    """Return the form of Infinity."""
    return {"input": list(urls), "modality": "image"}


_FORMS: tuple[_Form, ...] = (_chat, _objects, _data_urls)


async def _side_by_side(requests: Iterator[Coroutine[Any, Any, Vectors]]) -> list[Vectors]:
    """Run requests, a few at once, and return their results in order; the first error ends all."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(request: Coroutine[Any, Any, Vectors]) -> Vectors:
        async with places:
            return await request

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in requests]
    except* ServerError as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _parts(inputs: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (inputs[start : start + size] for start in range(0, len(inputs), size))


def _vectors(data: Mapping[str, Any], count: int) -> NDArray[np.float32]:
    """Return the unit vectors of a reply, in the order of the inputs.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: If it holds none, or another number of them.
    """
    rows = sorted(data["data"], key=lambda row: row["index"])
    if len(rows) != count:
        raise ValueError(f"{len(rows)} for {count} inputs")
    vectors = np.array([row["embedding"] for row in rows], np.float32)
    if vectors.ndim != 2 or not 1 <= vectors.shape[1] <= _MOST_VALUES:
        raise ValueError(f"of shape {vectors.shape}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise ValueError("of no finite length")
    return np.asarray(vectors / lengths, np.float32)
