"""Where every route brings its questions: the video is found, the budget capped, the agent asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, get_args

from vidagent import config, tracing
from vidagent.graphs.events import Event
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError, without_paths
from vidagent.serve.core.http.metrics import Metrics
from vidagent.serve.core.schemas import Limits, QuestionBody
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.core.video_locator import VideoLocator
from vidagent.serve.core.worker.client import WorkerClient
from vidagent.serve.core.worker.protocol import RunRequest
from vidagent.types import Budget, BudgetName

EventBody = dict[str, Any]
"""An event as JSON values: `kind`, `text`, `step` and `data`."""

_GRACE_S = 30.0
"""What a run may take beyond its budget of seconds, to say what it found."""


class QuestionService:
    """Answers questions of clients.

    Args:
        places: Where videos lie.
        metrics: Where answers are counted.
        deadline_s: Most seconds that an answer may take.
        runs: Where it is kept whose run is whose.
    """

    def __init__(self, places: VideoLocator, metrics: Metrics, deadline_s: float, runs: RunRecords) -> None:
        """Keep them."""
        self._runs = runs
        self._places = places
        self._metrics = metrics
        self._deadline_s = deadline_s
        self._workshop = WorkerClient()

    async def answer(
        self,
        client: Client,
        asked: QuestionBody,
        *,
        resume: str | None = None,
        on_event: Callable[[EventBody], None] | None = None,
    ) -> dict[str, Any]:
        """Return the answer to a question, as JSON values.

        Args:
            client: Who asks.
            asked: The question.
            resume: An earlier run of it, to be gone on with.
            on_event: Takes what happens meanwhile.

        Raises:
            ApiError: If the client may not ask this, or the run does not end in time.
            VidagentError: If the run fails.
        """
        try:
            async with asyncio.timeout(self._deadline_s + _GRACE_S):
                told = await self._run(client, asked, resume, on_event or _nobody, stream=False)
        except TimeoutError as late:
            raise self._late() from late
        self._metrics.answered(told)
        return told

    async def events(self, client: Client, asked: QuestionBody) -> AsyncGenerator[EventBody]:
        """Yield what happens while a question is answered, word by word; the last event is the answer.

        Raises:
            ApiError: If the client may not ask this, or the run does not end in time.
            VidagentError: If the run fails.
        """
        heard: asyncio.Queue[EventBody | None] = asyncio.Queue()
        until_s = time.monotonic() + self._deadline_s + _GRACE_S
        run = asyncio.create_task(self._run(client, asked, None, heard.put_nowait, stream=True))
        run.add_done_callback(lambda _: heard.put_nowait(None))
        try:
            while True:
                try:
                    event = await asyncio.wait_for(heard.get(), until_s - time.monotonic())
                except TimeoutError as late:
                    raise self._late() from late
                if event is None:
                    break
                if event["kind"] == "answer":
                    self._metrics.answered(event["data"]["answer"])
                yield event
            await run
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    async def _run(
        self,
        client: Client,
        asked: QuestionBody,
        resume: str | None,
        on_event: Callable[[EventBody], None],
        *,
        stream: bool,
    ) -> EventBody:
        """Have a question answered in the workshop; its events are told here, and all of them before its end."""
        budget = allowed(asked.budget, self._deadline_s)
        async with self._places.found(client, asked.video) as path, self._runs.kept(client, asked) as kept:

            def hear(event: Event) -> None:
                told = _told(event, path, asked.video)
                kept.hear(told)
                on_event(told)

            order = RunRequest(
                path=path,
                question=asked.question,
                options=None if asked.options is None else tuple(asked.options),
                budget=budget,
                session=_session(client, asked),
                resume=resume,
                stream=stream,
                trace=tracing.trace_headers(),
            )
            answer = await self._workshop.run(order, hear)
            return _routed(answer.to_dict(), asked.video)

    async def open(self) -> None:
        """Make ready for the first question."""
        await self._workshop.open()

    async def close(self) -> None:
        """Leave off."""
        await self._workshop.close()

    def check(self, client: Client, asked: QuestionBody) -> None:
        """Refuse a question that could not be answered, before it waits.

        Raises:
            ApiError: If there is no such video for this client.
        """
        self._places.check(client, asked.video)

    def _late(self) -> ApiError:
        return ApiError(504, "too_late", f"no answer within {self._deadline_s:g} s")


def allowed(wanted: Limits | None, deadline_s: float) -> Budget:
    """Return what a question may cost: what its client allows, and no more than the server does."""
    asked = wanted.budget() if wanted else Budget()
    most = config.load().budget().to_dict()
    most["seconds"] = _least(most["seconds"], deadline_s)
    return Budget(**{name: _least(getattr(asked, name), most[name]) for name in get_args(BudgetName)})


def _nobody(told: EventBody) -> None:
    """Hear an event and do nothing."""


def _session(client: Client, asked: QuestionBody) -> str | None:
    """Return the session's name in the agent's words, which no other owner's session can have."""
    return None if asked.session is None else f"{client.owner}.{asked.session}"


def _least(one: float | None, other: float | None) -> Any:  # noqa: ANN401 - as the budget's fields, whole or not
    given = [value for value in (one, other) if value is not None]
    return min(given, default=None)


def event_told(event: Event, path: Path, name: str) -> EventBody:
    """Return an event without what the server keeps to itself: where files lie, and where its model is."""
    told: EventBody = {"kind": event.kind, "text": event.text, "step": event.step, "data": event.data}
    if event.kind == "answer":
        told["data"] = {**event.data, "answer": named(event.data["answer"], name)}
    elif event.kind == "model":
        told["text"] = f"model {event.data.get('model')}"
    elif event.kind == "note":
        told["text"] = without_paths(event.text.replace(str(path), name))
    return told


def named(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """Name the video as the client did, and no file of the server's."""
    evidence = [{**item, "frame": None} for item in answer["evidence"]]
    return {**answer, "evidence": evidence, "video": {**answer["video"], "path": name}}


def _routed(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """Name the frames by their routes, too."""
    frames = f"/v1/runs/{answer['run_id']}/frames"
    told = named(answer, name)
    for number, item in enumerate(answer["evidence"]):
        told["evidence"][number]["frame"] = item["frame"] and f"{frames}/{number}.jpg"
    return told


def _told(event: Event, path: Path, name: str) -> EventBody:
    """Return an event as clients of the routes are told it."""
    told = event_told(event, path, name)
    if event.kind == "answer":
        told["data"]["answer"] = _routed(event.data["answer"], name)
    return told
