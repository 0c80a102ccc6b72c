"""Sweeps: if every instance of something is asked for, code looks over the whole range, without gaps.

A first pass covers the range in windows that share a frame with their neighbours; a second one revisits sightings in
frames too far apart to tell one instance from two. `occurrences.py` merges what they saw.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from langchain_core.messages import ToolMessage

from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.occurrences import Occurrence, frames_of, merge
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, refusal
from vidagent.graphs.strategies.gaps import range_of
from vidagent.graphs.strategies.strategy import Proposal, ProposedLook, Strategy, allowance, may_resample
from vidagent.text import counted, short_number
from vidagent.tools.answer import Draft, Place

_MOST_FRAMES = 16
"""Frames of one look: a reply has room for three things in each of them."""
_LEAST_FRAMES = 4
_MOST_LOOKS = 16
_CONTEXT_TOKENS = 100
"""Planner context tokens per frame of a sweep, so that its results take only part of the context."""
_LOOK_TOKENS = 1000
"""Approximate prompt tokens of a look beside its pictures."""
_SHARE = 2
"""A pass takes at most half of what is left of a budget."""
_TELLING_S = 0.2
"""Longest frame interval, in seconds, at which the frame between tells two alike instances apart."""
_FINER = 2.0
"""Minimum refinement factor of a second pass."""
_SLOWER = 0.8
"""Factor that lowers the rate of a second pass until it is within reach."""
_MOST_LISTED = 40
MAX_RECOUNTS = 1
"""Most times a draft is sent back because it disagrees with the sweep's count."""

_Window = tuple[float, float, float]
"""Start, end and frames per second of a look."""


@dataclass(frozen=True, slots=True)
class Count:
    """Result of a sweep.

    Args:
        occurrences: Each instance of what was asked for.
        looks: The looks of the sweep.
        interval_s: The longest time between two of its frames.
    """

    occurrences: tuple[Occurrence, ...]
    looks: tuple[str, ...]
    interval_s: float

    def lines(self) -> list[str]:
        """Return lines for the planner: a heading, and a line for each."""
        head = (
            f"Sweep {self.looks[0]} to {self.looks[-1]}, one frame every {self.interval_s:.3g} s or closer: "
            f"{len(self.occurrences)} told apart"
        )
        listed = [
            f"  {number}. {one.start_s:.3f}-{one.end_s:.3f} s ({', '.join(one.entries)})"
            for number, one in enumerate(self.occurrences[:_MOST_LISTED], 1)
        ]
        more = len(self.occurrences) - len(listed)
        return [head, *listed, *([f"  and {more} more"] if more else [])]

    def advice(self) -> str:
        """Return advice on how to use the count."""
        return (
            f"The whole range has been swept, and {len(self.occurrences)} were told apart; the ledger lists them. "
            f"One shorter than {self.interval_s:.3g} s may lie between two frames. Count what is listed, unless a "
            "look shows that two of them are one or that one is something else."
        )


class Sweep(Strategy):
    """Looks over the whole range in at most two passes, if every instance of something is asked for."""

    name = "sweep"
    reason = "every one is asked for, and the whole range has to be covered"

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Return the looks of the next pass."""
        route, passes = progress.route, progress.proposed_by(self.name)
        if route is None or route.kind != "count" or len(passes) > 1:
            return Proposal()
        if not may_resample(run):
            return Proposal()
        start_s, end_s = range_of(progress, run)
        windows = _closer(progress, run, start_s, end_s) if passes else _over(run, start_s, end_s)
        if not windows:
            return Proposal()
        question = _question(route.thing or progress.question)
        looks = [
            ProposedLook("resample", {"start_s": start, "end_s": end, "fps": fps, "question": question})
            for start, end, fps in windows
        ]
        fps = windows[0][2]
        line = f"sweeping {start_s:.1f}-{end_s:.1f} s in {counted(len(looks), 'look')} at {short_number(fps)} fps"
        return Proposal(looks, line)


def count_of(progress: Progress, entries: Sequence[Entry]) -> Count | None:
    """Return what the sweep counted; None if there was no sweep, or none of its looks succeeded."""
    looks = _swept(progress, entries)
    frames = [seen for entry in looks if (seen := frames_of(entry))]
    if not frames:
        return None
    first = set(progress.proposed_by(Sweep.name)[0])
    longest_s = max((1 / look.look.fps for look in looks if look.id in first and look.look.fps), default=0.0)
    return Count(tuple(merge(frames)), tuple(entry.id for entry in looks), longest_s)


def recount(progress: Progress, call_id: str, draft: Draft, count: Count | None) -> ToolMessage | None:
    """Send back once a draft that disagrees with the sweep's count; the planner may insist."""
    if count is None or draft.found == "cannot_judge" or progress.state.get("recounts", 0) >= MAX_RECOUNTS:
        return None
    stated = _stated_count(draft)
    if stated == len(count.occurrences) or (stated is None and progress.options):
        return None
    why = (
        f"the answer says {'no number' if stated is None else stated}, and the sweep told {len(count.occurrences)} "
        "apart, as listed: answer with these, or again as you did if looks show that they are fewer or more"
    )
    return refusal(call_id, why, told_apart=count.lines()[1:])


def _stated_count(draft: Draft) -> int | None:
    """Return the count a draft states; None if it states none."""
    if draft.found == "no":
        return 0
    return draft.count if draft.count is not None else len(draft.spans) or None


def with_places(draft: Draft, count: Count | None) -> Draft:
    """Return a draft that agrees with the sweep's count, with the place of each instance."""
    if count is None or draft.found != "yes" or draft.count != len(count.occurrences):
        return draft
    if len(draft.spans) == draft.count:
        return draft
    places = [Place(start_s=one.start_s, end_s=one.end_s) for one in count.occurrences]
    return draft.model_copy(update={"spans": places})


def _question(thing: str) -> str:
    return (
        f"{' '.join(thing.split())[:300]}: give one sighting for each separate one in each frame, with its box. "
        "A frame that shows two at once has two sightings."
    )


def _over(run: Run, start_s: float, end_s: float) -> list[_Window]:
    """Cover a range at the highest rate within reach; return no windows if the overview is as fine as that."""
    looks, frames = _reach(run)
    info, length_s = run.video.info, end_s - start_s
    if not looks or length_s * info.fps < _LEAST_FRAMES:
        return []
    fps = (looks * (frames - 1) + 1) / length_s
    if fps < info.fps and fps * info.duration_s <= run.caps.overview_frames:
        return []
    return list(_windows(start_s, end_s, min(float(info.fps), fps), frames))


def _closer(progress: Progress, run: Run, start_s: float, end_s: float) -> list[_Window]:
    """Revisit sightings in frames too far apart, at the highest rate within reach that is much higher."""
    looks, frames = _reach(run)
    coarse = [entry for entry in _swept(progress, progress.entries) if _too_coarse(entry)]
    spans = _spans(coarse, start_s, end_s)
    fps, least = (
        float(run.video.info.fps),
        max((_FINER * (entry.look.fps or 0) for entry in coarse), default=0),
    )
    while spans and fps >= least:
        windows = [window for start, end in spans for window in _windows(start, end, fps, frames)]
        if len(windows) <= looks:
            return windows
        fps *= _SLOWER
    return []


def _reach(run: Run) -> tuple[int, int]:
    """Return how many looks a pass may take, and how many frames each; no looks if those would be too few."""
    profile, frames = run.client.profile, min(run.caps.frames, _MOST_FRAMES)
    allowed = allowance(run, _SHARE)
    most = min(
        _MOST_LOOKS * frames,
        profile.context_tokens / _CONTEXT_TOKENS,
        allowed.most_frames(profile.frame_tokens + _LOOK_TOKENS / frames),
    )
    looks = min(max(1, most // frames), allowed.most_looks(profile.completion_tokens.get("look", 1)))
    frames = int(min(frames, most))
    return (int(looks), frames) if frames >= _LEAST_FRAMES and looks >= 1 else (0, 0)


def _windows(start_s: float, end_s: float, fps: float, most: int) -> Iterator[_Window]:
    """Yield windows of equal length, each with the last frame of the one before as its first."""
    steps = max(1, math.ceil((end_s - start_s) * fps - 1e-6) - 1)
    number = math.ceil(steps / (most - 1))
    each = math.ceil(steps / number)
    for first in range(0, steps, each):
        last_s = start_s + (first + each + 1) / fps
        yield round(start_s + first / fps, 3), round(min(last_s, end_s), 3), round(fps, 6)


def _swept(progress: Progress, entries: Sequence[Entry]) -> list[Entry]:
    names = {name for looks in progress.proposed_by(Sweep.name) for name in looks}
    return sorted((entry for entry in entries if entry.id in names), key=lambda entry: int(entry.id[1:]))


def _too_coarse(entry: Entry) -> bool:
    """Tell whether something was seen in frames so far apart that two instances may count as one."""
    look, seen = entry.look, entry.observation
    if seen is None or seen.found is False or not seen.sightings or look.every_frame:
        return False
    return bool(look.fps) and 1 / (look.fps or 1) > _TELLING_S


def _spans(entries: Sequence[Entry], start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Return the stretches around sightings, up to the frames beside them, merged where they overlap."""
    around = [
        (
            max(start_s, mark.time_s - 1 / (entry.look.fps or 1)),
            min(end_s, mark.time_s + 1 / (entry.look.fps or 1)),
        )
        for entry in entries
        for mark in (entry.observation.sightings if entry.observation else [])
    ]
    spans: list[tuple[float, float]] = []
    for start, end in sorted(around):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        elif end > start:
            spans.append((start, end))
    return spans
