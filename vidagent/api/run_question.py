"""One question about one opened video: answered by the graph, recorded, and exported."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from vidagent.agents.client.client import ModelClient
from vidagent.agents.probes.first_contact import meet
from vidagent.agents.server.model_choice import describe
from vidagent.api.assemble import cache_folder, make_run, open_graph
from vidagent.graphs.answer import final_answer
from vidagent.graphs.events import Listener
from vidagent.graphs.state import Run, State
from vidagent.reports.export.export import write_exports
from vidagent.reports.export.export_request import ExportRequest
from vidagent.runs.folder import RunFolder, new_run_folder
from vidagent.runs.recorder import Recorder, record_run
from vidagent.runs.request import Request
from vidagent.runs.resume import check_resumed, saved_state, start
from vidagent.runs.session_turn import SessionTurn, session_turn
from vidagent.types import Answer, Budget, StepUsage
from vidagent.video.video import Video


class FinishedRun(NamedTuple):
    """A run that ended: its recorded answer, its last state, and what it worked with."""

    answer: Answer
    state: State
    run: Run


@dataclass(frozen=True, slots=True)
class QuestionRun:
    """A question that is being answered.

    Args:
        video: The opened video.
        client: The model.
        request: What is asked.
        folder: Where the run is recorded; the folder of an earlier run resumes it.
        began: `time.monotonic` at which the question was asked.
        on_event: Called with each event.
        stream: Whether events include the model's words as it writes them.
        turn: The question's place in a session.
    """

    video: Video
    client: ModelClient
    request: Request
    folder: RunFolder
    began: float
    on_event: Listener | None = None
    stream: bool = False
    turn: SessionTurn | None = None

    async def answer(self, exports: ExportRequest) -> Answer:
        """Answer the question and write the exports.

        Raises:
            VideoError: If the video cannot be decoded.
            ModelError: If the model is unreachable, refuses, or its replies cannot be used.
            UsageError: If the earlier run was about something else, or a file cannot be written.
        """
        finished = await self.finish()
        answer, run = finished.answer, finished.run
        if exports:
            answer = await asyncio.to_thread(write_exports, exports, *finished)
        run.tell("answer", answer.answer, status=answer.status, answer=answer.to_dict())
        return answer

    async def finish(self) -> FinishedRun:
        """Answer the question and record the answer; errors as in `answer`."""
        answered_before = self.folder.read("answer") is not None
        with record_run(self.folder, self.request) as recorder:
            state, run = await self._run_graph(recorder)
            answer = final_answer(state, run, run_id=self.folder.run_id, frame_path=run.store.path)
            await asyncio.to_thread(answer.video.wait)
            recorder.end(answer)
            if self.turn is not None:
                note = await asyncio.to_thread(
                    self.turn.save, self.folder, self.request, state, answer, answered_before=answered_before
                )
                if note is not None:
                    run.tell("note", note)
        return FinishedRun(answer, state, run)

    async def _run_graph(self, recorder: Recorder) -> tuple[State, Run]:
        """Run the graph to its end; return its last state, and the run."""
        opening = await self._meet_server()
        client = recorder.client(self.client)
        async with open_graph(self.folder, client.profile.look_concurrency, recorder.trace) as (
            graph,
            thread,
        ):
            earlier = await saved_state(graph, thread)
            if asked := earlier or recorder.asked():
                check_resumed(asked, self.request, self.video.info, self.folder.run_id)
            run = self._make_run(client, recorder, earlier)
            run.meter.count(opening)
            recorder.begin(run, opening)
            run.tell("model", describe(client), model=client.name, run_id=self.folder.run_id)
            session = await self._session_state(run)
            first = await start(graph, thread, self.request, run, earlier, session, opening)
            await graph.ainvoke(first, thread, context=run, durability="sync")
            return await saved_state(graph, thread), run

    async def _meet_server(self) -> list[dict[str, Any]]:
        """Ask a server that is new what it can do, and return what it cost.

        It is not asked if the settings forbid it or name a profile, nor for a question with a budget.
        """
        settings = self.request.settings
        if not settings.probe_server or settings.profile or self.request.limits(State()) != Budget():
            return []
        began = time.monotonic()
        usage = await meet(self.client)
        if not usage.requests:
            return []
        fields = {name: value for name, value in dataclasses.asdict(usage).items() if name != "requests"}
        seconds = time.monotonic() - began
        fields |= {"seconds": seconds, "model_calls": usage.requests}
        return [dataclasses.asdict(StepUsage("survey", **fields))]

    async def _session_state(self, run: Run) -> State | None:
        """Return the part of the first state that comes from earlier questions of the session."""
        if self.turn is None:
            return None
        context = run.client.profile.context_tokens
        state, note = await asyncio.to_thread(self.turn.start, self.folder, context)
        if note is not None:
            run.tell("note", note, "survey")
        return state

    def _make_run(self, client: ModelClient, recorder: Recorder, earlier: State) -> Run:
        run = make_run(
            client,
            self.video,
            self.request,
            self.folder,
            self.request.limits(earlier),
            recorder.listener(self.on_event),
            stream=self.stream and self.on_event is not None,
        )
        run.meter.resume(earlier, self.began)
        return run


async def ask_opened(
    video: Video,
    client: ModelClient,
    request: Request,
    *,
    session: str | None = None,
    on_event: Listener | None = None,
) -> Answer:
    """Answer a question about an opened video, as `aanalyze_video` does.

    Args:
        video: The video; several questions at once need a view each.
        client: The model, which may answer other questions meanwhile.
        request: What is asked.
        session: The session it is asked in.
        on_event: Called with each event of the run.

    Raises:
        VideoError: If the video cannot be decoded.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
        UsageError: If the session cannot be used.
    """
    began, cache = time.monotonic(), cache_folder(request.settings)
    with session_turn(cache, session) as turn:
        if turn is not None:
            turn.check_video(video.info)
        folder = new_run_folder(cache)
        run = QuestionRun(video, client, request, folder, began, on_event, turn=turn)
        return await run.answer(ExportRequest())
