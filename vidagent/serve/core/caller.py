"""Who asks: the owner of what a request makes and sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from starlette.requests import Request

from vidagent.serve.core.errors import ApiError

Scope = Literal["ask", "files", "metrics"]


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks.

    Args:
        owner: Whose files and jobs these are: lower-case letters, digits and dashes.
        scopes: What the client may do: `ask` questions, put and delete `files`, read `metrics`.
    """

    owner: str
    scopes: frozenset[str]


LOCAL = Client("local", frozenset(get_args(Scope)))
"""Everybody on this machine, where the server asks for no keys."""


def client_of(request: Request) -> Client:
    """Return who sent a request, as the door found out."""
    client = request.state.client
    assert isinstance(client, Client)  # noqa: S101 - the door lets nobody else in
    return client


def needs(scope: Scope) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency of routes that a client needs a scope for."""

    async def check(request: Request) -> None:
        if scope not in client_of(request).scopes:
            raise ApiError(403, "no_scope", f"this key is not for that: it lacks the scope {scope!r}")

    return check
