"""Background jobs: questions that are answered without a waiting client, and resume after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from vidagent import api
from vidagent.errors import UsageError
from vidagent.serve.core.caller import Client
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.errors import ApiError, error_body, log_error
from vidagent.serve.core.question_service import EventBody, QuestionService
from vidagent.serve.core.schemas import JobBody, QuestionBody
from vidagent.serve.core.storage.job_records import JobRecords

_MAX_STARTS = 3
"""Starts of a job before it is blamed for crashing the server."""
_RETRY_S = "10"


@dataclass
class Jobs:
    """The jobs of a server, at most `max_unfinished` queued and running ones per client.

    Methods raise `ApiError` for a job that the client does not have.
    """

    records: JobRecords
    service: QuestionService
    concurrency: ConcurrencyLimits
    max_unfinished: int
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _changes: dict[str, asyncio.Event] = field(default_factory=dict)
    _progress: dict[str, EventBody] = field(default_factory=dict)
    """The last event of each job, where that is a `progress`: it is passed on, and not stored."""

    def resume(self) -> None:
        """Resume the unfinished jobs of an earlier process."""
        for owner, id_ in self.records.open():
            self._start(Client(owner, frozenset()), id_)

    async def stop(self) -> None:
        """Stop; unfinished jobs resume after a restart."""
        tasks = dict(self._tasks)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        for id_ in tasks:
            self.records.requeue(id_)

    async def add(self, client: Client, question: QuestionBody) -> JobBody:
        """Accept a job."""
        await self.service.check(client, question)
        if len(self.records.open(client.owner)) >= self.max_unfinished:
            message = f"you have reached the limit of unfinished jobs: {self.max_unfinished}"
            raise ApiError(429, "too_many", message, {"Retry-After": _RETRY_S})
        id_ = self.records.add(client.owner, question)
        self._start(client, id_)
        return self.get(client, id_)

    def get(self, client: Client, id_: str) -> JobBody:
        """Return a job."""
        return self.records.get(client.owner, id_)

    def newest(self, client: Client, limit: int) -> list[JobBody]:
        """Return a client's jobs, the newest first."""
        return self.records.newest(client.owner, limit)

    def cancel(self, client: Client, id_: str) -> JobBody:
        """Cancel a job, unless it has ended."""
        self.get(client, id_)
        if self.records.end(id_, "cancelled"):
            self._notify(id_)
            if id_ in self._tasks:
                self._tasks[id_].cancel()
        return self.get(client, id_)

    async def cancel_all(self, client: Client, ids: Sequence[str]) -> None:
        """Cancel jobs, and return once their runs have ended."""
        running = [self._tasks[id_] for id_ in ids if id_ in self._tasks]
        for id_ in ids:
            self.cancel(client, id_)
        await asyncio.gather(*running, return_exceptions=True)

    async def events(
        self, client: Client, id_: str, after: int
    ) -> AsyncGenerator[tuple[int | None, EventBody]]:
        """Yield a job's events after a number, as they come, until it has ended; those of `progress` have no number."""
        told: EventBody | None = None
        while True:
            ended = self.get(client, id_).ended_at is not None
            for number, event in self.records.events(id_, after):
                yield number, event
                after = number
            if ended:
                return
            progress = self._progress.get(id_)
            if progress is not told:
                told = progress
                if progress is not None:
                    yield None, progress
            elif not self.records.events(id_, after):
                await self._changes.setdefault(id_, asyncio.Event()).wait()

    def _start(self, client: Client, id_: str) -> None:
        task = asyncio.create_task(self._run(client, id_))
        self._tasks[id_] = task
        task.add_done_callback(lambda _: self._tasks.pop(id_, None))

    async def _run(self, client: Client, id_: str) -> None:
        async with self.concurrency.wait_for_slot(client):
            starts = self.records.start(id_)
            if starts is None:
                return
            try:
                if starts >= _MAX_STARTS:
                    raise ApiError(500, "gave_up", f"the server ended {starts} times during this job")
                job = self.get(client, id_)
                answer = await self.service.answer(
                    client, job.asked, resume=_resumable(job.run_id), on_event=self._event_recorder(id_)
                )
            except Exception as error:  # noqa: BLE001 - the serving edge
                self.records.end(id_, "failed", error=error_body(log_error(error, id_), id_)["error"])
            else:
                self.records.end(id_, "succeeded", answer=answer)
            finally:
                self._progress.pop(id_, None)
            self._notify(id_)

    def _event_recorder(self, id_: str) -> Callable[[EventBody], None]:
        def record(event: EventBody) -> None:
            match event["kind"]:
                case "answer":  # the job's end
                    return
                case "progress":
                    self._progress[id_] = event
                case _:
                    self._progress.pop(id_, None)
                    self.records.add_event(id_, event)
            self._notify(id_)

        return record

    def _notify(self, id_: str) -> None:
        """Wake the readers of a job's events."""
        change = self._changes.pop(id_, None)
        if change is not None:
            change.set()


def _resumable(run_id: str | None) -> str | None:
    """Return the run that a job can resume, if it reached its first step."""
    try:
        return run_id and api.find_run(run_id).run_id
    except UsageError:
        return None
