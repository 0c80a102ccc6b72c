"""The search of the library for clients: only in the videos of the served folders, told by their names there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from vidagent.library.library import SearchableLibrary
from vidagent.serve.core.caller import Client
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.errors import without_addresses
from vidagent.serve.core.folders import Folders
from vidagent.serve.core.schemas import FoundBody, HitBody

_CONCURRENT, _CONCURRENT_EACH = 4, 2
_MOST_WAITING = 8
"""Searches that a client may wait for."""
_TIMEOUT_S = 60.0
_NOTHING_YET = "no video of this server is indexed: `vidagent library add DIR` on it does that"


@dataclass
class LibrarySearch:
    """Searches the library that `vidagent library add` has made on this machine."""

    _library: SearchableLibrary = field(default_factory=SearchableLibrary)
    _limits: ConcurrencyLimits = field(
        default_factory=lambda: ConcurrencyLimits(_CONCURRENT, _CONCURRENT_EACH, "searches")
    )

    async def find(self, client: Client, folders: Folders, query: str, limit: int) -> FoundBody:
        """Return the best hits in the videos of some folders.

        Raises:
            ApiError: If the client waits for too many searches, or this one takes too long.
            UsageError: If the query is empty, or the library cannot be read.
        """
        async with self._limits.short_wait(client, most=_MOST_WAITING, within_s=_TIMEOUT_S):
            return await asyncio.to_thread(self._find, folders, query, limit)

    def _find(self, folders: Folders, query: str, limit: int) -> FoundBody:
        if not (self._library.exists and folders.roots):
            return FoundBody(query=query, hits=[], searched=0, notes=[_NOTHING_YET])
        found = self._library.find(query, limit=limit, folders=folders.roots)
        hits = [
            HitBody(video=name, time_s=hit.time_s, end_s=hit.end_s, why=hit.why, score=hit.score)
            for hit in found.hits
            if (name := folders.name_of(hit.video)) is not None
        ]
        notes = [without_addresses(note) for note in found.notes] if found.searched else [_NOTHING_YET]
        return FoundBody(query=query, hits=hits, searched=found.searched, notes=notes)
