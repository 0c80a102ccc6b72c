"""Answers and a stand-in for `vidagent.api`, for tests of the doors alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vidagent.types import (
    Answer,
    Budget,
    BudgetReport,
    Coverage,
    Evidence,
    KnownHash,
    Span,
    StepUsage,
    Usage,
    VideoInfo,
)

if TYPE_CHECKING:
    from vidagent.api import Probe

INFO = VideoInfo(
    path="clip.mp4",
    duration_s=60.0,
    fps=Fraction(30000, 1001),
    width=1280,
    height=720,
    fingerprint="cd" * 32,
    content=KnownHash("ab" * 32),
    codec="h264",
    container="mov,mp4,m4a,3gp,3g2,mj2",
    rotation_deg=90,
    audio="aac",
    subtitles=("eng", "talk.srt"),
    frame_count=1798,
)
ANSWER = Answer(
    status="answered",
    answer="'SALE' is shown from 0:37.480 to 0:37.880.",
    confidence=0.9,
    video=INFO,
    model="signals",
    run_id="run-7",
    spans=(Span(37.48, 37.88),),
    evidence=(
        Evidence(37.48, "SALE is in the picture", "supported", "frames/37.480.jpg", (10, 20, 300, 80)),
    ),
    coverage=Coverage(6.0, 0.1, (Span(34, 40),)),
    usage=Usage.total(
        (StepUsage("plan", 0.5, 1, 1200, 30), StepUsage("look", 1.5, 2, frames_sent=24)), seconds=2
    ),
)
PARTIAL = dataclasses.replace(ANSWER, status="partial", budget=BudgetReport(Budget(frames=24), "frames"))


@dataclass(frozen=True)
class Happening:
    """An event of a run, as `on_event` takes it."""

    kind: str
    text: str
    step: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


LOOK = {"tool": "clip", "start_s": 34.0, "end_s": 40.0, "frames": 24, "fps": 4.0}
EVENTS = (
    Happening("model", "signals (embedded)"),
    Happening("step", "plan 1 of 8", "plan"),
    Happening("look", "clip 34.000-40.000 s", "look", {**LOOK, "id": 3}),
    Happening("observation", "SALE\nat 37.480 s", "look", {"id": 3, "found": True}),
    Happening("verdict", "supported: SALE is in the picture", "verify"),
)


NASTY = "\x1b[2J\x1b]0;owned\x07 \x9b31m\r\b\t\u202e東京 👍🏽 👨\u200d👩"
SPOKEN = (
    Happening("step", "verifying 1 claim", "verify"),
    *(Happening("thought", f"thought {number},\n{NASTY} ", "verify") for number in range(4)),
    *(
        Happening("token", words, "compose")
        for words in ("'SALE' is", " shown ", f"{NASTY}\n", "long " * 300)
    ),
    Happening("token", "from 0:37.480 to 0:37.880.", "compose"),
)
"""What is told beside the events by a run that streams."""


class Report:
    """A dry run or an index report."""

    def to_dict(self) -> dict[str, Any]:
        return {"frames": 48}

    def named(self, paths: Sequence[str]) -> Report:
        return self

    def lines(self) -> list[str]:
        return ["overview: 48 frames", "at most 200 frames"]


class FakeApi(ModuleType):
    """`vidagent.api` without video or model: it records its calls and gives what it was given."""

    def __init__(self, outcome: Answer | BaseException | Callable[..., Answer] = ANSWER) -> None:
        super().__init__("vidagent.api")
        self.outcome = outcome
        self.calls: list[dict[str, Any]] = []

    def analyze_video(
        self, path: str, question: str, *, on_event: Callable[[Any], None], stream: bool, **rest: Any
    ) -> Answer:
        self.calls.append({"path": path, "question": question, "stream": stream, **rest})
        for event in (*EVENTS, *SPOKEN) if stream else EVENTS:
            on_event(event)
            if stream:
                on_event._live.refresh()  # however busy the machine is, the screen shows each event
        return self._outcome(path)

    def plan_cost(self, path: str, question: str, **rest: Any) -> Report:
        self.calls.append({"path": path, "question": question, **rest})
        return Report()

    def probe_video(self, path: str, *, video_stream: int | None) -> Probe:
        from vidagent.api.videos import Probe  # seconds long, and commands that ask do without

        self._outcome(path)
        return Probe(INFO, 12, (0.0, 8.5))

    def index_video(
        self,
        path: str,
        *,
        transcribe: bool,
        texts: bool,
        on_progress: Callable[[str, float], None],
        video_stream: int | None,
    ) -> Report:
        on_progress("indexing", 0.5)
        self._outcome(path)
        return Report()

    def _outcome(self, path: str) -> Answer:
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome if isinstance(self.outcome, Answer) else self.outcome(path)
