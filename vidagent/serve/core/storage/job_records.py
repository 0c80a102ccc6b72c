"""Database rows of jobs and their events; a job ends exactly once."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from typing import Any

from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import Ending, JobBody, QuestionBody
from vidagent.serve.core.storage.database import Store

_RETENTION_S = 7 * 24 * 3600
_OPEN = "status IN ('queued', 'running')"


class JobRecords:
    """Rows of jobs and their events. Methods raise `ApiError` for a job that the owner does not have."""

    def __init__(self, store: Store) -> None:
        """Delete jobs that ended more than a week ago; their runs are gone too."""
        self._store = store
        old = time.time() - _RETENTION_S
        with store.transaction():
            store.change("DELETE FROM job_events WHERE job IN (SELECT id FROM jobs WHERE ended_s < ?)", old)
            store.change("DELETE FROM jobs WHERE ended_s < ?", old)
            store.change(
                "DELETE FROM titles WHERE (owner, conversation) NOT IN "
                "(SELECT owner, conversation FROM conversation_jobs)"
            )

    def add(self, owner: str, question: QuestionBody) -> str:
        """Insert a queued job and return its id."""
        id_ = f"job-{secrets.token_hex(12)}"
        self._store.change(
            "INSERT INTO jobs (id, owner, asked, status, created_s, starts) VALUES (?, ?, ?, 'queued', ?, 0)",
            id_, owner, question.model_dump_json(), time.time(),
        )  # fmt: skip
        return id_

    def get(self, owner: str, id_: str) -> JobBody:
        """Return a job."""
        row = self._store.row("SELECT * FROM conversation_jobs WHERE owner = ? AND id = ?", owner, id_)
        if row is None:
            raise ApiError(404, "no_such_job", "there is no such job")
        return _body(row)

    def newest(self, owner: str, limit: int) -> list[JobBody]:
        """Return an owner's jobs, newest first."""
        query = "SELECT * FROM conversation_jobs WHERE owner = ? ORDER BY created_s DESC LIMIT ?"
        return [_body(row) for row in self._store.rows(query, owner, limit)]

    def conversation(self, owner: str, id_: str) -> list[JobBody]:
        """Return the jobs of a conversation, oldest first; there is at least one."""
        query = "SELECT * FROM conversation_jobs WHERE owner = ? AND conversation = ? ORDER BY created_s"
        found = [_body(row) for row in self._store.rows(query, owner, id_)]
        if not found:
            raise ApiError(404, "no_such_conversation", "there is no such conversation")
        return found

    def rename(self, owner: str, id_: str, title: str | None) -> None:
        """Name a conversation; None takes its name away."""
        self.conversation(owner, id_)
        with self._store.transaction():
            self._store.change("DELETE FROM titles WHERE owner = ? AND conversation = ?", owner, id_)
            if title is not None:
                self._store.change("INSERT INTO titles VALUES (?, ?, ?)", owner, id_, title)

    def delete_conversation(self, owner: str, id_: str) -> None:
        """Delete the jobs of a conversation, their events and its title."""
        query = "SELECT id FROM conversation_jobs WHERE owner = ? AND conversation = ?"
        with self._store.transaction():
            for row in self._store.rows(query, owner, id_):
                self._store.change("DELETE FROM job_events WHERE job = ?", row["id"])
                self._store.change("DELETE FROM jobs WHERE id = ?", row["id"])
            self._store.change("DELETE FROM titles WHERE owner = ? AND conversation = ?", owner, id_)

    def open(self, owner: str | None = None) -> list[tuple[str, str]]:
        """Return owner and id of the unfinished jobs, oldest first."""
        query = f"SELECT owner, id FROM jobs WHERE {_OPEN} AND owner = coalesce(?, owner) ORDER BY created_s"  # noqa: S608
        return [(row["owner"], row["id"]) for row in self._store.rows(query, owner)]

    def start(self, id_: str) -> int | None:
        """Mark a job as running; return its number of earlier starts, or None if it has ended."""
        with self._store.transaction():
            changed = self._store.change(
                f"UPDATE jobs SET status = 'running', starts = starts + 1 WHERE id = ? AND {_OPEN}",  # noqa: S608
                id_,
            )
            row = self._store.row("SELECT starts FROM jobs WHERE id = ?", id_)
        return int(row["starts"]) - 1 if changed and row else None

    def requeue(self, id_: str) -> None:
        """Requeue a running job; its start is not counted, as it did not crash the server."""
        self._store.change(
            "UPDATE jobs SET status = 'queued', starts = starts - 1 WHERE id = ? AND status = 'running'", id_
        )

    def add_event(self, id_: str, event: dict[str, Any]) -> None:
        """Add an event to an unfinished job, and set the job's run id from it."""
        run_id = event["data"].get("run_id") if event["kind"] == "model" else None
        with self._store.transaction():
            if self._store.change(
                f"UPDATE jobs SET run_id = coalesce(?, run_id) WHERE id = ? AND {_OPEN}",  # noqa: S608
                run_id, id_,
            ):  # fmt: skip
                self._insert_event(id_, event)

    def end(self, id_: str, status: Ending, **outcome: dict[str, Any]) -> bool:
        """End a job, with its `answer` or its `error`; return False if it had ended before."""
        answer, error = (json.dumps(outcome[key]) if key in outcome else None for key in ("answer", "error"))
        with self._store.transaction():
            ended = self._store.change(
                f"UPDATE jobs SET status = ?, ended_s = ?, answer = ?, error = ? WHERE id = ? AND {_OPEN}",  # noqa: S608
                status, time.time(), answer, error, id_,
            )  # fmt: skip
            if ended:
                self._insert_event(id_, {"kind": "ended", "text": status, "step": None, "data": outcome})
        return bool(ended)

    def events(self, id_: str, after: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the events of a job numbered above `after`, each with its number."""
        query = "SELECT number, told FROM job_events WHERE job = ? AND number > ? ORDER BY number"
        return [(row["number"], json.loads(row["told"])) for row in self._store.rows(query, id_, after)]

    def _insert_event(self, id_: str, event: dict[str, Any]) -> None:
        self._store.change(
            "INSERT INTO job_events SELECT ?1, coalesce(max(number), 0) + 1, ?2 FROM job_events WHERE job = ?1",
            id_, json.dumps(event),
        )  # fmt: skip


def _body(row: sqlite3.Row) -> JobBody:
    return JobBody(
        id=row["id"],
        status=row["status"],
        created_at=row["created_s"],
        ended_at=row["ended_s"],
        title=row["title"],
        asked=QuestionBody.model_validate_json(row["asked"]),
        run_id=row["run_id"],
        answer=row["answer"] and json.loads(row["answer"]),
        error=row["error"] and json.loads(row["error"]),
    )
