"""The course of one question about one opened video: recorded, answered, and what was ordered written."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from vidagent.agents.client.client import ModelClient
from vidagent.agents.server.model_choice import describe
from vidagent.api.assemble import graph_of, run_of
from vidagent.graphs.answer import close
from vidagent.graphs.events import Listener
from vidagent.graphs.state import Run, State
from vidagent.reports.export.export import take_away
from vidagent.reports.export.export_request import Order
from vidagent.runs.folder import Record
from vidagent.runs.recorder import Recording, recording
from vidagent.runs.request import Brief
from vidagent.runs.resume import check_resumed, kept_state, limits, start
from vidagent.runs.session_turn import Conversation
from vidagent.types import Answer
from vidagent.video.video import Video


@dataclass(frozen=True, slots=True)
class Ended:
    """A run at its end.

    Args:
        answer: Its answer, as it is recorded.
        state: Its last state.
        run: What it worked with.
    """

    answer: Answer
    state: State
    run: Run


@dataclass(frozen=True, slots=True)
class Course:
    """A question on its way.

    Args:
        video: The opened video.
        client: The model.
        brief: What is asked.
        record: Where the run is kept.
        resumed: Whether it is an earlier run, to be gone on with.
        began: `time.monotonic` at which the question was asked.
        on_event: Takes the events, where anybody listens.
        stream: Whether they tell the model's words as they come.
        talk: The session that it is asked in, if any.
    """

    video: Video
    client: ModelClient
    brief: Brief
    record: Record
    resumed: bool
    began: float
    on_event: Listener | None = None
    stream: bool = False
    talk: Conversation | None = None

    async def follow(self, wanted: Order) -> Answer:
        """Answer the question, and write what was ordered.

        Raises:
            VideoError: If the video cannot be decoded.
            ModelError: If the model is unreachable, refuses, or its replies cannot be used.
            UsageError: If the earlier run was about something else, or a file cannot be written.
        """
        ended = await self.end()
        answer, run = ended.answer, ended.run
        if wanted:
            answer = await asyncio.to_thread(take_away, wanted, answer, ended.state, run)
        run.tell("answer", answer.answer, status=answer.status, answer=answer.to_dict())
        return answer

    async def end(self) -> Ended:
        """Answer the question and keep the answer; errors as in `follow`."""
        told = self.record.read("answer") is not None
        with recording(self.record, self.brief) as kept:
            final, run = await self._walk(kept)
            answer = close(final, run, run_id=self.record.run_id, frame_path=run.store.path)
            kept.end(answer)
            if self.talk is not None:
                await asyncio.to_thread(self._enter, self.talk, final, run, answer, told)
        return Ended(answer, final, run)

    async def _walk(self, kept: Recording) -> tuple[State, Run]:
        """Take the graph to its end; return its last state, and the run."""
        client = kept.client(self.client)
        async with graph_of(self.record, client.profile.look_concurrency, kept.trace) as (graph, thread):
            earlier = await kept_state(graph, thread)
            if self.resumed and (asked := earlier or kept.asked()):
                check_resumed(asked, self.brief.question, self.video.info, self.record.run_id)
            run = self._run(client, kept, earlier)
            kept.begin(run)
            run.tell("model", describe(client), model=client.name, run_id=self.record.run_id)
            given = await start(graph, thread, self.brief.question, run, earlier, await self._before(run))
            await graph.ainvoke(given, thread, context=run, durability="sync")
            return await kept_state(graph, thread), run

    async def _before(self, run: Run) -> State:
        """Return the part of the first state that earlier questions of the session make."""
        if self.talk is None:
            return State()
        context = run.client.profile.context_tokens
        begins = await asyncio.to_thread(self.talk.start, self.record, context)
        if begins.note is not None:
            run.tell("note", begins.note, "survey")
        return begins.state

    def _enter(self, talk: Conversation, final: State, run: Run, answer: Answer, told: bool) -> None:
        note = talk.enter(self.record, self.brief, final, answer, told=told)
        if note is not None:
            run.tell("note", note)

    def _run(self, client: ModelClient, kept: Recording, earlier: State) -> Run:
        allowed = limits(self.brief.budget, self.brief.settings.budget(), earlier)
        streams = self.stream and self.on_event is not None
        hear = kept.hear(self.on_event)
        run = run_of(client, self.video, self.brief, self.record, allowed, hear, stream=streams)
        run.meter.resume(earlier.get("spent", []), earlier.get("elapsed_s", 0.0), self.began)
        return run
