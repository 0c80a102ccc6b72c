"""API keys: shown once when created, stored as hashes."""

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
    """Metadata of a key, without the key itself.

    Args:
        id: The public part of the key.
        owner: The key's owner.
        scopes: What the key allows.
        created_s: When it was created, in seconds since 1970.
    """

    id: str
    owner: str
    scopes: tuple[str, ...]
    created_s: int


@dataclass(frozen=True, slots=True)
class KeyList:
    """Printable list of keys."""

    keys: Sequence[ApiKey]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"keys": [dataclasses.asdict(key) for key in self.keys]}

    def lines(self) -> list[str]:
        """Return human-readable lines, one per key."""
        lines = [
            f"{key.id}  {datetime.fromtimestamp(key.created_s, UTC):%Y-%m-%d}  {key.owner:<24}  {' '.join(key.scopes)}"
            for key in self.keys
        ]
        return lines or ["no keys; `vidagent serve keys add OWNER` makes one"]


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The keys in a database, looked up on every request so that a revoked key stops working at once.

    A key holds 256 random bits, so its SHA-256 cannot be reversed: slow hashes are for passwords.
    """

    store: Store

    def add(self, owner: str, scopes: Sequence[str]) -> str:
        """Create a key and return it.

        Raises:
            UsageError: If the owner's name or a scope is invalid.
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
        stored = " ".join(sorted(set(scopes)))
        self.store.change(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?)", id_, owner, _hash(key), stored, int(time.time())
        )
        return key

    def all(self) -> list[ApiKey]:
        """Return all keys, oldest first."""
        rows = self.store.rows("SELECT id, owner, scopes, created_s FROM keys ORDER BY created_s, id")
        return [
            ApiKey(row["id"], row["owner"], tuple(row["scopes"].split()), row["created_s"]) for row in rows
        ]

    def revoke(self, id_: str) -> None:
        """Delete a key; requests with it fail from now on.

        Raises:
            UsageError: If there is no such key.
        """
        if not self.store.change("DELETE FROM keys WHERE id = ?", id_):
            known = ", ".join(key.id for key in self.all()) or "none"
            raise UsageError(f"there is no key {id_!r}; there are: {known}")

    def client(self, key: str) -> Client | None:
        """Return the client of a key; None if the key is invalid."""
        form = _KEY.fullmatch(key)
        row = form and self.store.row("SELECT owner, hash, scopes FROM keys WHERE id = ?", form[1])
        if not row or not hmac.compare_digest(row["hash"], _hash(key)):
            return None
        return _client(row)

    def id(self, key: str) -> str | None:
        """Return the id of a key; None if the key is invalid."""
        form = _KEY.fullmatch(key)
        return form[1] if form and self.client(key) else None

    def client_by_id(self, id_: str) -> Client | None:
        """Return the client of a key id; None if the key has been revoked."""
        row = self.store.row("SELECT owner, scopes FROM keys WHERE id = ?", id_)
        return _client(row) if row else None


def required_keys(store: Store) -> ApiKeys:
    """Return the API keys of a server that requires at least one.

    Raises:
        UsageError: If there are none; the store is then closed.
    """
    keys = ApiKeys(store)
    if keys.all():
        return keys
    store.close()
    raise UsageError(
        "there are no API keys: `vidagent serve keys add OWNER` makes one; --insecure-local serves this machine "
        "alone, without any"
    )


def _client(row: sqlite3.Row) -> Client:
    return Client(row["owner"], frozenset(row["scopes"].split()))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
