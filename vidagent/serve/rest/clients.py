"""Who asks: the owner of what a request makes and sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from starlette.requests import Request

__all__ = ["LOCAL", "Client", "Scope", "client_of"]

Scope = Literal["ask", "files", "metrics"]


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks.

    Args:
        owner: Whose files and jobs these are.
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
