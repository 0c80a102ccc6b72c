"""Database rows of runs: owner, question and answer; a run is visible to its owner only."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from vidagent import api
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import QuestionBody, RunBody
from vidagent.serve.core.storage.database import Store

_RETENTION_S = 7 * 24 * 3600


class RunRecords:
    """Rows of runs; their frames are in the agent's run folders.

    Methods raise `ApiError` for a run that the client does not have.
    """

    def __init__(self, store: Store) -> None:
        """Delete runs that began more than a week ago, as the agent does with their folders."""
        self._store = store
        store.change("DELETE FROM runs WHERE created_s < ?", time.time() - _RETENTION_S)

    @asynccontextmanager
    async def recording(self, client: Client, question: QuestionBody) -> AsyncIterator[RunRecording]:
        """Record the run that the block executes, once it has an id.

        If its row is deleted meanwhile, its folder is deleted when it ends.
        """
        run = RunRecording(self, client, question)
        try:
            yield run
        finally:
            if run.run_id is not None and not self._end(run.run_id, run.answer):
                await asyncio.to_thread(api.delete_run, run.run_id)

    def begin(self, client: Client, question: QuestionBody, run_id: str) -> None:
        """Insert a run, or reopen the row of a resumed one."""
        self._store.change(
            "INSERT INTO runs (id, owner, video, asked, created_s) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET ended_s = NULL",
            run_id, client.owner, question.video, question.model_dump_json(), time.time(),
        )  # fmt: skip

    def get(self, client: Client, run_id: str) -> RunBody:
        """Return a run."""
        row = self._store.row("SELECT * FROM runs WHERE owner = ? AND id = ?", client.owner, run_id)
        if row is None:
            raise ApiError(404, "no_such_run", "there is no such run")
        return _body(row)

    def newest(self, client: Client, limit: int) -> list[RunBody]:
        """Return a client's runs, newest first."""
        query = "SELECT * FROM runs WHERE owner = ? ORDER BY created_s DESC, id DESC LIMIT ?"
        return [_body(row) for row in self._store.rows(query, client.owner, limit)]

    async def delete_about(self, client: Client, video: str) -> None:
        """Delete a client's runs on a video, with their folders."""
        among = "SELECT 1 FROM json_each(asked, '$.more_videos') WHERE value = ?2"
        await self._delete(f"(video = ?2 OR EXISTS ({among}))", client, [video])

    async def delete(self, client: Client, run_ids: Sequence[str]) -> None:
        """Delete runs of a client, with their folders."""
        await self._delete("id = ?2", client, run_ids)

    async def _delete(self, which: str, client: Client, values: Sequence[str]) -> None:
        query = f"DELETE FROM runs WHERE owner = ?1 AND {which} RETURNING id, ended_s"  # noqa: S608
        rows = [row for value in values for row in self._store.rows(query, client.owner, value)]

        def delete() -> None:
            for row in rows:
                if row["ended_s"]:  # else its folder is deleted when it ends
                    api.delete_run(row["id"])

        await asyncio.to_thread(delete)

    def _end(self, run_id: str, answer: dict[str, Any] | None) -> int:
        text = None if answer is None else json.dumps(answer)
        return self._store.change(
            "UPDATE runs SET ended_s = ?, answer = ? WHERE id = ?", time.time(), text, run_id
        )


@dataclass
class RunRecording:
    """Records one run from its events."""

    records: RunRecords
    client: Client
    question: QuestionBody
    run_id: str | None = None
    answer: dict[str, Any] | None = None

    def add(self, event: dict[str, Any]) -> None:
        """Take the run id from the first event, and the answer from the last."""
        if event["kind"] == "model":
            self.run_id = str(event["data"]["run_id"])
            self.records.begin(self.client, self.question, self.run_id)
        elif event["kind"] == "answer":
            self.answer = event["data"]["answer"]


def _body(row: sqlite3.Row) -> RunBody:
    return RunBody(
        id=row["id"],
        created_at=row["created_s"],
        asked=QuestionBody.model_validate_json(row["asked"]),
        answer=row["answer"] and json.loads(row["answer"]),
    )
