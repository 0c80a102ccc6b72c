"""Report data of a finished run, collected from its state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from langchain_core.messages import ToolMessage

from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.nodes.survey import OVERVIEW
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Call, Run, State
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore
from vidagent.types import Answer, Box, Question, StepUsage, Verdict, VideoInfo
from vidagent.video.index.transcript import Transcript
from vidagent.video.video import Video

_BINS = 240
"""Points of the activity curve; more cannot be told apart on a page."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim and how its check ended; `still` is the frame it was checked on, `box_px` where it shows the claim."""

    claim: str
    verdict: Verdict
    why: str
    confidence: float
    time_s: float
    still: ShownFrame | None
    box_px: Box | None


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the run: its cost, and for a look the tool call and what it showed, if it could be done.

    A planning step has the calls it `asked` for; a verification the claims it `refused`, each with the reason.
    """

    usage: StepUsage
    call: Call | None = None
    entry: Entry | None = None
    asked: tuple[Call, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """A finished run.

    Args:
        question: The question; a follow-up as it was understood.
        answer: The answer.
        facts: What the survey found, one line each.
        route: How the question was classified; empty if it was not.
        findings: The claims of the last draft, with those that were refused.
        entries: The looks, in order.
        stages: Every step, in order.
        cuts_s: Times of the cuts, if the video was scanned.
        activity: Change between frames in equal parts of the duration, from 0 to 1.
        transcript: What is transcribed of the speech so far; None if no speech model is set.
        video: The video, still open.
        store: The frames shown to the model.
        made_at: When the run ended.
        version: The version of vidagent.
    """

    question: Question
    answer: Answer
    facts: tuple[str, ...]
    route: str
    findings: tuple[Finding, ...]
    entries: tuple[Entry, ...]
    stages: tuple[Stage, ...]
    cuts_s: tuple[float, ...]
    activity: tuple[float, ...]
    transcript: Transcript | None
    video: Video
    store: FrameStore
    made_at: datetime
    version: str

    @property
    def evidence(self) -> tuple[Finding, ...]:
        """The claims that the answer rests on, one for each item of its evidence."""
        known = {(finding.claim, finding.time_s): finding for finding in self.findings}
        return tuple(known[item.claim, item.time_s] for item in self.answer.evidence)

    @property
    def duration_s(self) -> float:
        """Seconds of the video."""
        return self.answer.video.duration_s

    @property
    def may_decode(self) -> bool:
        """Whether there is time left to decode frames again."""
        return self.answer.budget.ended_by != "seconds"


def collect_report(answer: Answer, state: State, run: Run) -> RunReport:
    """Collect the report data of a run."""
    progress = Progress(state)
    entries = tuple(progress.entries)
    options = state.get("options")
    return RunReport(
        question=Question(progress.question, None if options is None else tuple(options)),
        answer=answer,
        facts=tuple(state.get("facts", "").splitlines()),
        route=_route(progress),
        findings=tuple(_findings(state, entries, answer.video)),
        entries=entries,
        stages=tuple(_stages(state, entries)),
        cuts_s=tuple(run.index.known_cuts()),
        activity=_activity(run),
        transcript=run.index.spoken(),
        video=run.video,
        store=run.store,
        made_at=datetime.now(UTC),
        version=version("vidagent"),
    )


def _route(progress: Progress) -> str:
    route, typed = progress.route, progress.state["question"]
    as_typed = "" if progress.question == typed else f', asked as "{typed}"'
    return f"a question of the kind {route.kind}: {route.thing}{as_typed}" if route else ""


def _findings(state: State, entries: Sequence[Entry], info: VideoInfo) -> Iterator[Finding]:
    """Yield the claims; a frame that no look showed was decoded for the check, whole."""
    stills = {still.ref: still for entry in entries for still in entry.look.stills}
    size_wh = (info.width, info.height)
    for item in state.get("verified", []):
        box, ref = item["box_px"], item["ref"]
        own = None if ref is None else ShownFrame(item["time_s"], ref, size_wh, (0, 0, *size_wh))
        yield Finding(
            claim=item["claim"],
            verdict=item["verdict"],
            why=item["why"],
            confidence=item["confidence"],
            time_s=item["time_s"],
            still=None if ref is None else stills.get(ref, own),
            box_px=None if box is None else (box[0], box[1], box[2], box[3]),
        )


def _stages(state: State, entries: Sequence[Entry]) -> Iterator[Stage]:
    """Yield the steps, with the looks in the order of the calls, after the plan that made them."""
    spent = [StepUsage(**step) for step in state.get("spent", [])]
    done = {entry.id: entry for entry in entries}
    calls, refused = iter(state.get("asked", [])), iter(_refused(state))
    for place, usage in enumerate(spent):
        if usage.step == "look":
            continue
        looks = _looks_after(spent, place)
        asked = [call for _, call in zip(looks, calls, strict=False)]
        yield Stage(
            usage,
            entry=done.get(OVERVIEW) if place == 0 and usage.step == "survey" else None,
            asked=tuple(asked),
            refused=next(refused, ()) if usage.step == "verify" else (),
        )
        for look, call in zip(looks, [*asked, *[None] * len(looks)], strict=False):
            yield Stage(look, call=call, entry=None if call is None else done.get(call["entry"]))


def _looks_after(spent: Sequence[StepUsage], place: int) -> list[StepUsage]:
    end = place + 1
    while end < len(spent) and spent[end].step == "look":
        end += 1
    return list(spent[place + 1 : end])


def _refused(state: State) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield the claims that each verification sent back to the planner."""
    for message in state.get("history", []):
        if isinstance(message, ToolMessage) and message.status == "error":
            reply = json.loads(str(message.content))
            if claims := reply.get("claims"):
                yield tuple((item["claim"], item["why"]) for item in claims)


def _activity(run: Run) -> tuple[float, ...]:
    levels = run.index.activity().bytes_per_s
    if not levels.size or not float(levels.max()):
        return ()
    parts = np.array_split(levels, min(_BINS, levels.size))
    peaks = np.sqrt([float(part.max()) for part in parts])
    return tuple(round(float(peak), 3) for peak in peaks / peaks.max())
