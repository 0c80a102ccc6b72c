"""The runs in the store: who asked for which, and what came of it; what a run shows is its owner's alone."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from vidagent import api
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import QuestionBody, RunBody
from vidagent.serve.core.storage.database import Store

_KEPT_S = 7 * 24 * 3600


class RunRecords:
    """Rows of runs; their pictures lie with the agent's own records of them.

    Args:
        store: Where the rows are.
    """

    def __init__(self, store: Store) -> None:
        """Clear away runs that began more than a week ago, as the agent does with their pictures."""
        self._store = store
        store.change("DELETE FROM runs WHERE created_s < ?", time.time() - _KEPT_S)

    @asynccontextmanager
    async def kept(self, client: Client, asked: QuestionBody) -> AsyncIterator[RunRecording]:
        """Keep the run that goes on in the block, from when it has its name.

        Where it was forgotten meanwhile, what it leaves is deleted at its end.
        """
        keeping = RunRecording(self, client, asked)
        try:
            yield keeping
        finally:
            if keeping.run_id is not None and not self._end(keeping.run_id, keeping.answer):
                await asyncio.to_thread(api.delete_run, keeping.run_id)

    def begin(self, client: Client, asked: QuestionBody, run_id: str) -> None:
        """Enter a run; one that is gone on with is there already."""
        self._store.change(
            "INSERT INTO runs (id, owner, video, asked, created_s) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET ended_s = NULL",
            run_id, client.owner, asked.video, asked.model_dump_json(), time.time(),
        )  # fmt: skip

    def get(self, client: Client, run_id: str) -> RunBody:
        """Return a run.

        Raises:
            ApiError: If there is none of that id, or it is somebody else's.
        """
        row = self._store.row("SELECT * FROM runs WHERE owner = ? AND id = ?", client.owner, run_id)
        if row is None:
            raise ApiError(404, "no_such_run", "there is no such run")
        return _body(row)

    def newest(self, client: Client, limit: int) -> list[RunBody]:
        """Return a client's runs, the newest first."""
        query = "SELECT * FROM runs WHERE owner = ? ORDER BY created_s DESC, id DESC LIMIT ?"
        return [_body(row) for row in self._store.rows(query, client.owner, limit)]

    async def forget(self, client: Client, video: str) -> None:
        """Delete a client's runs about a video, and their pictures of it."""
        query = "DELETE FROM runs WHERE owner = ? AND video = ? RETURNING id, ended_s"
        ended = [row["id"] for row in self._store.rows(query, client.owner, video) if row["ended_s"]]

        def delete() -> None:
            for run_id in ended:
                api.delete_run(run_id)

        await asyncio.to_thread(delete)

    def _end(self, run_id: str, answer: dict[str, Any] | None) -> int:
        told = None if answer is None else json.dumps(answer)
        return self._store.change(
            "UPDATE runs SET ended_s = ?, answer = ? WHERE id = ?", time.time(), told, run_id
        )


class RunRecording:
    """One run on its way into the store.

    Args:
        records: Where it is kept.
        client: Who asks.
        asked: What.
    """

    def __init__(self, records: RunRecords, client: Client, asked: QuestionBody) -> None:
        """Wait for its name."""
        self._records, self._client, self._asked = records, client, asked
        self.run_id: str | None = None
        self.answer: dict[str, Any] | None = None

    def hear(self, told: dict[str, Any]) -> None:
        """Take the run's name from its first event, and the answer from its last."""
        if told["kind"] == "model":
            self.run_id = str(told["data"]["run_id"])
            self._records.begin(self._client, self._asked, self.run_id)
        elif told["kind"] == "answer":
            self.answer = told["data"]["answer"]


def _body(row: sqlite3.Row) -> RunBody:
    return RunBody(
        id=row["id"],
        created_at=row["created_s"],
        asked=QuestionBody.model_validate_json(row["asked"]),
        answer=row["answer"] and json.loads(row["answer"]),
    )
