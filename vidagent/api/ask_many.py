"""One question about several videos: a run for each under one budget, and a combined answer."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import functools
import os
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from langchain_core.runnables import RunnableConfig

from vidagent.agents.client.client import ModelClient
from vidagent.agents.prompting.video_findings import names_of
from vidagent.agents.server.model_choice import choose, describe
from vidagent.api.assemble import cache_folder, open_checkpoints, open_graph, open_video
from vidagent.api.run_question import QuestionRun
from vidagent.config import Settings
from vidagent.errors import UsageError, VideoError
from vidagent.graphs.budget import Meter
from vidagent.graphs.events import Event, Listener
from vidagent.graphs.multi_video.answer import group_answer
from vidagent.graphs.multi_video.graph import (
    Earlier,
    Group,
    GroupGraph,
    GroupState,
    build,
    first_state,
    reopened,
    restore_meter,
)
from vidagent.private_folder import make_private
from vidagent.reports.export.export import write_exports
from vidagent.reports.export.export_request import ExportRequest
from vidagent.reports.multi_video import write_combined
from vidagent.runs.folder import RunFolder, find_run_folder, new_run_folder
from vidagent.runs.recorder import Recorder, Trace, record_run
from vidagent.runs.request import Request
from vidagent.runs.resume import saved_state
from vidagent.types import Answer, Budget, Question, UnreadVideo, VideoInfo
from vidagent.video.folder import MAX_VIDEOS, FoundPath, expanded

StrPath = str | Path


def paths_of(path: StrPath | Sequence[StrPath]) -> list[StrPath]:
    """Return the videos of a question: those given, and those of folders and patterns.

    Raises:
        UsageError: If there are none, too many, one is given twice, or something is no path.
    """
    given = list(path) if isinstance(path, Iterable) and not isinstance(path, str) else [path]
    for one in given:
        if not isinstance(one, str | os.PathLike):
            raise UsageError(f"a video is a path, or several in a list; got {one!r}")
    paths = expanded(given)
    if not 1 <= len(paths) <= MAX_VIDEOS:
        raise UsageError(f"a question is about 1 to {MAX_VIDEOS} videos, got {len(paths)}")
    resolved = [os.path.realpath(one) for one in paths]
    for number, one in enumerate(paths):
        if resolved[number] in resolved[:number]:
            raise UsageError(f"{os.fspath(one)!r} is given twice; give each video once")
    return paths


@asynccontextmanager
async def open_group_graph(
    folder: RunFolder, trace: Trace | None = None
) -> AsyncIterator[tuple[GroupGraph, RunnableConfig]]:
    """Open the graph of a run about several videos and its checkpoints."""
    async with open_checkpoints(folder, trace) as saver:
        thread = {"thread_id": folder.run_id}
        yield build(saver), {"configurable": thread, "recursion_limit": 10 * MAX_VIDEOS}


async def ask_several(
    paths: Sequence[StrPath],
    request: Request,
    exports: tuple[ExportRequest, Sequence[ExportRequest]],
    resume: str | None,
    began: float,
    on_event: Listener | None,
    *,
    stream: bool,
) -> Answer:
    """Answer a question about several videos; `exports` are those of all of them, and those of each.

    Raises:
        VideoError: If a video that was named is missing, unreadable or unsupported, or all that were found are; all are
            opened before a model is asked.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
        UsageError: If the earlier run was about something else, or a file cannot be written.
    """
    cache = cache_folder(request.settings)
    earlier = None if resume is None else find_run_folder(cache, resume)
    infos, unread = await _opened(paths, request.settings)
    client = await asyncio.to_thread(choose, request.settings)
    folder = earlier or new_run_folder(cache)
    combined, each = exports
    files = [one for number, one in enumerate(each) if number in infos]
    kept = [paths[number] for number in infos]
    opened = list(infos.values())
    run = MultiVideoRun(kept, opened, client, request, folder, began, files, on_event, stream, unread)
    return await run.answer(combined)


async def _opened(
    paths: Sequence[StrPath], settings: Settings
) -> tuple[dict[int, VideoInfo], tuple[UnreadVideo, ...]]:
    """Return what is in the videos, by their places in the list, and which of those that were found cannot be read.

    Raises:
        VideoError: If one that was named cannot be read, or none can.
    """
    infos: dict[int, VideoInfo] = {}
    unread: list[UnreadVideo] = []
    for number, path in enumerate(paths):
        try:
            async with open_video(path, settings) as video:
                infos[number] = video.info
        except VideoError as error:
            if not isinstance(path, FoundPath):
                raise
            unread.append(UnreadVideo(str(path), str(error)))
    if not infos:
        raise VideoError(f"none of the {len(unread)} videos can be read: {unread[0].error}")
    return infos, tuple(unread)


@dataclass
class MultiVideoRun:
    """A question about several videos that is being answered; the graph asks each video through it.

    The fields are those of `QuestionRun`; `infos` and `exports` are those of each video, and `unread` those left out.
    """

    paths: Sequence[StrPath]
    infos: Sequence[VideoInfo]
    client: ModelClient
    request: Request
    folder: RunFolder
    began: float
    exports: Sequence[ExportRequest]
    on_event: Listener | None = None
    stream: bool = False
    unread: Sequence[UnreadVideo] = ()
    _exported: dict[int, Answer] = field(default_factory=dict)

    async def answer(self, exports: ExportRequest) -> Answer:
        """Answer the question and write the exports.

        Args:
            exports: The exports of the combined answer.

        Raises:
            VideoError: If a video cannot be decoded.
            ModelError: If the model is unreachable, refuses, or its replies cannot be used.
            UsageError: If the earlier run was about something else, or a file cannot be written.
        """
        run_id, model = self.folder.run_id, self.client.name
        with record_run(self.folder, self.request) as recorder:
            final, group = await self._run_graph(recorder)
            answer = group_answer(final, self.infos, model=model, run_id=run_id, budget=group.meter.budget)
            answer = dataclasses.replace(answer, unread=tuple(self.unread))
            for info in self.infos:
                await asyncio.to_thread(info.wait)
            recorder.end(answer)
        if exports or any(self.exports):
            await self._export_earlier(final)
        answer = write_combined(self.request.question, answer, self._exported, exports, group.tell)
        if group.stream:
            group.tell("token", answer.answer, "compose")
        group.tell("answer", answer.answer, status=answer.status, answer=answer.to_dict())
        return answer

    async def earlier(self, number: int) -> Earlier:
        """Return the cost of the run about one video before it was stopped."""
        folder = self.folder.part(number)
        if not folder.checkpoint.is_file():
            return Earlier()
        async with open_graph(folder, 1) as (graph, thread):
            state = await saved_state(graph, thread)
        return Earlier(state.get("spent", []), state.get("elapsed_s", 0.0))

    async def ask(self, number: int, question: str, budget: Budget) -> dict[str, Any]:
        """Ask about one video, in a context apart from the graph that runs here."""
        work = self._ask_one(number, question, budget)
        answer = await asyncio.create_task(work, context=contextvars.Context())
        return answer.to_dict()

    async def _run_graph(self, recorder: Recorder) -> tuple[GroupState, Group]:
        client = recorder.client(self.client)
        async with open_group_graph(self.folder, recorder.trace) as (graph, thread):
            earlier = await _state(graph, thread)
            if earlier:
                self._check_resumed(earlier)
            group = self._group(client, recorder, earlier)
            budget = group.meter.budget
            recorder.write_request(client, budget, self.infos, stream=group.stream)
            group.tell("model", describe(client), model=client.name, run_id=self.folder.run_id)
            for one in self.unread:
                group.tell("note", f"left out {one.error}")
            first = await self._start(graph, thread, budget, earlier)
            restore_meter(group.meter, await _state(graph, thread), self.began)
            await graph.ainvoke(first, thread, context=group, durability="sync")
            return await _state(graph, thread), group

    def _group(self, client: ModelClient, recorder: Recorder, earlier: GroupState) -> Group:
        meter = Meter(self.request.limits(earlier), thinking=client.profile.thinking.allotted)
        listener, streams = recorder.listener(self.on_event), self.stream and self.on_event is not None
        return Group(client, names_of(self.paths), meter, self, emit=listener, stream=streams)

    def _check_resumed(self, earlier: GroupState) -> None:
        """Refuse to resume a run about another question, other options or other videos.

        Raises:
            UsageError: If one differs from those of the run.
        """
        run_id = self.folder.run_id
        if "videos" not in earlier:
            raise UsageError(f"run {run_id} was about one video, not {len(self.infos)}")
        self.request.check_resumed(earlier, run_id)
        if earlier["videos"] != [info.fingerprint for info in self.infos]:
            raise UsageError(f"run {run_id} was about other videos, or in another order")

    async def _start(
        self, graph: GroupGraph, thread: RunnableConfig, budget: Budget, earlier: GroupState
    ) -> GroupState | None:
        """Return the input that starts the graph: a new state, or None to continue from the checkpoint."""
        if not earlier:
            question = self.request.question
            fingerprints = [info.fingerprint for info in self.infos]
            return first_state(question.text, question.options, fingerprints, budget)
        if (changes := reopened(earlier, budget)) is not None:
            update, after = changes
            await graph.aupdate_state(thread, update, as_node=after)
        return None

    async def _ask_one(self, number: int, question: str, budget: Budget) -> Answer:
        """Answer the question about one video and write its exports."""
        folder, index = self.folder.part(number), number - 1
        await asyncio.to_thread(make_private, folder.path)
        request = dataclasses.replace(self.request, question=Question(question), budget=budget)
        of = len(self.paths)
        title, which = f"{number} of {of} {names_of(self.paths)[index]}", {"video": index, "of": of}
        self._emit(Event("video", title, None, which))
        began = time.monotonic()
        async with open_video(self.paths[index], request.settings) as video:
            forward = functools.partial(self._forward, index)
            run = QuestionRun(video, self.client, request, folder, began, forward, self.stream)
            finished = await run.finish()
            answer = finished.answer
            if self.exports[index]:
                self._exported[index] = await asyncio.to_thread(write_exports, self.exports[index], *finished)
            else:
                self._exported[index] = answer
        outcome = {**which, "status": answer.status, "answer": answer.answer}
        self._emit(Event("video", f"{title}: {answer.answer}", None, outcome))
        return answer

    async def _export_earlier(self, final: GroupState) -> None:
        """Write the exports of videos that were done before the run was stopped; no model is asked again."""
        for number in range(1, len(self.paths) + 1):
            run = self.folder.part(number).read("run")
            if str(number) in final["parts"] and number - 1 not in self._exported and run is not None:
                budget = Budget(**run["parts"][-1]["budget"])
                await self._ask_one(number, final["single"]["question"], budget)

    def _emit(self, event: Event) -> None:
        if self.on_event is not None:
            self.on_event(event)

    def _forward(self, index: int, event: Event) -> None:
        """Forward an event of the run about one video; the model and the answer's words are sent once, for all."""
        if event.kind not in {"model", "token", "answer"}:
            self._emit(dataclasses.replace(event, data={**event.data, "video": index}))


async def _state(graph: GroupGraph, thread: RunnableConfig) -> GroupState:
    return cast("GroupState", (await graph.aget_state(thread)).values)
