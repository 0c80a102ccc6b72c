"""Asks the standing question about each segment, and tells what was found and checked."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vidagent.agents.client.client import ModelClient
from vidagent.api.assemble import open_video
from vidagent.api.run_question import ask_opened
from vidagent.errors import ModelError, VideoError
from vidagent.runs.request import Request
from vidagent.serve.watch.alerts import ClipFolder, Outlet
from vidagent.serve.watch.spool import Segment, Spool
from vidagent.text import one_line
from vidagent.types import Answer, Evidence, Span
from vidagent.video.clock import format_time

_TOUCH_FRAMES = 1.5
"""A place this near to a cut is on both sides of it: neighbouring segments share one frame."""


@dataclass(frozen=True, slots=True)
class Found:
    """A place in a segment, with the supported claims that prove it."""

    span: Span
    evidence: Sequence[Evidence]


@dataclass
class _Open:
    """An alert whose event goes on at the end of a segment, and up to where it was seen."""

    number: int
    end_s: float


@dataclass
class Watcher:
    """Asks about segments and tells alerts.

    Args:
        source: The stream's name in the lines.
        request: The question; its cache folder holds the runs of one segment at a time.
        client: The model.
        outlet: Takes the lines.
        clips: Takes the clips.
        tell: Called with lines for people.
        each: Whether it is told of each segment; else of the first one only.
    """

    source: str
    request: Request
    client: ModelClient
    outlet: Outlet
    clips: ClipFolder
    tell: Callable[[str], None]
    each: bool = False
    _alerts: int = 0
    _segments: int = 0
    _partial: int = 0
    _watched_s: float = 0.0
    _skipped_s: float = 0.0
    _open: _Open | None = None
    _began: float = field(default_factory=time.time)
    _adding: threading.Lock = field(default_factory=threading.Lock)

    def skip(self, start_s: float, end_s: float, why: str) -> None:
        """Tell that nobody looks at a stretch; called by the threads that read and that ask."""
        with self._adding:
            self._skipped_s += end_s - start_s
        line = {"kind": "skipped", "start_s": _ms(start_s), "end_s": _ms(end_s), "why": why}
        self.outlet.put({**line, "source": self.source})
        self.tell(f"skipped   {format_time(start_s)} to {format_time(end_s)}: {why}")

    def run(self, spool: Spool) -> None:
        """Ask about the segments until the stream has ended.

        Raises:
            ModelError: If the embedded model cannot judge such a question at all.
        """
        while (segment := spool.take()) is not None:
            try:
                self._ask(segment)
            except (ModelError, VideoError) as error:
                if self.client.where is None and isinstance(error, ModelError):
                    raise
                self.skip(segment.start_s, segment.end_s, one_line(str(error)))
            finally:
                spool.done(segment)
                shutil.rmtree(self.request.settings.cache_dir or "", ignore_errors=True)

    def end(self, spool: Spool) -> None:
        """Tell what nobody looked at, and a summary."""
        for segment in spool.left():
            self.skip(segment.start_s, segment.end_s, "stopped before it was asked about")
        self._close()
        summary = {
            "alerts": self._alerts,
            "segments": self._segments,
            "partial": self._partial,
            "watched_s": _ms(self._watched_s),
            "skipped_s": _ms(self._skipped_s),
        }
        self.outlet.put({"kind": "summary", **summary, "source": self.source})

    def _ask(self, segment: Segment) -> None:
        began_s = time.monotonic()
        answer = asyncio.run(self._answer(segment))
        if answer.status == "cannot_judge":
            raise ModelError(answer.answer)
        self._segments += 1
        self._watched_s += segment.end_s - segment.start_s
        self._tell_look(segment, answer, time.monotonic() - began_s)
        frame_s = _TOUCH_FRAMES * answer.video.frame_s
        going_on: _Open | None = None
        for found in found_in(answer):
            earlier = self._open if found.span.start_s <= frame_s else None
            goes_on = found.span.end_s >= answer.video.duration_s - frame_s
            if earlier is None:
                self._alert(segment, answer, found, goes_on=goes_on)
            end_s = segment.start_s + found.span.end_s
            here = _Open(self._alerts if earlier is None else earlier.number, end_s)
            if earlier is not None:
                self._open = here
            going_on = here if goes_on else going_on
        if self._open is not None and (going_on is None or going_on.number != self._open.number):
            self._close()
        self._open = going_on

    def _tell_look(self, segment: Segment, answer: Answer, seconds: float) -> None:
        """Tell people that something is done, and what a budget cut short."""
        where = f"{format_time(segment.start_s)} to {format_time(segment.end_s)}"
        if answer.budget.ended_by is not None:
            self._partial += 1
            self.tell(f"partial   {where}: the budget of {answer.budget.ended_by} ended the look at it")
        elif self.each or self._segments == 1:
            self.tell(f"looked    {where}, in {seconds:.1f} s: {answer.status.replace('_', ' ')}")

    async def _answer(self, segment: Segment) -> Answer:
        async with open_video(segment.path, self.request.settings) as video:
            return await ask_opened(video, self.client, self.request)

    def _alert(self, segment: Segment, answer: Answer, found: Found, *, goes_on: bool) -> None:
        """Tell an alert, with its clip and its frames."""
        self._alerts += 1
        start_s, end_s = segment.start_s + found.span.start_s, segment.start_s + found.span.end_s
        stamp = datetime.fromtimestamp(self._began, UTC).strftime("%Y%m%d-%H%M%S")
        frames = {item.frame: Path(item.frame) for item in found.evidence if item.frame is not None}
        clip, copies = self.clips.keep(f"{stamp}-{self._alerts}", segment.path, frames)
        seen = max(self._began, segment.arrived_s - (segment.end_s - start_s))
        late_s = time.time() - seen
        evidence = [_evidence(item, segment.start_s, copies) for item in found.evidence]
        self.outlet.put(
            {
                "kind": "alert",
                "alert": self._alerts,
                "source": self.source,
                "question": self.request.question.text,
                "start_s": _ms(start_s),
                "end_s": _ms(end_s),
                "goes_on": goes_on,
                "seen_at": datetime.fromtimestamp(seen, UTC).isoformat(timespec="milliseconds"),
                "late_s": _ms(late_s),
                "answer": answer.answer,
                "verdict": "supported",
                "confidence": round(answer.confidence, 3),
                "evidence": evidence,
                "clip": None if clip is None else str(clip.absolute()),
                "clip_start_s": _ms(segment.start_s),
                "model": answer.model,
            }
        )
        self.tell(f"alert     {format_time(start_s)} to {format_time(end_s)}, {late_s:.1f} s late")
        claim = one_line(found.evidence[0].claim)
        self.tell(f"          {clip or 'no clip'} at {format_time(found.span.start_s)}: {claim}")

    def _close(self) -> None:
        """Tell that the event of the open alert has ended."""
        if self._open is not None:
            line = {"kind": "end", "alert": self._open.number, "end_s": _ms(self._open.end_s)}
            self.outlet.put({**line, "source": self.source})
        self._open = None


def found_in(answer: Answer) -> list[Found]:
    """Return the places of an answer that a supported claim lies in, by time; without places, those of the claims."""
    supported = [item for item in answer.evidence if item.verdict == "supported"]
    if answer.status not in {"answered", "partial"} or not supported:
        return []
    frame_s = answer.video.frame_s
    spans = answer.spans or tuple(Span(item.time_s, item.time_s + frame_s) for item in supported)
    found = []
    for span in sorted(spans, key=lambda span: span.start_s):
        inside = [item for item in supported if span.start_s - frame_s <= item.time_s <= span.end_s + frame_s]
        if inside:
            found.append(Found(span, inside))
    return found


def _evidence(item: Evidence, start_s: float, copies: dict[str, Path]) -> dict[str, Any]:
    frame = copies.get(item.frame or "")
    return {
        "time_s": _ms(start_s + item.time_s),
        "clip_time_s": _ms(item.time_s),
        "claim": item.claim,
        "verdict": item.verdict,
        "frame": None if frame is None else str(frame.absolute()),
        "box_px": None if item.box_px is None else list(item.box_px),
    }


def _ms(seconds: float) -> float:
    return round(seconds, 3)
