"""Facts about servers, kept in the user's cache folder: those of one (base URL, model) pair are one row.

Errors of the disk are only logged: what cannot be read is unknown, what cannot be written is found out again.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from vidagent.agents.server.facts import ServerFacts
from vidagent.database import RebuildableDatabase

FILE_NAME = "servers.sqlite3"
EXPIRY_S = 30 * 24 * 3600.0
"""Servers are updated and restarted with other flags: facts older than this are found out again."""
_FORM = 1
"""Raised when facts are stored in another form."""
_SCHEMA = """
CREATE TABLE servers (
    url TEXT NOT NULL, model TEXT NOT NULL, form INTEGER NOT NULL, saved_s REAL NOT NULL, facts TEXT NOT NULL,
    PRIMARY KEY (url, model)
) WITHOUT ROWID;
"""
_log = logging.getLogger(__name__)


class KnownServers:
    """The facts of all servers.

    Args:
        folder: The user's cache folder; nothing is created before the first fact.
    """

    def __init__(self, folder: Path) -> None:
        """Store the path."""
        self._database = RebuildableDatabase(folder / FILE_NAME, _SCHEMA)

    def facts(self, url: str, model: str) -> ServerFacts:
        """Return what is known about a model on a server."""
        query = "SELECT facts FROM servers WHERE url = ? AND model = ? AND form = ? AND saved_s > ?"
        try:
            row = self._database.row(query, url, model, _FORM, time.time() - EXPIRY_S)
            known = None if row is None else ServerFacts.from_dict(json.loads(row["facts"]))
        except (sqlite3.Error, OSError, ValueError) as error:
            _log.info("what is known about %s cannot be read: %s", url, error)
            known = None
        return known or ServerFacts()

    def save(self, url: str, model: str, facts: ServerFacts) -> None:
        """Save the facts, whose time begins anew."""
        statement = (
            "INSERT INTO servers VALUES (?, ?, ?, ?, ?) ON CONFLICT (url, model) DO UPDATE SET "
            "form = excluded.form, saved_s = excluded.saved_s, facts = excluded.facts"
        )
        try:
            self._database.change(statement, url, model, _FORM, time.time(), json.dumps(facts.to_dict()))
        except (sqlite3.Error, OSError) as error:
            _log.info("what was learned about %s cannot be saved: %s", url, error)


class ServerMemory:
    """What one client knows about its server; corrections made while it runs are kept.

    Args:
        facts: What is known at the start.
        save: Saves the facts after each change; None keeps them in this process.
    """

    def __init__(
        self, facts: ServerFacts | None = None, save: Callable[[ServerFacts], None] | None = None
    ) -> None:
        """Start with what is known."""
        self.facts = facts or ServerFacts()
        self._save = save

    @classmethod
    def kept(cls, folder: Path, url: str, model: str) -> ServerMemory:
        """Return the memory of a server whose facts are kept in the user's cache folder."""
        known = KnownServers(folder)
        return cls(known.facts(url, model), lambda facts: known.save(url, model, facts))

    def learn(self, facts: ServerFacts) -> None:
        """Replace the facts, and save them."""
        if facts == self.facts:
            return
        self.facts = facts
        if self._save is not None:
            self._save(facts)
