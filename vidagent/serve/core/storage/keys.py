"""API keys: made once, shown once, kept as hashes."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from vidagent.errors import UsageError
from vidagent.serve.core.caller import Client, Scope
from vidagent.serve.core.storage.database import Store

_OWNER = re.compile(r"(?=.{1,24}$)[a-z0-9]+(?:-[a-z0-9]+)*")
_KEY = re.compile(r"vk-([0-9a-f]{8})-[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; the key itself is not.

    Args:
        id: Its name, which is no secret.
        owner: Whose it is.
        scopes: What it is for.
        created_s: When it was made, in seconds since 1970.
    """

    id: str
    owner: str
    scopes: tuple[str, ...]
    created_s: int


@dataclass(frozen=True, slots=True)
class KeyList:
    """Keys, to be printed.

    Args:
        keys: The oldest first.
    """

    keys: Sequence[ApiKey]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"keys": [dataclasses.asdict(key) for key in self.keys]}

    def lines(self) -> list[str]:
        """Say it to people, one key a line."""
        lines = [
            f"{key.id}  {datetime.fromtimestamp(key.created_s, UTC):%Y-%m-%d}  {key.owner:<24}  {' '.join(key.scopes)}"
            for key in self.keys
        ]
        return lines or ["no keys; `vidagent serve keys add OWNER` makes one"]


class ApiKeys:
    """The keys in a store.

    A key holds 256 random bits, so its SHA-256 tells nothing of it: slow hashes are for what people make up.
    """

    def __init__(self, store: Store) -> None:
        """Keep the store; keys are looked up anew for each request, so that what is revoked is so at once."""
        self._store = store

    def add(self, owner: str, scopes: Sequence[str]) -> str:
        """Make a key and return it.

        Raises:
            UsageError: If the owner's name or a scope is not legal.
        """
        if not _OWNER.fullmatch(owner):
            raise UsageError(
                f"an owner is 1 to 24 lower-case letters, digits and single dashes; got {owner!r}"
            )
        for scope in scopes:
            if scope not in get_args(Scope):
                raise UsageError(f"--scope must be one of {', '.join(get_args(Scope))}; got {scope!r}")
        id_ = secrets.token_hex(4)
        key = f"vk-{id_}-{secrets.token_urlsafe(32)}"
        told = " ".join(sorted(set(scopes)))
        self._store.change(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?)", id_, owner, _hash(key), told, int(time.time())
        )
        return key

    def all(self) -> list[ApiKey]:
        """Return what is known of the keys, the oldest first."""
        rows = self._store.rows("SELECT id, owner, scopes, created_s FROM keys ORDER BY created_s, id")
        return [
            ApiKey(row["id"], row["owner"], tuple(row["scopes"].split()), row["created_s"]) for row in rows
        ]

    def revoke(self, id_: str) -> None:
        """Take a key back; it opens nothing from now on.

        Raises:
            UsageError: If there is no such key.
        """
        if not self._store.change("DELETE FROM keys WHERE id = ?", id_):
            known = ", ".join(key.id for key in self.all()) or "none"
            raise UsageError(f"there is no key {id_!r}; there are: {known}")

    def client(self, key: str) -> Client | None:
        """Return whose key this is; None if it is none."""
        form = _KEY.fullmatch(key)
        row = form and self._store.row("SELECT owner, hash, scopes FROM keys WHERE id = ?", form[1])
        if not row or not hmac.compare_digest(row["hash"], _hash(key)):
            return None
        return _client(row)

    def id(self, key: str) -> str | None:
        """Return the id of a key; None if it is none."""
        form = _KEY.fullmatch(key)
        return form[1] if form and self.client(key) else None

    def holder(self, id_: str) -> Client | None:
        """Return whose key has this id; None if it has been revoked."""
        row = self._store.row("SELECT owner, scopes FROM keys WHERE id = ?", id_)
        return _client(row) if row else None


def _client(row: sqlite3.Row) -> Client:
    return Client(row["owner"], frozenset(row["scopes"].split()))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
