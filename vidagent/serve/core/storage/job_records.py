"""The jobs in the store: what was asked, how far it is, what happened, and how it ended, which it does once."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from typing import Any

from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import Ending, JobBody, QuestionBody
from vidagent.serve.core.storage.database import Store

_KEPT_S = 7 * 24 * 3600
_OPEN = "status IN ('queued', 'running')"


class JobRecords:
    """Rows of jobs and of their events.

    Args:
        store: Where they are.
    """

    def __init__(self, store: Store) -> None:
        """Clear away jobs that ended more than a week ago, as their runs are gone as well."""
        self._store = store
        old = time.time() - _KEPT_S
        with store.transaction():
            store.change("DELETE FROM job_events WHERE job IN (SELECT id FROM jobs WHERE ended_s < ?)", old)
            store.change("DELETE FROM jobs WHERE ended_s < ?", old)

    def add(self, owner: str, asked: QuestionBody) -> str:
        """Accept a job, and return its id."""
        id_ = f"job-{secrets.token_hex(12)}"
        self._store.change(
            "INSERT INTO jobs (id, owner, asked, status, created_s, starts) VALUES (?, ?, ?, 'queued', ?, 0)",
            id_, owner, asked.model_dump_json(), time.time(),
        )  # fmt: skip
        return id_

    def get(self, owner: str, id_: str) -> JobBody:
        """Return a job.

        Raises:
            ApiError: If there is none of that id, or it is somebody else's.
        """
        row = self._store.row("SELECT * FROM jobs WHERE owner = ? AND id = ?", owner, id_)
        if row is None:
            raise ApiError(404, "no_such_job", "there is no such job")
        return _body(row)

    def newest(self, owner: str, limit: int) -> list[JobBody]:
        """Return an owner's jobs, the newest first."""
        query = "SELECT * FROM jobs WHERE owner = ? ORDER BY created_s DESC LIMIT ?"
        return [_body(row) for row in self._store.rows(query, owner, limit)]

    def open(self, owner: str | None = None) -> list[tuple[str, str]]:
        """Return owner and id of the jobs that have not ended, the oldest first."""
        query = f"SELECT owner, id FROM jobs WHERE {_OPEN} AND owner = coalesce(?, owner) ORDER BY created_s"  # noqa: S608
        return [(row["owner"], row["id"]) for row in self._store.rows(query, owner)]

    def start(self, id_: str) -> int | None:
        """Mark a job as running; return how often it was started before, or None if it has ended."""
        with self._store.transaction():
            changed = self._store.change(
                f"UPDATE jobs SET status = 'running', starts = starts + 1 WHERE id = ? AND {_OPEN}",  # noqa: S608
                id_,
            )
            row = self._store.row("SELECT starts FROM jobs WHERE id = ?", id_)
        return int(row["starts"]) - 1 if changed and row else None

    def put_back(self, id_: str) -> None:
        """Have a running job wait again; this start of it is not counted, as it did not end the server."""
        self._store.change(
            "UPDATE jobs SET status = 'queued', starts = starts - 1 WHERE id = ? AND status = 'running'", id_
        )

    def note(self, id_: str, told: dict[str, Any]) -> None:
        """Keep an event of a job that has not ended, and which run it is."""
        run_id = told["data"].get("run_id") if told["kind"] == "model" else None
        with self._store.transaction():
            if self._store.change(
                f"UPDATE jobs SET run_id = coalesce(?, run_id) WHERE id = ? AND {_OPEN}",  # noqa: S608
                run_id, id_,
            ):  # fmt: skip
                self._enter(id_, told)

    def end(self, id_: str, status: Ending, **outcome: dict[str, Any]) -> bool:
        """End a job, with its `answer` or its `error`; return whether it had not ended before."""
        answer, error = (json.dumps(outcome[key]) if key in outcome else None for key in ("answer", "error"))
        with self._store.transaction():
            ended = self._store.change(
                f"UPDATE jobs SET status = ?, ended_s = ?, answer = ?, error = ? WHERE id = ? AND {_OPEN}",  # noqa: S608
                status, time.time(), answer, error, id_,
            )  # fmt: skip
            if ended:
                self._enter(id_, {"kind": "ended", "text": status, "step": None, "data": outcome})
        return bool(ended)

    def events(self, id_: str, after: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the events of a job behind the one of that number, each with its own."""
        query = "SELECT number, told FROM job_events WHERE job = ? AND number > ? ORDER BY number"
        return [(row["number"], json.loads(row["told"])) for row in self._store.rows(query, id_, after)]

    def _enter(self, id_: str, told: dict[str, Any]) -> None:
        self._store.change(
            "INSERT INTO job_events SELECT ?1, coalesce(max(number), 0) + 1, ?2 FROM job_events WHERE job = ?1",
            id_, json.dumps(told),
        )  # fmt: skip


def _body(row: sqlite3.Row) -> JobBody:
    return JobBody(
        id=row["id"],
        status=row["status"],
        created_at=row["created_s"],
        ended_at=row["ended_s"],
        asked=QuestionBody.model_validate_json(row["asked"]),
        run_id=row["run_id"],
        answer=row["answer"] and json.loads(row["answer"]),
        error=row["error"] and json.loads(row["error"]),
    )
