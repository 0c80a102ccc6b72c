"""One question about several videos: a run for each, under one budget, and an answer about all."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from langchain_core.runnables import RunnableConfig

from vidagent.agents.client.client import ModelClient
from vidagent.agents.prompting.video_findings import names_of
from vidagent.agents.server.model_choice import choose, describe
from vidagent.api.assemble import cache_of, graph_of, opened
from vidagent.api.run_question import Course, Ended
from vidagent.errors import UsageError
from vidagent.graphs.budget import Meter
from vidagent.graphs.events import Event, Listener
from vidagent.graphs.multi_video.answer import gathered
from vidagent.graphs.multi_video.graph import (
    Earlier,
    Group,
    GroupGraph,
    GroupState,
    build,
    counted,
    first_state,
    reopened,
)
from vidagent.reports.export.export import take_away
from vidagent.reports.export.export_request import Order
from vidagent.reports.multi_video import finish
from vidagent.runs.folder import Record, new_record, old_record
from vidagent.runs.recorder import Recording, Saver, Trace, recording
from vidagent.runs.request import Brief
from vidagent.runs.resume import kept_state, limits
from vidagent.types import Answer, Budget, Question, VideoInfo

MOST = 16
"""Most videos of one question."""

StrPath = str | Path


def paths_of(path: StrPath | Sequence[StrPath]) -> list[StrPath]:
    """Return the videos of a question.

    Raises:
        UsageError: If there are none, too many, or one is given twice.
    """
    if isinstance(path, str | os.PathLike):
        return [path]
    paths = list(path)
    if not 1 <= len(paths) <= MOST:
        raise UsageError(f"a question is about 1 to {MOST} videos, got {len(paths)}")
    resolved = [os.path.realpath(one) for one in paths]
    for number, one in enumerate(paths):
        if resolved[number] in resolved[:number]:
            raise UsageError(f"{os.fspath(one)!r} is given twice; give each video once")
    return paths


async def ask_several(
    paths: Sequence[StrPath],
    brief: Brief,
    orders: tuple[Order, Sequence[Order]],
    resume: str | None,
    began: float,
    on_event: Listener | None,
    *,
    stream: bool,
) -> Answer:
    """Answer a question about several videos; `orders` are what is to be taken away of all, and of each.

    Raises:
        VideoError: If a video is missing, unreadable or unsupported; all are opened before anything is asked.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
        UsageError: If the earlier run was about something else, or a file cannot be written.
    """
    cache = cache_of(brief.settings)
    earlier = None if resume is None else old_record(cache, resume)
    infos = await _probed(paths, brief)
    client = await asyncio.to_thread(choose, brief.settings)
    record = earlier or new_record(cache)
    whole, each = orders
    course = Several(paths, infos, client, brief, record, resume is not None, began, each, on_event, stream)
    return await course.follow(whole)


async def _probed(paths: Sequence[StrPath], brief: Brief) -> list[VideoInfo]:
    """Open each video once, one after the other, before anything is asked.

    Raises:
        VideoError: If one cannot be read.
    """
    infos = []
    for path in paths:
        async with opened(path, brief.settings) as video:
            infos.append(video.info)
    return infos


@asynccontextmanager
async def group_graph(
    record: Record, trace: Trace | None = None
) -> AsyncIterator[tuple[GroupGraph, RunnableConfig]]:
    """Open the checkpoints of a run about several videos."""
    async with Saver.from_conn_string(str(record.checkpoint)) as saver:
        if isinstance(saver, Saver):
            saver.trace = trace
        yield build(saver), {"configurable": {"thread_id": record.run_id}, "recursion_limit": 10 * MOST}


@dataclass
class Several:
    """A question about several videos on its way; it is also how the graph has one of them asked.

    Args:
        paths: The videos.
        infos: What their containers say.
        client: The model.
        brief: What is asked.
        record: Where the run is kept.
        resumed: Whether it is an earlier run, to be gone on with.
        began: `time.monotonic` at which the question was asked.
        orders: What is to be taken away of each.
        on_event: Takes the events, where anybody listens.
        stream: Whether they tell the model's words as they come.
    """

    paths: Sequence[StrPath]
    infos: Sequence[VideoInfo]
    client: ModelClient
    brief: Brief
    record: Record
    resumed: bool
    began: float
    orders: Sequence[Order]
    on_event: Listener | None = None
    stream: bool = False
    _delivered: dict[int, Answer] = field(default_factory=dict)

    async def follow(self, whole: Order) -> Answer:
        """Answer the question, and write what was ordered.

        Args:
            whole: What is to be taken away of the answer about all.

        Raises:
            VideoError: If a video cannot be decoded.
            ModelError: If the model is unreachable, refuses, or its replies cannot be used.
            UsageError: If the earlier run was about something else, or a file cannot be written.
        """
        with recording(self.record, self.brief) as kept:
            final, group = await self._walk(kept)
            answer = gathered(
                final,
                self.infos,
                model=self.client.name,
                run_id=self.record.run_id,
                budget=group.meter.budget,
            )
            kept.end(answer)
        if whole or any(self.orders):
            await self._take_away_of_others(final)
        answer = finish(self.brief.question, answer, self._delivered, whole, group.tell)
        if group.stream:
            group.tell("token", answer.answer, "compose")
        group.tell("answer", answer.answer, status=answer.status, answer=answer.to_dict())
        return answer

    async def earlier(self, number: int) -> Earlier:
        """Return what the run about one video did before it was stopped."""
        record = self.record.part(number)
        if not record.checkpoint.is_file():
            return Earlier()
        async with graph_of(record, 1) as (graph, thread):
            state = await kept_state(graph, thread)
        return Earlier(state.get("spent", []), state.get("elapsed_s", 0.0))

    async def ask(self, number: int, question: str, budget: Budget) -> dict[str, Any]:
        """Ask one video, apart from the graph that goes on here."""
        work = self._one(number, question, budget)
        answer = await asyncio.create_task(work, context=contextvars.Context())
        return answer.to_dict()

    async def _walk(self, kept: Recording) -> tuple[GroupState, Group]:
        client = kept.client(self.client)
        async with group_graph(self.record, kept.trace) as (graph, thread):
            earlier = cast("GroupState", (await graph.aget_state(thread)).values)
            if self.resumed:
                _check_resumed(earlier, self.brief.question, self.infos, self.record.run_id)
            group = self._group(client, kept, earlier)
            kept.ask(client, group.meter.budget, self.infos, stream=group.stream)
            group.tell("model", describe(client), model=client.name, run_id=self.record.run_id)
            given = await self._start(graph, thread, group.meter.budget, earlier)
            counted(group.meter, cast("GroupState", (await graph.aget_state(thread)).values), self.began)
            await graph.ainvoke(given, thread, context=group, durability="sync")
            return cast("GroupState", (await graph.aget_state(thread)).values), group

    def _group(self, client: ModelClient, kept: Recording, earlier: GroupState) -> Group:
        allowed = limits(self.brief.budget, self.brief.settings.budget(), cast("Any", earlier))
        meter = Meter(allowed, thinking=client.profile.thinking.allotted)
        streams = self.stream and self.on_event is not None
        return Group(client, names_of(self.paths), meter, self, kept.hear(self.on_event), streams)

    async def _start(
        self, graph: GroupGraph, thread: RunnableConfig, budget: Budget, earlier: GroupState
    ) -> GroupState | None:
        """Return what to start the graph with: a new state, or None to go on where it stopped."""
        if not earlier:
            question = self.brief.question
            hashes = [info.sha256 for info in self.infos]
            return first_state(question.text, question.options, hashes, budget)
        if (again := reopened(earlier, budget)) is not None:
            update, after = again
            await graph.aupdate_state(thread, update, as_node=after)
        return None

    async def _one(self, number: int, question: str, budget: Budget) -> Answer:
        """Answer the question about one video; keep what was taken away of it."""
        record = self.record.part(number)
        await asyncio.to_thread(record.folder.mkdir, parents=True, exist_ok=True)
        brief = dataclasses.replace(self.brief, question=Question(question), budget=budget)
        name, of = names_of(self.paths)[number - 1], len(self.paths)
        title, which = f"{number} of {of} {name}", {"video": number - 1, "of": of}
        self._tell(Event("video", title, None, which))
        began, resumed = time.monotonic(), record.checkpoint.is_file()
        async with opened(self.paths[number - 1], brief.settings) as video:
            hear = _Ear(self._tell, number - 1)
            course = Course(video, self.client, brief, record, resumed, began, hear, self.stream)
            ended = await course.end()
            self._delivered[number - 1] = await self._take_away(self.orders[number - 1], ended)
        told = {**which, "status": ended.answer.status, "answer": ended.answer.answer}
        self._tell(Event("video", f"{title}: {ended.answer.answer}", None, told))
        return ended.answer

    async def _take_away(self, wanted: Order, ended: Ended) -> Answer:
        if not wanted:
            return ended.answer
        return await asyncio.to_thread(take_away, wanted, ended.answer, ended.state, ended.run)

    async def _take_away_of_others(self, final: GroupState) -> None:
        """Write what was ordered of videos that were done before the run was stopped; no model is asked again."""
        for number in range(1, len(self.paths) + 1):
            told = self.record.part(number).read("run")
            done = str(number) in final["parts"] and number - 1 not in self._delivered
            if done and told is not None:
                await self._one(number, final["single"]["question"], Budget(**told["parts"][-1]["budget"]))

    def _tell(self, event: Event) -> None:
        if self.on_event is not None:
            self.on_event(event)


@dataclass(frozen=True, slots=True)
class _Ear:
    """Hears the run about one video, and passes on what is news to whoever asked about all.

    Args:
        tell: Takes the events.
        video: The index of the video.
    """

    tell: Listener
    video: int

    def __call__(self, event: Event) -> None:
        """Pass on an event; the model, and the answer's words, are told of the whole alone."""
        if event.kind not in {"model", "token", "answer"}:
            self.tell(dataclasses.replace(event, data={**event.data, "video": self.video}))


def _check_resumed(earlier: GroupState, asked: Question, infos: Sequence[VideoInfo], run_id: str) -> None:
    """Refuse to go on with another question, other options or other videos.

    Raises:
        UsageError: If one differs from those of the run.
    """
    if not earlier:
        return
    if "videos" not in earlier:
        raise UsageError(f"run {run_id} was about one video, not {len(infos)}")
    if earlier["question"] != asked.text:
        raise UsageError(f"run {run_id} asked {earlier['question']!r}, not {asked.text!r}")
    if tuple(earlier.get("options") or ()) != (asked.options or ()):
        raise UsageError(f"run {run_id} had other options: {earlier.get('options')!r}")
    if earlier["videos"] != [info.sha256 for info in infos]:
        raise UsageError(f"run {run_id} was about other videos, or in another order")
