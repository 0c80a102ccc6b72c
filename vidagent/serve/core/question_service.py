"""Answers the questions of all routes: locates the video, caps the budget and runs the agent in the worker process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from vidagent import config, tracing
from vidagent.graphs.events import Event
from vidagent.serve.core.advice import Door, in_words_of
from vidagent.serve.core.agent_models import AgentModels
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError, without_addresses, without_paths
from vidagent.serve.core.http.metrics import Metrics
from vidagent.serve.core.schemas import Limits, QuestionBody
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.core.video_locator import VideoLocator
from vidagent.serve.core.worker.client import WorkerClient
from vidagent.serve.core.worker.protocol import RunRequest
from vidagent.types import Budget, BudgetName

Names = Mapping[str, str]
"""The names that a client gave to videos, by their paths on the server."""
EventBody = dict[str, Any]
"""An event as JSON values: `kind`, `text`, `step` and `data`."""

_GRACE_S = 30.0
"""Time a run gets beyond its budget of seconds to report what it found."""


@dataclass
class QuestionService:
    """Answers questions of clients, each within `deadline_s`."""

    locator: VideoLocator
    metrics: Metrics
    deadline_s: float
    runs: RunRecords
    models: AgentModels
    _worker: WorkerClient = field(default_factory=WorkerClient)

    async def answer(
        self,
        client: Client,
        question: QuestionBody,
        *,
        resume: str | None = None,
        on_event: Callable[[EventBody], None] | None = None,
    ) -> dict[str, Any]:
        """Return the answer to a question as JSON values.

        Raises:
            ApiError: If the client may not ask this, or the run does not end in time.
            VidagentError: If the run fails.
        """
        try:
            async with asyncio.timeout(self.deadline_s + _GRACE_S):
                answer = await self._run(client, question, resume, on_event or (lambda _: None), stream=False)
        except TimeoutError as error:
            raise self._too_late() from error
        self.metrics.answered(answer)
        return answer

    async def events(self, client: Client, question: QuestionBody) -> AsyncGenerator[EventBody]:
        """Yield the events of a run, with text token by token; the last event is the answer. Errors as `answer`."""
        queue: asyncio.Queue[EventBody | None] = asyncio.Queue()
        until_s = time.monotonic() + self.deadline_s + _GRACE_S
        run = asyncio.create_task(self._run(client, question, None, queue.put_nowait, stream=True))
        run.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), until_s - time.monotonic())
                except TimeoutError as error:
                    raise self._too_late() from error
                if event is None:
                    break
                if event["kind"] == "answer":
                    self.metrics.answered(event["data"]["answer"])
                yield event
            await run
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    async def _run(
        self,
        client: Client,
        question: QuestionBody,
        resume: str | None,
        on_event: Callable[[EventBody], None],
        *,
        stream: bool,
    ) -> dict[str, Any]:
        """Run a question in the worker; all its events are reported before this returns."""
        budget = capped_budget(question.budget, self.deadline_s)
        await self.models.check(question.model)
        async with (
            self.locator.open_all(client, question.videos) as paths,
            self.runs.recording(client, question) as recording,
        ):
            names = {str(path): name for path, name in zip(paths, question.videos, strict=True)}

            def report(event: Event) -> None:
                body = event_body(event, names, "rest")
                recording.add(body)
                on_event(body)

            request = RunRequest(
                paths=tuple(paths),
                question=question.question,
                options=None if question.options is None else tuple(question.options),
                summary=question.summary,
                schema=question.schema_,
                budget=budget,
                # Prefixed with the owner, so that no two owners share a session.
                session=None if question.session is None else f"{client.owner}.{question.session}",
                model=question.model,
                resume=resume,
                stream=stream,
                trace=tracing.trace_headers(),
            )
            answer = await self._worker.run(request, report)
            return public_answer(answer.to_dict(), names, "rest")

    async def open(self) -> None:
        """Start the worker process before the first question."""
        await self._worker.open()

    async def close(self) -> None:
        """Stop the worker process."""
        await self._worker.close()

    async def check(self, client: Client, question: QuestionBody) -> None:
        """Raise an `ApiError` at once for a question that could not be answered."""
        for name in question.videos:
            self.locator.check(client, name)
        await self.models.check(question.model)

    def _too_late(self) -> ApiError:
        return ApiError(504, "too_late", f"no answer within {self.deadline_s:g} s")


def capped_budget(limits: Limits | None, deadline_s: float) -> Budget:
    """Return a question's budget: the client's limits, capped by the server's."""
    asked = limits.budget() if limits else Budget()
    caps = config.load().budget().to_dict()
    caps["seconds"] = _smaller(caps["seconds"], deadline_s)
    return Budget(**{name: _smaller(getattr(asked, name), caps[name]) for name in get_args(BudgetName)})


def _smaller(one: float | None, other: float | None) -> Any:  # noqa: ANN401 - int or float, as the budget's fields
    given = [value for value in (one, other) if value is not None]
    return min(given, default=None)


def event_body(event: Event, names: Names, door: Door) -> EventBody:
    """Return an event of a run about these videos without the server's paths and the addresses of its models."""
    text = in_words_of(door, event.text)
    body: EventBody = {"kind": event.kind, "text": text, "step": event.step, "data": event.data}
    if event.kind == "answer":
        answer = public_answer(event.data["answer"], names, door)
        body["data"] = {**event.data, "answer": answer}
    elif event.kind == "model":
        body["text"] = f"model {event.data.get('model')}"
    elif event.kind == "look":
        notes = [without_addresses(without_paths(note, names)) for note in event.data["notes"]]
        body["data"] = {**event.data, "notes": notes}
    elif event.kind in {"note", "video"}:
        body["text"] = without_paths(text, names)
    return body


def public_answer(answer: dict[str, Any], names: Names, door: Door) -> dict[str, Any]:
    """Return an answer about these videos without the server's paths; REST names frames by their routes."""
    routes = f"/v1/runs/{answer['run_id']}/frames"
    evidence = [
        {**item, "frame": f"{routes}/{number}.jpg" if door == "rest" and item["frame"] else None}
        for number, item in enumerate(answer["evidence"])
    ]
    text = in_words_of(door, answer["answer"])
    public = {**answer, "answer": text, "evidence": evidence, "video": _named(answer["video"], names)}
    for name in ("sentences", "fields"):
        if name in answer:
            public[name] = _with_public_frames(answer[name], answer["evidence"], evidence)
    if "videos" in answer:
        public["videos"] = [_named(video, names) for video in answer["videos"]]
    return public


def _with_public_frames(
    items: list[dict[str, Any]], evidence: list[dict[str, Any]], public: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return sentences or values with the names of their frames that the evidence has for clients."""
    names = {item["frame"]: shown["frame"] for item, shown in zip(evidence, public, strict=True)}
    return [{**item, "frame": names.get(item["frame"])} for item in items]


def _named(video: dict[str, Any], names: Names) -> dict[str, Any]:
    return {**video, "path": names[video["path"]]}
