"""A film without pictures: it knows what each frame shows and answers tool calls as the real tools and looker do."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language.intent import understand
from vidagent.agents.signals.planning.earlier_looks import Past, Result
from vidagent.agents.signals.planning.planner import plan

FRAMES_A_CALL, OVERVIEW_FRAMES, MOST_TURNS = 24, 48, 40
CUT_STEP_S = 0.25


@dataclass(frozen=True)
class Event:
    """Something that frames `first` to `end - 1` show; movement is a change from the frame before to each of them."""

    kind: str
    what: str
    first: int
    end: int
    box_px: tuple[int, int, int, int] = (100, 100, 300, 140)


@dataclass
class Film:
    """Frames at `times_s`, and what is seen in them.

    Args:
        times_s: PTS of the frames.
        frame_s: Time between two frames, as the container says.
        events: What is seen.
        cuts: Numbers of the frames that begin a shot.
        moments_s: What the index thinks worth a look, the likeliest first.
        told_cuts_s: Cuts as the index has them; None for those that are.
        exact: Whether the index says that its cuts are exact.
        read: Share of what may be text that was read, in per cent.
        texts_known: Whether the survey says that the texts were read before.
    """

    times_s: Sequence[float]
    frame_s: float
    events: Sequence[Event] = ()
    cuts: Sequence[int] = ()
    moments_s: Sequence[float] = ()
    results: list[Result] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    tools: frozenset[str] | None = None
    told_cuts_s: Sequence[float] | None = None
    exact: bool = True
    read: float = 100.0
    texts_known: bool = False

    @classmethod
    def steady(cls, fps: float, seconds: float, **rest: Any) -> Film:
        """Make a film of a constant rate."""
        return cls([n / fps for n in range(round(seconds * fps))], 1 / fps, **rest)

    @property
    def duration_s(self) -> float:
        return self.times_s[-1] + self.frame_s

    @property
    def past(self) -> Past:
        rate = float(f"{1 / self.frame_s:.3f}")  # as the survey writes it
        duration_s = round(self.duration_s, 3)
        return Past(
            tuple(self.results),
            tuple(self.errors),
            duration_s,
            1 / rate,
            tools=self.tools,
            texts_known=self.texts_known,
        )

    @property
    def frames_sent(self) -> int:
        return sum(len(result.times_s) for result in self.results)

    def span(self, event: Event) -> tuple[float, float]:
        """Return the time of the first frame of an event and that of the first one after it."""
        end = self.times_s[event.end] if event.end < len(self.times_s) else self.duration_s
        return self.times_s[event.first], end

    def shown_at(self, time_s: float) -> int:
        """Return the number of the frame on the screen at a time."""
        return max(0, bisect_right(self.times_s, time_s + 1e-9) - 1)

    def call(self, name: str, **args: Any) -> Result:
        """Do a tool call and look at its pictures."""
        question = args.get("question", args.get("query", ""))
        told: dict[str, Any] = getattr(self, f"_{name}")(**args)
        if "frames" in told:
            numbers = told.pop("frames")
            told["frame_times_s"] = [round(self.times_s[n], 3) for n in numbers]
            told["sightings"] = self._see(question, numbers)
        told = json.loads(json.dumps({"id": f"L{len(self.results) + 1}", "tool": name, **told}))
        told |= {key: round(told[key], 3) for key in ("start_s", "end_s")}
        result = Result(name, question, args, told)
        self.results.append(result)
        return result

    def _overview(self, question: str) -> dict[str, Any]:
        return self._spread(0.0, self.duration_s, OVERVIEW_FRAMES)

    def _clip(self, start_s: float, end_s: float, question: str) -> dict[str, Any]:
        assert 0 <= start_s < end_s
        assert start_s < self.duration_s
        return self._spread(start_s, min(end_s, self.duration_s), FRAMES_A_CALL)

    def _crop(self, time_s: float, grid: str, question: str) -> dict[str, Any]:
        return {
            "start_s": time_s,
            "end_s": time_s + self.frame_s,
            "every_frame": True,
            "frames": [self.shown_at(time_s)],
        }

    def _resample(self, start_s: float, end_s: float, fps: float, question: str) -> dict[str, Any]:
        assert 0 <= start_s < end_s
        end_s = min(end_s, self.duration_s)
        known = self._within(start_s, end_s)
        fps = min(fps, FRAMES_A_CALL / (end_s - start_s))
        every = len(known) <= FRAMES_A_CALL and fps >= 0.99 * len(known) / (end_s - start_s)
        if not every:
            count = max(1, min(FRAMES_A_CALL, round((end_s - start_s) * fps)))
            known = sorted({self.shown_at(start_s + place / fps) for place in range(count)})
        return {"start_s": start_s, "end_s": end_s, "every_frame": every, "frames": known}

    def _search(self, query: str, page: int) -> dict[str, Any]:
        whole: dict[str, Any] = {"start_s": 0.0, "end_s": self.duration_s}
        if query.startswith("Texts on screen: "):
            return whole | {"facts": self._texts()}
        if understand(query).signal == "shots":
            told_s = (
                [self.times_s[cut] for cut in self.cuts] if self.told_cuts_s is None else self.told_cuts_s
            )
            times, exactly = (
                ", ".join(f"{cut:.3f}" for cut in told_s),
                "the frame" if self.exact else "a few frames",
            )
            counts = f"{len(told_s) + 1} shots, {len(told_s)} cuts (exact to {exactly})"
            return whole | {
                "facts": [counts, f"cuts at (first frame of the new shot, seconds): {times or 'none'}"]
            }
        chosen = self.moments_s[(page - 1) * FRAMES_A_CALL : page * FRAMES_A_CALL]
        left = max(0, len(self.moments_s) - page * FRAMES_A_CALL)
        note = f"page {page}: {len(chosen)} moments looked at, {left} more on later pages"
        return whole | {"frames": sorted({self.shown_at(t) for t in chosen}), "notes": [note]}

    def _texts(self) -> list[str]:
        """Return the texts on screen as the search lists them."""
        texts = [event for event in self.events if event.kind == "text"]
        lines = [f"texts on screen: {len(texts)} texts; {self.read:.1f}% of what may be text was read"]
        for event in texts:
            start_s, end_s = self.span(event)
            box = ",".join(map(str, event.box_px))
            lines.append(f"on screen {start_s:.3f}-{end_s:.3f} s, box {box}, sure 0.99: {event.what}")
        return lines

    def _within(self, start_s: float, end_s: float) -> list[int]:
        first = self.shown_at(start_s)
        return [n for n in range(first, len(self.times_s)) if n == first or self.times_s[n] < end_s]

    def _spread(self, start_s: float, end_s: float, most: int) -> dict[str, Any]:
        known = self._within(start_s, end_s)
        every = len(known) <= most
        if not every:
            known = [
                known[place] for place in np.unique(np.linspace(0, len(known) - 1, most).round().astype(int))
            ]
        return {"start_s": start_s, "end_s": end_s, "every_frame": every, "frames": known}

    def _see(self, question: str, numbers: Sequence[int]) -> list[dict[str, Any]]:
        intent = understand(question)
        if intent.signal in {"motion", "still", "shots"}:
            return [
                self._told(after)
                for before, after in pairwise(numbers)
                if self._step(intent.signal, before, after)
            ]
        kind = "text" if intent.signal == "reading" else intent.signal
        wanted = intent.colour if kind == "colour" else intent.text
        return [
            self._told(number, event)
            for number in numbers
            for event in self.events
            if event.kind == kind and wanted in {None, event.what} and event.first <= number < event.end
        ]

    def _step(self, signal: str, before: int, after: int) -> bool:
        cut = any(before < cut <= after for cut in self.cuts)
        short = self.times_s[after] - self.times_s[before] <= CUT_STEP_S
        moved = any(
            event.first <= number < event.end
            for event in self.events
            if event.kind == "motion"
            for number in range(before + 1, after + 1)
        )
        if signal == "shots":
            return cut and short
        if signal == "still":
            return not moved and not cut
        return (moved and not (cut and short)) or (cut and not short)

    def _told(self, number: int, event: Event | None = None) -> dict[str, Any]:
        told: dict[str, Any] = {"time_s": round(self.times_s[number], 3)}
        return told if event is None else told | {"text": event.what, "box_px": list(event.box_px)}


def ask(film: Film, question: str, options: Sequence[str] | None = None) -> dict[str, Any]:
    """Let the planner search the film, and return the arguments of its answer."""
    asked: set[str] = set()
    for _ in range(MOST_TURNS):
        turn: list[ToolCall] = plan(question, options, film.past)
        assert turn, "a turn needs a call"
        if turn[0]["name"] == "answer":
            assert len(turn) == 1
            return turn[0]["args"]
        for call in turn[:6]:
            key = json.dumps([call["name"], call["args"]])
            assert key not in asked, f"asked twice: {key}"
            asked.add(key)
            film.call(call["name"], **call["args"])
    raise AssertionError(f"no answer to {question!r} after {MOST_TURNS} turns")
