"""A model server's endpoints beside chat: its models, its version, its health and its tokenizer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

from vidagent.agents.server.connection import (
    REDIRECTS,
    ServerError,
    error_text,
    is_loopback,
    parse_json,
    public_url,
    redirection,
    short_line,
)
from vidagent.agents.server.size_limit import limit_size

_ABSENT = frozenset({401, 403, 404, 405, 501}) | REDIRECTS
"""Statuses of a path that is missing, or closed to us: a gateway may allow `/v1` and nothing else."""
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_BROKEN = "\N{REPLACEMENT CHARACTER}"
_MODEL_URL = "http://127.0.0.1:8000/v1"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as `GET /v1/models` lists it.

    Args:
        name: Its name in requests.
        root: What it was loaded from, or None if the server does not say.
        context_tokens: Longest prompt and reply together, or None if the server does not say.
        owner: Its owner according to the server: `vllm` for vLLM.
        sees: Whether it takes pictures, or None if the server does not say.
        calls_tools: Whether it calls tools, or None if the server does not say.
    """

    name: str
    root: str | None = None
    context_tokens: int | None = None
    owner: str | None = None
    sees: bool | None = None
    calls_tools: bool | None = None


class Endpoint:
    """Client of the endpoints that vLLM offers beside chat.

    A missing path is requested only once; from then on the result is None. As in `vidagent.agents.client.chat_model`,
    servers on this machine bypass any proxy, connections are closed after each request, so that several event loops
    can use it in turn, and every failure is a `ServerError` with one line that never contains the key.

    Args:
        base_url: The base URL, such as http://127.0.0.1:8000/v1.
        api_key: The server's key, or None.
        model: The model whose tokens are counted; None leaves it to the server.
        timeout_s: Longest wait for one answer.
    """

    def __init__(
        self, base_url: str, api_key: str | None = None, *, model: str | None = None, timeout_s: float = 10.0
    ) -> None:
        """Prepare the requests; nothing is sent yet."""
        self.where = public_url(base_url)
        self._base = base_url.rstrip("/")
        self._root = self._base.removesuffix("/v1")
        self._key = api_key or ""
        self._model = model
        self._timeout_s = timeout_s
        self._absent: set[str] = set()

    async def models(self) -> list[ServedModel]:
        """List the server's models, in its order.

        Raises:
            ServerError: If it cannot be reached, refuses the key, or sends no valid list.
        """
        status, data, detail = await self._request("GET", f"{self._base}/models", None)
        if status in REDIRECTS:
            raise ServerError(detail, status=status)
        if status in {401, 403}:
            line = f"the model server at {self.where} refused the API key ({status}); set VIDAGENT_API_KEY"
            raise ServerError(line, status=status, detail=detail)
        if status != 200:
            raise ServerError(
                f"{self.where}/models answered {status}; is the base URL right?", status=status, detail=detail
            )
        try:
            return [_served(item) for item in data["data"]]  # type: ignore[index]  # reported below if it is no list of models
        except (KeyError, TypeError, AttributeError):
            line = (
                f"{self.where}/models is not a list of models; is the base URL right, such as {_MODEL_URL}?"
            )
            raise ServerError(line, detail=detail) from None

    async def version(self) -> str | None:
        """Return the server's vLLM version, or None if it does not say."""
        data = await self._ask("GET", "/version", None)
        version = data.get("version") if isinstance(data, Mapping) else None
        return version if isinstance(version, str) else None

    async def lookup(self, path: str, body: dict[str, Any] | None = None) -> object:
        """Return the JSON of a path beside the base URL, or None if there is no such path.

        Raises:
            ServerError: If the server cannot be reached or refuses.
        """
        return await self._ask("GET" if body is None else "POST", path, body)

    async def healthy(self) -> bool:
        """Tell whether the server reports that it is healthy or, if it has no such endpoint, answers at all."""
        try:
            status, _, _ = await self._request("GET", f"{self._root}/health", None)
        except ServerError:
            return False
        return status < 500

    async def tokenize(self, text: str) -> int | None:
        """Count the tokens of a text for the model, or return None if the server does not count.

        Raises:
            ServerError: If the server cannot be reached or refuses.
        """
        return await self._count({"prompt": text, "add_special_tokens": False})

    async def shorten(self, text: str, tokens: int) -> str:
        """Truncate a text to this many tokens; return it whole if the server does not count.

        Text that a model generated token by token may have more tokens when tokenized again.

        Raises:
            ServerError: If the server cannot be reached or refuses.
        """
        for length in range(tokens, 0, -1):
            data = await self._tokens({"prompt": text, "add_special_tokens": False})
            listed = data.get("tokens") if data is not None else None
            if not isinstance(listed, list) or len(listed) <= tokens:
                return text
            reply = await self._ask("POST", "/detokenize", {**self._named, "tokens": listed[:length]})
            words = reply.get("prompt") if isinstance(reply, Mapping) else None
            if not isinstance(words, str):
                return text
            text = words.rstrip(_BROKEN)
        return ""

    async def tokenize_messages(self, messages: Sequence[Mapping[str, Any]], **fields: object) -> int | None:
        """Count the tokens of a chat's prompt, pictures and videos included, or return None as `tokenize` does.

        Args:
            messages: The messages in the request's format.
            fields: Further fields that shape the prompt, such as `tools`, `chat_template_kwargs` or
                `mm_processor_kwargs`.

        Raises:
            ServerError: If the server cannot be reached or refuses.
        """
        return await self._count({"messages": list(messages), **fields})

    async def _count(self, body: dict[str, Any]) -> int | None:
        data = await self._tokens(body)
        count = data.get("count") if data is not None else None
        return count if isinstance(count, int) else None

    async def _tokens(self, body: dict[str, Any]) -> Mapping[str, Any] | None:
        data = await self._ask("POST", "/tokenize", {**self._named, **body})
        return data if isinstance(data, Mapping) else None

    @property
    def _named(self) -> dict[str, Any]:
        return {} if self._model is None else {"model": self._model}

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> object:
        """Send a request to a path beside the base URL; return None, now and later, if there is no such path."""
        if path in self._absent:
            return None
        status, data, detail = await self._request(method, f"{self._root}{path}", body)
        unknown_model = status == 404 and "model" in error_text(data).casefold()
        if (status in _ABSENT and not unknown_model) or (status == 200 and data is None):
            self._absent.add(path)
            return None
        if status != 200:
            verb = "failed" if status >= 500 else "refused"
            raise ServerError(
                f"the model server at {self.where} {verb} {path} ({status}): {detail}",
                status=status,
                detail=detail,
                retried=status in _RETRIED,
            )
        return data

    async def _request(self, method: str, url: str, body: dict[str, Any] | None) -> tuple[int, object, str]:
        """Return the status, the JSON (None if it is invalid) and the server's message."""
        try:
            client = self._client  # created before the timeout starts, as it loads certificates
            async with asyncio.timeout(self._timeout_s):
                reply = await client.request(method, url, json=body)
        except (TimeoutError, httpx.TimeoutException):
            line = f"no model server answers at {self.where}: nothing came within {self._timeout_s:g} s"
            raise ServerError(line, retried=True) from None
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            line = f"nothing can be sent to {self.where}: the API key (VIDAGENT_API_KEY) is no line of plain letters"
            raise ServerError(line) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreached(error) from None
        data = parse_json(reply.content)
        detail = redirection(reply.status_code, reply.headers, self.where, self._key)
        return reply.status_code, data, detail or short_line(error_text(data) or reply.text, self._key)

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        is_local = is_loopback(self._base)
        is_plain = is_local and self._base.startswith("http:")
        return httpx.AsyncClient(
            headers=headers,
            timeout=self._timeout_s,
            verify=not is_plain,  # without TLS there are no certificates to load, which takes 25 ms
            trust_env=not is_local,
            event_hooks={"response": [limit_size]},
        )

    def _unreached(self, error: Exception) -> ServerError:
        reason = short_line(_reason(error), self._key) or type(error).__name__
        if isinstance(error, httpx.ConnectError | httpx.InvalidURL | httpx.UnsupportedProtocol):
            return ServerError(f"no model server answers at {self.where}: {reason}", detail=reason)
        line = f"the connection to the model server at {self.where} broke: {reason}"
        return ServerError(line, detail=reason, retried=True)


def _served(item: Mapping[str, Any]) -> ServedModel:
    """Read one model of a list; OpenRouter's lists also tell what a model can do."""
    context = item.get("max_model_len") or item.get("context_length")
    architecture, parameters = item.get("architecture"), item.get("supported_parameters")
    inputs = architecture.get("input_modalities") if isinstance(architecture, Mapping) else None
    return ServedModel(
        name=str(item["id"]),
        root=_text(item.get("root")),
        context_tokens=context if isinstance(context, int) else None,
        owner=_text(item.get("owned_by")),
        sees="image" in inputs if isinstance(inputs, list) else None,
        calls_tools="tools" in parameters if isinstance(parameters, list) else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _reason(error: BaseException) -> str:
    """Return the operating system's message for a failed connection, from inside the libraries' errors."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.errno:
            known = link.errno > 0 and not isinstance(link, httpx.HTTPError)
            return os.strerror(link.errno) if known else str(link.strerror)
        link = link.__cause__ or link.__context__
    return str(error)
