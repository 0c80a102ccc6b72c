"""Find where something begins and ends from the frames looked at: pure rules, without a video or a model.

An edge lies between a frame that shows the thing and a frame beyond it that does not. Looks between the two narrow the
gap until they are neighbours in the video; then the edge is known to the frame. An observer counts while it is
consistent: it must see the thing in the frame where it was seen before, and one that sees it in every frame is believed
only once it has said no to other frames.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from vidagent.graphs.evidence.ledger import Entry
from vidagent.types import BudgetName

Side = Literal["start", "end"]
Standing = Literal["open", "known", "doubtful", "left"]
"""`open` to further looks, `known` to the frame, `doubtful` (the observer contradicts itself), or `left` as it is."""
Frames = Mapping[float, bool]
"""Times of frames, and whether each shows the thing."""

SAME_S = 0.0006
"""Tolerance of equal times: less than a frame interval, more than rounding to three decimals loses."""
_MOST_RUNS = 4
"""Seen, unseen, seen again, unseen: more runs in one look are observer errors."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the edges of a place may lie: the ends of the video, or the next place on that side.

    Args:
        start_s: Earliest start.
        end_s: Latest end.
    """

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Edge:
    """What is known of one edge.

    Args:
        place: Number of the drafted place it belongs to.
        side: Whether it is the start or the end.
        drafted_s: Its time in the draft.
        inside_s: The nearest frame that shows the thing.
        outside_s: The nearest frame beyond that does not; None if unknown.
        limit_s: How far out it may lie.
        first: `inside_s` and `outside_s` before the first look.
        standing: Whether it is known, and whether to look again.
        heard: Whether `outside_s` was read in answer to this edge's own question.
        sure: Whether the frames on both sides were read without a contradiction.
        stalled: Whether the last look showed no frame between the two.
        looking: Id of the look in progress.
        looks: Ids of the earlier looks.
    """

    place: int
    side: Side
    drafted_s: float
    inside_s: float
    outside_s: float | None
    limit_s: float
    first: tuple[float, float | None]
    standing: Standing = "open"
    heard: bool = False
    sure: bool = True
    stalled: bool = False
    looking: str | None = None
    looks: tuple[str, ...] = ()

    @property
    def beyond_s(self) -> float:
        """Where a look for it ends."""
        return self.limit_s if self.outside_s is None else self.outside_s

    @property
    def onward(self) -> int:
        """1 if time runs from inside to outside, as at an end; -1 at a start."""
        return 1 if self.side == "end" else -1

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values that `from_dict` reads back."""
        return {**dataclasses.asdict(self), "first": list(self.first), "looks": list(self.looks)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Edge:
        """Rebuild from what `to_dict` returned."""
        inside_s, outside_s = data["first"]
        return cls(**{**data, "first": (inside_s, outside_s), "looks": tuple(data["looks"])})


@dataclass(frozen=True, slots=True)
class Refining:
    """State of the edge looks, carried from one round to the next.

    Args:
        draft_call: The draft whose places these are.
        edges: The edges, start and end of each place in turn.
        questions: The question for the frames, by place number.
        floors: How much of each limited budget must remain.
    """

    draft_call: str
    edges: tuple[Edge, ...]
    questions: dict[str, str]
    floors: dict[BudgetName, int]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values that `from_dict` reads back."""
        return {
            "draft_call": self.draft_call,
            "edges": [edge.to_dict() for edge in self.edges],
            "questions": self.questions,
            "floors": self.floors,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Refining:
        """Rebuild from what `to_dict` returned."""
        return cls(**{**data, "edges": tuple(Edge.from_dict(edge) for edge in data["edges"])})


@dataclass(frozen=True, slots=True)
class Refined:
    """A place after its edges were looked at.

    Args:
        start_s: Its start.
        end_s: Its end: the first frame that no longer shows it.
        start_within_s: Uncertainty of the start: 0 if it is known to the frame, or exactness was not asked for; None
            if unknown.
        end_within_s: The same for the end.
    """

    start_s: float
    end_s: float
    start_within_s: float | None
    end_within_s: float | None


def read_frames(entry: Entry) -> dict[float, bool] | None:
    """Return whether each frame of a look shows the thing; None if the look does not answer frame by frame.

    A crop that does not show it says nothing about the whole frame.
    """
    seen = entry.observation
    if seen is None or seen.found is None or not entry.look.stills:
        return None
    times = {still.time_s for still in entry.look.stills}
    reported = [sighting.time_s for sighting in seen.sightings]
    shown = {time_s for time_s in times if any(abs(time_s - reported_s) <= SAME_S for reported_s in reported)}
    if bool(shown) != seen.found:
        return None
    return {time_s: time_s in shown for time_s in times if time_s in shown or entry.look.tool != "crop"}


def placed(frames: Sequence[Frames]) -> dict[float, bool]:
    """Merge the frames of several looks; a frame shows it if any look says so."""
    together: dict[float, bool] = {}
    for looked in frames:
        for time_s, shown in looked.items():
            together[time_s] = shown or together.get(time_s, False)
    return together


def first_edges(
    place: int, span: tuple[float, float], frames: Frames, moment_s: float, reach: Reach
) -> tuple[Edge, Edge]:
    """Return the edges of a drafted place as earlier looks know them.

    An unseen frame inside the drafted span is ignored: observers do not name every frame that shows the thing unless
    asked to.

    Args:
        place: The place's number.
        span: Its drafted start and end.
        frames: The frames of the earlier looks.
        moment_s: Time of a frame reported to show it, used where none of `frames` does.
        reach: How far its edges may lie.
    """
    start_s, end_s = span
    shown = [t for t, seen in frames.items() if seen and start_s - SAME_S <= t <= end_s + SAME_S]
    start = _first("start", place, start_s, min(shown, default=moment_s), frames, reach.start_s)
    end = _first("end", place, end_s, max(shown, default=moment_s), frames, reach.end_s)
    return start, end


def _first(side: Side, place: int, drafted_s: float, inside_s: float, frames: Frames, limit_s: float) -> Edge:
    onward = 1 if side == "end" else -1
    last = limit_s * onward + SAME_S
    further = sorted(
        (t for t in frames if inside_s * onward + SAME_S < t * onward <= last), key=lambda t: t * onward
    )
    for time_s in further:
        if not frames[time_s]:
            break
        inside_s = time_s
    beyond = max(inside_s * onward, drafted_s * onward - SAME_S)
    unseen = [t for t in further if not frames[t] and t * onward >= beyond]
    outside_s = unseen[0] if unseen else None
    return Edge(place, side, drafted_s, inside_s, outside_s, limit_s, (inside_s, outside_s))


def frames_wanted(gap: int, most: int) -> int:
    """Return how many frames of a gap to look at, the first and last included.

    It is the fewest that close the gap in as few looks as `most` frames per look allow.

    Args:
        gap: Frame steps between the two sides.
        most: Most frames of one look, at least 3.
    """
    if gap < most:
        return gap + 1
    rounds = math.ceil(math.log(gap) / math.log(most - 1) - 1e-9)
    return min(most, math.ceil(math.pow(gap, 1 / rounds) - 1e-9) + 1)


def frames_to_show(known: Sequence[float], most: int, marks: Sequence[float]) -> list[float]:
    """Choose which frames of a gap to look at: its first and last, those on both sides of marks, and even steps.

    After the first mark there is one more, as the last frame of a thing is often given for its end. Marks take half of
    the frames at most.

    Args:
        known: The times of its frames.
        most: Most frames to choose, at least 2.
        marks: Times at which the edge is likely, the likeliest first: there, one look is enough.
    """
    last = len(known) - 1
    if last < most:
        return list(known)
    chosen, room = {0, last}, 2 + (most - 2) // 2
    for number, mark_s in enumerate(marks):
        place = min(range(len(known)), key=lambda n: abs(known[n] - mark_s))
        for beside in ({place - 1, place}, {min(place + 1, last)} if number == 0 else set()):
            if place > 0 and len(chosen | beside) <= room:
                chosen |= beside
    even = most - len(chosen)
    steps = (round(last * n / (even + 1)) for n in range(1, even + 1))
    return [known[place] for place in sorted(chosen.union(steps))]


def between(edge: Edge, frames: Frames) -> Frames | None:
    """Return those frames of a look that lie between the two sides of an edge; None if its inner side is not shown."""
    low_s, high_s = sorted((edge.inside_s, edge.beyond_s))
    own = {t: shown for t, shown in frames.items() if low_s - SAME_S <= t <= high_s + SAME_S}
    return own if any(abs(t - edge.inside_s) <= SAME_S for t in own) else None


def narrowed(edge: Edge, frames: Frames | None, *, every: bool = False) -> Edge:
    """Return an edge updated with its look in progress.

    Args:
        edge: The edge before.
        frames: The look's result for each frame; None, which keeps the edge, if it failed or could not be judged.
        every: Whether these are all frames from the first to the last.
    """
    looks = edge.looks if edge.looking is None else (*edge.looks, edge.looking)
    edge = dataclasses.replace(edge, looks=looks, looking=None)
    if frames is None:
        return dataclasses.replace(edge, standing="left")
    row = sorted(frames, key=lambda t: t * edge.onward)
    runs = [(shown, [*times]) for shown, times in groupby(row, frames.__getitem__)]
    if not runs or abs(row[0] - edge.inside_s) > SAME_S or not runs[0][0] or _is_observer_error(runs, every):
        return dataclasses.replace(edge, standing="doubtful")
    stalled = len(row) <= 2
    if len(runs) == 1:
        return _edge_beyond(dataclasses.replace(edge, stalled=stalled), row[-1])
    return dataclasses.replace(
        edge,
        inside_s=runs[0][1][-1],
        outside_s=runs[1][1][0],
        heard=True,
        sure=len(runs) == 2,
        stalled=stalled,
    )


def _is_observer_error(runs: Sequence[tuple[bool, list[float]]], every: bool) -> bool:
    """Tell whether the pattern is an observer error rather than a second appearance of the thing.

    A second appearance would last longer than a frame, and come and go once.
    """
    return len(runs) > _MOST_RUNS or (every and any(len(times) == 1 for _, times in runs[1:-1]))


def _edge_beyond(edge: Edge, last_s: float) -> Edge:
    """Return an edge that lies beyond the look; an earlier look was wrong there, unless it was the edge's own."""
    if edge.heard:
        return dataclasses.replace(edge, standing="doubtful")
    return dataclasses.replace(edge, inside_s=last_s, outside_s=None)


def settle(start: Edge, end: Edge) -> Refined:
    """Return a place from its two edges.

    If the observer contradicts itself at one edge, its answers move neither. Where an edge is not known to the frame,
    the draft counts as far as it agrees with what is known.
    """
    doubtful = "doubtful" in {start.standing, end.standing}
    says_no = start.heard or end.heard
    start_s, start_within_s = _settled(start, doubtful, says_no)
    end_s, end_within_s = _settled(end, doubtful, says_no)
    return Refined(min(start_s, end_s), end_s, start_within_s, end_within_s)


def _settled(edge: Edge, doubtful: bool, says_no: bool) -> tuple[float, float | None]:
    """Return the time of an edge, and its uncertainty."""
    inside_s, outside_s, onward = edge.inside_s, edge.outside_s, edge.onward
    if edge.looks and (doubtful or (outside_s is None and not says_no)):
        return edge.drafted_s, _off(edge.drafted_s, *edge.first)
    if edge.standing == "known":
        return (edge.beyond_s if edge.side == "end" or outside_s is None else inside_s), 0.0
    furthest = math.inf if outside_s is None else outside_s * onward
    at_s = min(max(edge.drafted_s * onward, inside_s * onward), furthest) * onward
    return at_s, _off(at_s, inside_s, outside_s)


def _off(at_s: float, inside_s: float, outside_s: float | None) -> float | None:
    return None if outside_s is None else max(abs(at_s - inside_s), abs(at_s - outside_s))
