"""Conversations: the jobs of one session, or one job without a session; they are named and deleted together."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from vidagent import api
from vidagent.errors import UsageError
from vidagent.serve.core.caller import Client
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.rest.jobs import Jobs


@dataclass
class Conversations:
    """The conversations of clients. Methods raise `ApiError` for one that the client does not have."""

    jobs: Jobs
    runs: RunRecords

    def rename(self, client: Client, id_: str, title: str | None) -> None:
        """Name a conversation; None takes its name away."""
        self.jobs.records.rename(client.owner, id_, title)

    async def delete(self, client: Client, id_: str) -> None:
        """Stop what is being answered in a conversation, and delete its jobs and runs with their frames."""
        asked = self.jobs.records.conversation(client.owner, id_)
        await self.jobs.cancel_all(client, [job.id for job in asked])
        run_ids = [job.run_id for job in self.jobs.records.conversation(client.owner, id_) if job.run_id]
        self.jobs.records.delete_conversation(client.owner, id_)
        await self.runs.delete(client, run_ids)
        with suppress(UsageError):  # no question of it has begun a session
            await asyncio.to_thread(api.delete_session, f"{client.owner}.{id_}")
