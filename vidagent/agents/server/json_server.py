"""One route of a server beside the model's own, asked by POST: limits, errors in plain words, retries by the caller.

Data goes only to the address that is set: redirects are not followed. A reply is untrusted, and its size is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from vidagent.agents.server.connection import (
    ServerError,
    error_text,
    is_loopback,
    parse_json,
    public_url,
    redirection,
    retry_after_s,
    short_line,
)
from vidagent.agents.server.size_limit import limits_of

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class JsonServer:
    """A server and how to ask it.

    Args:
        base_url: The base URL, such as http://127.0.0.1:8000/v1; it may include the route.
        route: The route, such as `/embeddings`.
        kind: What the server is in messages, such as `embedding server`.
        key: Its key, or an empty text.
        key_variable: The environment variable that holds the key.
        reply_s: Longest wait for one reply.
    """

    base_url: str
    route: str
    kind: str
    key: str
    key_variable: str
    reply_s: float

    @property
    def url(self) -> str:
        """The address of the route."""
        return f"{self.base_url.rstrip('/').removesuffix(self.route)}{self.route}"

    @property
    def where(self) -> str:
        """The base URL, fit to be shown."""
        return public_url(self.url.removesuffix(self.route))

    @property
    def name(self) -> str:
        """The server in messages."""
        return f"the {self.kind} at {self.where}"

    def client(self) -> httpx.AsyncClient:
        """Return a client with the key and the limits, to be used as a context manager."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"} | (
            {"Authorization": f"Bearer {self.key}"} if self.key else {}
        )
        return httpx.AsyncClient(
            headers=headers,
            timeout=self.reply_s,
            trust_env=not is_loopback(self.url),
            event_hooks={"response": [limits_of(self.kind)]},
        )

    async def post(self, client: httpx.AsyncClient, **content: Any) -> Mapping[str, Any]:  # noqa: ANN401 - httpx's own
        """Send one request and return the JSON object of the reply.

        Raises:
            ServerError: If the server cannot be reached, refuses, or sends no JSON object.
        """
        return await self._sent(client, "POST", self.url, content)

    async def get(self, client: httpx.AsyncClient, route: str) -> Mapping[str, Any]:
        """Return the JSON object of another route; errors as `post`."""
        return await self._sent(client, "GET", self.url.removesuffix(self.route) + route, {})

    async def _sent(
        self, client: httpx.AsyncClient, method: str, url: str, content: dict[str, Any]
    ) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(self.reply_s):
                reply = await client.request(method, url, **content)
        except (TimeoutError, httpx.TimeoutException):
            raise ServerError(f"{self.name} did not reply within {self.reply_s:g} s", retried=True) from None
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            line = f"nothing can be sent to {self.name}: the key ({self.key_variable}) is no line of plain letters"
            raise ServerError(line) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = self._clean(str(error)) or type(error).__name__
            raise ServerError(f"{self.name} cannot be reached: {why}", retried=True) from None
        data = parse_json(reply.content)
        if reply.status_code != 200:
            raise self._refused(reply.status_code, reply.headers, data, reply.content)
        if not isinstance(data, Mapping):
            line = f"{self.name} sent no JSON; is the base URL right?"
            raise ServerError(line, detail=self.detail(data, reply.content))
        return data

    def _refused(self, status: int, headers: httpx.Headers, data: object, body: bytes) -> ServerError:
        detail = self.detail(data, body)
        if status in {401, 403}:
            line = f"{self.name} refused the key ({status}); set {self.key_variable}"
        elif redirected := redirection(status, headers, self.where, self.key):
            line = redirected
        else:
            line = f"{self.name} answered {status}: {detail or 'nothing'}"
        return ServerError(
            line,
            status=status,
            detail=detail,
            retried=status in _RETRIED,
            wait_s=min(retry_after_s(headers), _LONGEST_WAIT_S),
        )

    def detail(self, data: object, body: bytes = b"") -> str:
        """Return what a reply says, as one short line without the key."""
        return self._clean(error_text(data) or body[:2000].decode("utf-8", "replace"))

    def _clean(self, text: str) -> str:
        return short_line("".join(c for c in " ".join(text.split()) if c.isprintable()), self.key)
