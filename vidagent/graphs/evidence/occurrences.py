"""Merge what several looks saw into occurrences, joined over time and place and each counted once."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from itertools import pairwise

from vidagent.graphs.evidence.ledger import NEAR_FRAME_S, Entry
from vidagent.types import Box

_JOINED = 1.5
"""Most frame intervals between two sightings of one occurrence in different looks."""
_FINER = 1.5
"""How much finer a look must be to be believed over a coarser one."""
_SAME_TEXT = 0.6
"""Minimum similarity of two readings of one text."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing seen in one frame.

    Args:
        entry: The ledger entry that reports it.
        box_px: Its box in source pixels; None if not given.
        text: Its text, if read.
    """

    entry: str
    box_px: Box | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as a look saw it.

    Args:
        time_s: Its time.
        interval_s: Seconds to the nearer of its neighbours in the look.
        looks: The looks that it was part of.
        marks: What was seen in it.
    """

    time_s: float
    interval_s: float
    looks: frozenset[str]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One thing, from the first frame that shows it to the first that no longer does.

    Args:
        start_s: Time of the first frame.
        end_s: Time of the frame after the last one, or where that would be.
        entries: The ledger entries that saw it.
    """

    start_s: float
    end_s: float
    entries: tuple[str, ...]


@dataclass
class _Track:
    """An occurrence being built: its marks, with their times."""

    marks: list[tuple[float, Mark]] = field(default_factory=list)
    end_s: float = 0.0

    def expected(self, time_s: float) -> list[Box]:
        """Return its last box, and its predicted box if it keeps moving as before."""
        boxes = [(t, mark.box_px) for t, mark in self.marks[-2:] if mark.box_px is not None]
        if len(boxes) < 2 or boxes[1][0] <= boxes[0][0]:
            return [box for _, box in boxes]
        (before_s, before), (last_s, last) = boxes
        ahead = (time_s - last_s) / (last_s - before_s)
        moved = [round(now + ahead * (now - then)) for then, now in zip(before, last, strict=True)]
        return [last, (moved[0], moved[1], moved[2], moved[3])]


def frames_of(entry: Entry) -> list[Frame]:
    """Return the frames of a look with what was seen in each; none if it could not be judged."""
    observed = entry.observation
    if observed is None or (observed.found is None and not observed.sightings):
        return []
    times = sorted({round(still.time_s, 3) for still in entry.look.stills})
    seen = [] if observed.found is False else observed.sightings
    marks: dict[float, list[Mark]] = {time_s: [] for time_s in times}
    for sighting in seen:
        nearest = min(times, key=lambda time_s: abs(time_s - sighting.time_s), default=None)
        if nearest is not None and abs(nearest - sighting.time_s) <= NEAR_FRAME_S:
            marks[nearest].append(Mark(entry.id, entry.box_px(sighting), sighting.text))
    apart = [b - a for a, b in pairwise(times)]
    return [
        Frame(
            time_s,
            min(apart[max(0, n - 1) : n + 1], default=0.0),
            frozenset({entry.id}),
            tuple(marks[time_s]),
        )
        for n, time_s in enumerate(times)
    ]


def merge(looks: Iterable[Sequence[Frame]], cuts_s: Sequence[float] = ()) -> list[Occurrence]:
    """Merge the sightings of several looks.

    A look at a higher rate is believed over a coarser one where both looked. A frame that two looks saw counts once.
    From one frame to the next, a thing is the same if it overlaps, or moved by no more than its own size or as before;
    one that the next frame does not show has ended. At a cut everything ends but a text that reads the same after it.

    Args:
        looks: The frames of each look.
        cuts_s: Times of the first frames after a cut, in order.

    Returns:
        The occurrences in the order of their starts.
    """
    timeline = _joined(_finest([list(look) for look in looks if look]))
    tracks: list[_Track] = []
    open_now: list[_Track] = []
    for place, frame in enumerate(timeline):
        before = timeline[place - 1] if place else None
        linked = before is not None and _linked(before, frame)
        is_cut = before is not None and _next_cut(cuts_s, before.time_s) <= frame.time_s + NEAR_FRAME_S
        followed = _follow(open_now if linked else [], frame, only_texts=is_cut)
        after = timeline[place + 1] if place + 1 < len(timeline) else None
        ends_s = after.time_s if after and _linked(frame, after) else frame.time_s + frame.interval_s
        for track in followed:
            track.end_s = min(ends_s, _next_cut(cuts_s, frame.time_s))
        tracks += [track for track in followed if len(track.marks) == 1]
        open_now = followed
    return sorted((_occurrence(track) for track in tracks), key=lambda one: (one.start_s, one.end_s))


def _finest(looks: Sequence[Sequence[Frame]]) -> Iterator[Frame]:
    """Yield the frames except those inside a finer part of another look; of a frame shared with it, only the place."""
    for look in looks:
        others = [other for other in looks if other is not look]
        for frame in look:
            finer = [other for other in others if _is_finer(other, frame)]
            if any(_shows(other, frame.time_s) for other in finer):
                yield replace(frame, interval_s=0.0, marks=())
            elif not finer:
                yield frame


def _is_finer(look: Sequence[Frame], frame: Frame) -> bool:
    """Tell whether a frame lies between two frames of another look that are clearly closer to each other."""
    time_s, most_s = frame.time_s, frame.interval_s / _FINER
    return any(
        a.time_s - NEAR_FRAME_S <= time_s <= b.time_s + NEAR_FRAME_S and 0 < b.time_s - a.time_s <= most_s
        for a, b in pairwise(look)
    )


def _shows(look: Sequence[Frame], time_s: float) -> bool:
    return any(abs(frame.time_s - time_s) <= NEAR_FRAME_S for frame in look)


def _joined(frames: Iterable[Frame]) -> list[Frame]:
    """Sort frames by time and merge those that several looks share."""
    timeline: list[Frame] = []
    for frame in sorted(frames, key=lambda one: (one.time_s, sorted(one.looks))):
        if timeline and frame.time_s - timeline[-1].time_s <= NEAR_FRAME_S:
            timeline[-1] = _together(timeline[-1], frame)
        else:
            timeline.append(frame)
    return timeline


def _together(one: Frame, other: Frame) -> Frame:
    pairs = _pairs([_boxes(mark) for mark in one.marks], [mark.text for mark in one.marks], other.marks)
    matched = {second for _, second in pairs}
    more = tuple(mark for place, mark in enumerate(other.marks) if place not in matched)
    interval_s = max(one.interval_s, other.interval_s)
    return replace(one, interval_s=interval_s, looks=one.looks | other.looks, marks=one.marks + more)


def _linked(before: Frame, frame: Frame) -> bool:
    """Tell whether no gap lies between two frames: one look showed both, or they are close enough."""
    longest_s = _JOINED * max(before.interval_s, frame.interval_s)
    return bool(before.looks & frame.looks) or frame.time_s - before.time_s <= longest_s


def _next_cut(cuts_s: Sequence[float], time_s: float) -> float:
    """Return the time of the first cut after a frame; infinity if there is none."""
    place = bisect_right(cuts_s, time_s + NEAR_FRAME_S)
    return cuts_s[place] if place < len(cuts_s) else math.inf


def _follow(tracks: Sequence[_Track], frame: Frame, *, only_texts: bool) -> list[_Track]:
    """Return the tracks of everything a frame shows, continued and new; after a cut only texts go on."""
    if only_texts:
        tracks = [track for track in tracks if track.marks[-1][1].text]
    expected = [track.expected(frame.time_s) for track in tracks]
    texts = [track.marks[-1][1].text for track in tracks]
    goes_on = {
        second: first
        for first, second in _pairs(expected, texts, frame.marks)
        if frame.marks[second].text or not only_texts
    }
    followed = [tracks[goes_on[place]] if place in goes_on else _Track() for place in range(len(frame.marks))]
    for track, mark in zip(followed, frame.marks, strict=True):
        track.marks.append((frame.time_s, mark))
    return followed


def _pairs(
    expected: Sequence[Sequence[Box]], texts: Sequence[str | None], marks: Sequence[Mark]
) -> list[tuple[int, int]]:
    """Assign marks to expected places, the likeliest pairs first."""
    likely = [
        (score, first, second)
        for first, boxes in enumerate(expected)
        for second, mark in enumerate(marks)
        if (score := _likeness(boxes, texts[first], mark)) is not None
    ]
    pairs: list[tuple[int, int]] = []
    for _, first, second in sorted(likely, key=lambda one: (-one[0], one[1], one[2])):
        if all(first != one and second != other for one, other in pairs):
            pairs.append((first, second))
    return pairs


def _likeness(boxes: Sequence[Box], text: str | None, mark: Mark) -> float | None:
    """Return how likely a mark is the same thing: above 0 where boxes overlap, 0 where one is not known."""
    if text and mark.text and not _same_text(text, mark.text):
        return None
    if not boxes or mark.box_px is None:
        return 0.0
    scores = [score for box in boxes if (score := _nearness(box, mark.box_px)) is not None]
    return max(scores, default=None)


def _nearness(one: Box, other: Box) -> float | None:
    """Return the overlap of two boxes, or, negative, the distance moved in multiples of its own size."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    if across > 0 and down > 0:
        return across * down / (_area(one) + _area(other) - across * down)
    size = max(one[2] - one[0], one[3] - one[1], other[2] - other[0], other[3] - other[1])
    moved = math.hypot(max(0, -across), max(0, -down)) / size if size else math.inf
    return -moved if moved <= 1 else None


def _same_text(one: str, other: str) -> bool:
    plain = [" ".join(text.casefold().split()) for text in (one, other)]
    return SequenceMatcher(None, plain[0], plain[1], autojunk=False).ratio() >= _SAME_TEXT


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _boxes(mark: Mark) -> list[Box]:
    return [] if mark.box_px is None else [mark.box_px]


def _occurrence(track: _Track) -> Occurrence:
    entries = dict.fromkeys(mark.entry for _, mark in track.marks)
    return Occurrence(track.marks[0][0], track.end_s, tuple(entries))
