"""Jobs: questions that are answered whether their client stays or not, and through restarts of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from vidagent import api
from vidagent.errors import UsageError
from vidagent.serve.core.caller import Client
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.errors import ApiError, error_body, log_error
from vidagent.serve.core.question_service import EventBody, QuestionService
from vidagent.serve.core.schemas import JobBody, QuestionBody
from vidagent.serve.core.storage.job_records import JobRecords

_MOST_STARTS = 3
"""How often a job is started before it is held to be what ends the server."""
_RETRY_S = "10"


class Jobs:
    """The jobs of a server.

    Args:
        records: Where they are kept.
        desk: Where they are answered.
        lanes: How many are at once.
        most: How many of one client may wait or run.
    """

    def __init__(
        self, records: JobRecords, desk: QuestionService, lanes: ConcurrencyLimits, most: int
    ) -> None:
        """Keep them; `resume` starts what has not ended."""
        self._records, self._desk, self._lanes, self._most = records, desk, lanes, most
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news: dict[str, asyncio.Event] = {}

    def resume(self) -> None:
        """Go on with the jobs that an earlier process had accepted and not ended."""
        for owner, id_ in self._records.open():
            self._begin(Client(owner, frozenset()), id_)

    async def stop(self) -> None:
        """Leave off; what has not ended goes on with the next process."""
        tasks = dict(self._tasks)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        for id_ in tasks:
            self._records.put_back(id_)

    async def add(self, client: Client, asked: QuestionBody) -> JobBody:
        """Accept a job.

        Raises:
            ApiError: If the video is not there, or too many jobs of this client have not ended.
        """
        if len(self._records.open(client.owner)) >= self._most:
            told = f"you have {self._most} jobs that have not ended, which is the most"
            raise ApiError(429, "too_many", told, {"Retry-After": _RETRY_S})
        self._desk.check(client, asked)
        id_ = self._records.add(client.owner, asked)
        self._begin(client, id_)
        return self.get(client, id_)

    def get(self, client: Client, id_: str) -> JobBody:
        """Return a job.

        Raises:
            ApiError: If there is none of that id, or it is somebody else's.
        """
        return self._records.get(client.owner, id_)

    def newest(self, client: Client, limit: int) -> list[JobBody]:
        """Return a client's jobs, the newest first."""
        return self._records.newest(client.owner, limit)

    def cancel(self, client: Client, id_: str) -> JobBody:
        """End a job; one that has ended stays as it is.

        Raises:
            ApiError: If there is none of that id, or it is somebody else's.
        """
        self.get(client, id_)
        if self._records.end(id_, "cancelled"):
            self._tell(id_)
            if id_ in self._tasks:
                self._tasks[id_].cancel()
        return self.get(client, id_)

    async def events(self, client: Client, id_: str, after: int) -> AsyncGenerator[tuple[int, EventBody]]:
        """Yield the events of a job behind the one of that number, and go on until it has ended."""
        while True:
            ended = self.get(client, id_).ended_at is not None
            for number, told in self._records.events(id_, after):
                yield number, told
                after = number
            if ended:
                return
            if not self._records.events(id_, after):
                await self._news.setdefault(id_, asyncio.Event()).wait()

    def _begin(self, client: Client, id_: str) -> None:
        task = asyncio.create_task(self._run(client, id_))
        self._tasks[id_] = task
        task.add_done_callback(lambda _: self._tasks.pop(id_, None))

    async def _run(self, client: Client, id_: str) -> None:
        async with self._lanes.waited_for(client):
            starts = self._records.start(id_)
            if starts is None:
                return
            try:
                if starts >= _MOST_STARTS:
                    raise ApiError(500, "gave_up", f"the server ended {starts} times while it was at this")
                job = self.get(client, id_)
                answer = await self._desk.answer(
                    client, job.asked, resume=_resumable(job.run_id), on_event=self._hearing(id_)
                )
            except Exception as error:  # noqa: BLE001 - the serving edge
                self._records.end(id_, "failed", error=error_body(log_error(error, id_), id_)["error"])
            else:
                self._records.end(id_, "succeeded", answer=answer)
            self._tell(id_)

    def _hearing(self, id_: str) -> Callable[[EventBody], None]:
        def hear(told: EventBody) -> None:
            if told["kind"] not in {
                "progress",
                "answer",
            }:  # the one is of the moment, the other the job's end
                self._records.note(id_, told)
                self._tell(id_)

        return hear

    def _tell(self, id_: str) -> None:
        """Wake those who wait for news of a job."""
        news = self._news.pop(id_, None)
        if news is not None:
            news.set()


def _resumable(run_id: str | None) -> str | None:
    """Return the run that a job can go on with, if it came to its first step."""
    try:
        return run_id and api.find_run(run_id).run_id
    except UsageError:
        return None
