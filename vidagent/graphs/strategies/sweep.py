"""Sweeps: if every instance of something is asked for, code looks over the whole range, coarsely first.

The first pass goes over the range in even steps, with the moments at which the index says that something happens. The
second one goes closer where what was seen is short against those steps. If the overview or the planner's own looks
showed each instance for several of their steps, and the index hints at nothing shorter, there is no sweep at all.
`occurrences.py` merges what the looks saw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from langchain_core.messages import ToolMessage

from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.occurrences import Occurrence, frames_of, merge
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, refusal
from vidagent.graphs.strategies.gaps import Gap, frame_times, longest_gap, points, range_of
from vidagent.graphs.strategies.hints import hinted_times, unseen_hints
from vidagent.graphs.strategies.strategy import (
    Proposal,
    Strategy,
    allowance,
    frames_look,
    may_resample,
)
from vidagent.text import counted
from vidagent.tools.answer import Draft, Place

_LEAST_FRAMES = 4
_MOST_LOOKS = 3
"""Most looks of one pass, done in parallel."""
_COARSE_S = 2.0
"""Time between the frames of a first pass, if so many looks are enough for it."""
_FINE_S = 0.5
"""Steps no longer than this need no moments of the index between them, and no sweep beside them."""
_SETTLES_S = 1.5
"""If the frames of the overview are no further apart, the planner speaks first: it may have seen all there is."""
_SEVERAL = 3
"""How many steps between frames something lasts that is told apart from others without a closer look."""
_TELLING_S = 0.2
"""Time between frames at which the frame between tells two alike instances apart."""
_SLOWER = 1.25
"""Factor that lengthens the steps of a second pass until it is within reach."""
_CONTEXT_TOKENS = 100
"""Planner context tokens per frame of a sweep, so that its results take only part of the context."""
_LOOK_TOKENS = 1000
"""Approximate prompt tokens of a look beside its pictures."""
_SHARE = 2
"""A pass takes at most half of what is left of a budget."""
_MOST_LISTED = 40
MAX_RECOUNTS = 1
"""Most times a draft is sent back because it disagrees with the sweep's count."""


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
    hold = "before it is accepted, code looks over the whole range for every one; count with what these looks saw"
    returns_draft = True

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Return the looks of the next pass."""
        route, passes = progress.route, progress.proposed_by(self.name)
        if route is None or route.kind != "count" or route.within_picture or len(passes) > 1:
            return Proposal()
        most_looks, frames = _reach(run)
        if not most_looks or not may_resample(run):
            return Proposal()
        start_s, end_s = range_of(progress, run)
        if passes or _overview_seen(progress):
            looks = _closer(progress, run, start_s, end_s, most_looks, frames)
        elif _is_settled(progress, run, start_s, end_s):
            looks = []
        else:
            looks = _coarse(run, start_s, end_s, most_looks, frames)
        if not looks:
            return Proposal()
        question = _question(route.thing or progress.question)
        line = f"sweeping {start_s:.1f}-{end_s:.1f} s in {counted(len(looks), 'look')}"
        return Proposal([frames_look(times, question) for times in looks], line)


def count_of(progress: Progress, entries: Sequence[Entry], cuts_s: Sequence[float]) -> Count | None:
    """Return what the sweep counted; None if there was no sweep, or none of its looks succeeded."""
    looks = _swept(progress, entries) if progress.proposed_by(Sweep.name) else []
    frames = [seen for entry in looks if (seen := frames_of(entry))]
    if not frames:
        return None
    times = sorted({frame.time_s for look in frames for frame in look})
    longest_s = max((after - before for before, after in pairwise(times)), default=0.0)
    return Count(tuple(merge(frames, cuts_s)), tuple(entry.id for entry in looks), longest_s)


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
    """Return a draft that agrees with the sweep's count, with a place for each instance that has none in it."""
    if count is None or draft.found != "yes" or draft.count != len(count.occurrences):
        return draft
    missing = [
        Place(start_s=one.start_s, end_s=one.end_s)
        for one in count.occurrences
        if not any(one.start_s < place.end_s and place.start_s < one.end_s for place in draft.spans)
    ]
    places = sorted([*draft.spans, *missing], key=lambda place: (place.start_s, place.end_s))
    return draft.model_copy(update={"spans": places}) if missing else draft


def _question(thing: str) -> str:
    return (
        f"{' '.join(thing.split())[:300]}: give one sighting for each separate one in each frame, with its box. "
        "A frame that shows two at once has two sightings."
    )


# --- when, and where


def _overview_seen(progress: Progress) -> bool:
    """Tell whether the overview was judged for the thing, and stands for the first pass."""
    return any(_is_overview(entry) for entry in progress.own_entries)


def _is_overview(entry: Entry) -> bool:
    seen = entry.observation
    return (
        entry.look.tool == "overview"
        and not entry.look.question
        and seen is not None
        and seen.found is not None
    )


def _is_settled(progress: Progress, run: Run, start_s: float, end_s: float) -> bool:
    """Tell whether the frames seen so far may be enough: the planner has yet to speak, or they bear out its draft.

    They do if no gap between them is longer than half a second, or if each of its places lasts several times the
    longest gap and the index hints at nothing shorter.
    """
    draft, entries = progress.reviewed_draft, progress.own_entries
    step_s = longest_gap(entries, start_s, end_s)
    if draft is None:
        return step_s <= _SETTLES_S and run.client.profile.plan_sees_overview
    if draft.found != "yes":
        return True
    if draft.count is not None and step_s <= _FINE_S:
        return True
    lengths = [place.end_s - place.start_s for place in draft.spans]
    if draft.count != len(lengths) or min(lengths, default=0.0) < _SEVERAL * step_s:
        return False
    return not unseen_hints(run, frame_times(entries, start_s, end_s), start_s, end_s, _TELLING_S)


def _reach(run: Run) -> tuple[int, int]:
    """Return how many looks a pass may take, and how many frames each; no looks if those would be too few."""
    profile, frames = run.client.profile, run.caps.frames
    allowed = allowance(run, _SHARE)
    most = min(
        _MOST_LOOKS * frames,
        profile.context_tokens / _CONTEXT_TOKENS,
        allowed.most_frames(profile.frame_tokens + _LOOK_TOKENS / frames),
    )
    looks = min(max(1, most // frames), allowed.most_looks(profile.completion_tokens.get("look", 1)))
    frames = int(min(frames, most))
    return (int(looks), frames) if frames >= _LEAST_FRAMES and looks >= 1 else (0, 0)


def _coarse(run: Run, start_s: float, end_s: float, most_looks: int, frames: int) -> list[list[float]]:
    """Return the frames of a first pass: even steps over a range, and the moments of the index between them."""
    length_s, frame_s = end_s - start_s, run.video.info.frame_s
    most = most_looks * (frames - 1) + 1
    if length_s < _LEAST_FRAMES * frame_s:
        return []
    if length_s <= most * frame_s:
        return packed([[float(t) for t in run.video.frame_times(start_s, end_s + frame_s / 2)]], frames)
    hints = hinted_times(run, start_s, end_s, frames // 2) if length_s > _FINE_S * frames else []
    looks = min(most_looks, max(1, math.ceil((length_s / _COARSE_S + len(hints)) / (frames - 1))))
    even = np.linspace(start_s, end_s - frame_s, looks * (frames - 1) + 1 - len(hints)).tolist()
    return packed([sorted({*even, *hints})], frames)


def _closer(
    progress: Progress, run: Run, start_s: float, end_s: float, most_looks: int, frames: int
) -> list[list[float]]:
    """Return the frames of a second pass; none if everything seen lasts several steps of the first one.

    It goes from the last frame without something short to the next one without it; with the frames that remain it
    goes over the rest of the range, if they are enough to halve all steps.
    """
    entries = _swept(progress, progress.entries)
    occurrences = merge([seen for entry in entries if (seen := frames_of(entry))], run.index.known_cuts())
    times = frame_times(entries, start_s, end_s)
    gaps = [Gap(a, b) for a, b in pairwise(times) if b - a > _TELLING_S]
    short = [one for one in occurrences if _is_short(one, times)]
    near = [gap for gap in gaps if any(_touches(one, gap) for one in short)]
    inside = {t for t in times if any(one.start_s <= t < one.end_s for one in occurrences)}
    step_s, longest_s = _TELLING_S, max((gap.length_s for gap in near), default=0.0)
    while len(looks := packed(_groups(near, inside, step_s), frames)) > most_looks and step_s <= longest_s:
        step_s *= _SLOWER
    if step_s > longest_s / 2:
        return []
    rest = [gap for gap in gaps if gap not in near and gap.length_s > step_s]
    spare = most_looks * frames - sum(map(len, looks))
    if rest and len(rest) <= spare:
        looks = packed([*_groups(near, inside, step_s), *([t] for t in points(rest, spare))], frames)
    return looks[:most_looks]


def _is_short(one: Occurrence, times: Sequence[float]) -> bool:
    """Tell whether something was seen for less than several steps between the frames that it was seen in."""
    inside = [t for t in times if one.start_s <= t < one.end_s]
    around = [*[t for t in times if t < one.start_s][-1:], *inside, *[t for t in times if t >= one.end_s][:1]]
    step_s = max((b - a for a, b in pairwise(around)), default=0.0)
    return bool(inside) and step_s > _TELLING_S and inside[-1] - inside[0] < _SEVERAL * step_s


def _touches(one: Occurrence, gap: Gap) -> bool:
    return one.start_s <= gap.end_s and gap.start_s < one.end_s


def _groups(gaps: Sequence[Gap], seen: Iterable[float], step_s: float) -> list[list[float]]:
    """Return frames in steps over gaps, in groups that no cut between two looks may divide: it would cut an event."""
    inside, groups = set(seen), list[list[float]]()
    for gap in gaps:
        parts = max(1, math.ceil(gap.length_s / step_s - 1e-6))
        times = [gap.start_s + gap.length_s * n / parts for n in range(parts)] + [gap.end_s]
        if groups and groups[-1][-1] == gap.start_s and gap.start_s in inside:
            groups[-1] += times[1:]
        else:
            groups.append(times)
    return groups


def packed(groups: Iterable[list[float]], most: int) -> list[list[float]]:
    """Pack groups of frame times, in order, into looks of at most so many; a group that fits in no look is divided.

    The two parts of a divided group share a frame.
    """
    looks: list[list[float]] = []
    for group in sorted(groups):
        rest = group
        if looks and len(together := sorted({*looks[-1], *rest})) <= most:
            looks[-1] = together
            continue
        while len(rest) > most:
            looks.append(rest[:most])
            rest = rest[most - 1 :]
        looks.append(rest)
    return looks


def _swept(progress: Progress, entries: Sequence[Entry]) -> list[Entry]:
    """Return the looks of the sweep, and the overview if it was judged."""
    names = {name for looks in progress.proposed_by(Sweep.name) for name in looks}
    return sorted(
        (entry for entry in entries if entry.id in names or _is_overview(entry)),
        key=lambda entry: int(entry.id[1:]),
    )
