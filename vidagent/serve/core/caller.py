"""The client of a request, and what it may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from starlette.requests import Request

from vidagent.serve.core.errors import ApiError

Scope = Literal["ask", "files", "metrics"]


@dataclass(frozen=True, slots=True)
class Client:
    """The sender of a request.

    Args:
        owner: Owner of the client's files, jobs and runs: lower-case letters, digits and dashes.
        scopes: What the client may do: `ask` questions, upload and delete `files`, read `metrics`.
    """

    owner: str
    scopes: frozenset[str]


LOCAL = Client("local", frozenset(get_args(Scope)))
"""Any client on this machine, where the server runs without keys."""


def client_of(request: Request) -> Client:
    """Return the client that `Authentication` found for a request."""
    client = request.state.client
    assert isinstance(client, Client)  # noqa: S101 - unauthenticated requests never get here
    return client


def check_scope(client: Client, scope: Scope) -> None:
    """Raise an error if a client lacks a scope."""
    if scope not in client.scopes:
        raise ApiError(403, "no_scope", f"this key lacks the scope {scope!r}")


def requires(scope: Scope) -> Callable[[Request], Awaitable[None]]:
    """Return a route dependency that checks a scope."""

    async def check(request: Request) -> None:
        check_scope(client_of(request), scope)

    return check
