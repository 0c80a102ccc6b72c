"""Puts readings together: those of one text that stands on, and tracks told twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rapidfuzz import fuzz

from vidagent.types import Box
from vidagent.video.texts.lines import covered
from vidagent.video.texts.track import SHORTEST_S, TextTrack, plain

_ALIKE: Final = 82.0
"""Least likeness of two readings of one text, of 100, by `rapidfuzz.fuzz.ratio`."""
_SAME_PLACE: Final = 0.5
"""Least share of each box that the other one covers, for one place."""
_GROWS_S: Final = 2.5
"""Most seconds from a text that is being typed to a longer one."""
_BREAK_S: Final = 0.09
"""Two showings of a text in one place are one if no more lies between them: a flash, or a frame badly compressed."""

Vote = tuple[str, float]


@dataclass(slots=True)
class Showing:
    """A text as read: from when to when it stands, where at first and at last, and its readings with their scores."""

    start_s: float
    end_s: float
    first_box: Box
    last_box: Box
    votes: list[Vote]

    @property
    def moves(self) -> bool:
        """Whether it ends in another place."""
        return covered(self.first_box, self.last_box) < _SAME_PLACE

    @property
    def text(self) -> str:
        """What most of its readings say."""
        return voted(self.votes)[0]


def joined(showings: Sequence[Showing]) -> list[Showing]:
    """Join the showings of one text that follow upon each other in one place, or along its way if it moves."""
    found: list[Showing] = []
    open_ones: list[Showing] = []
    for one in sorted(showings, key=lambda one: (one.start_s, one.end_s, one.first_box)):
        open_ones = [other for other in open_ones if other.end_s >= one.start_s - _BREAK_S]
        same = next((other for other in open_ones if _goes_on(other, one)), None)
        if same is None:
            found.append(one)
            open_ones.append(one)
            continue
        if one.end_s > same.end_s:
            same.end_s, same.last_box = one.end_s, one.last_box
        same.votes += one.votes
    return found


def _goes_on(one: Showing, after: Showing) -> bool:
    """Return whether a later showing is of the same text: equal, or unlike in so little that it is a misreading."""
    a, b = plain(one.text), plain(after.text)
    digits = ["".join(filter(str.isdigit, side)) for side in (a, b)]
    alike = abs(len(a) - len(b)) <= 1 and fuzz.ratio(a, b) >= _ALIKE and digits[0] == digits[1]
    if a != b and not alike:
        return False
    if one.moves or after.moves:
        return max(covered(one.last_box, after.first_box), covered(after.first_box, one.last_box)) > 0 or (
            one.end_s > after.start_s
        )
    return min(covered(one.last_box, after.first_box), covered(after.first_box, one.last_box)) >= _SAME_PLACE


def voted(votes: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """Return the text that most readings agree on, and how sure it is."""
    weights: dict[str, float] = defaultdict(float)
    for said, score in votes:
        weights[plain(said) or said] += score
    best = max(weights, key=lambda key: weights[key])
    forms = [(said, score) for said, score in votes if (plain(said) or said) == best]
    form = max(forms, key=lambda one: (sum(said == one[0] for said, _ in forms), one[1]))[0]
    mean = weights[best] / len(forms)
    return form, round(mean * weights[best] / sum(weights.values()), 3)


def distinct(tracks: Sequence[TextTrack]) -> Iterator[TextTrack]:
    """Yield tracks without those that are part of another one: the same text in the same place at the same time."""
    kept: list[TextTrack] = []
    for one in sorted(tracks, key=lambda track: -track.length_s * (1 + track.sureness)):
        double = any(
            min(one.end_s, other.end_s) - max(one.start_s, other.start_s) > 0.5 * one.length_s
            and max(covered(one.box_px, other.box_px), covered(other.box_px, one.box_px)) > 0.5
            and fuzz.partial_ratio(plain(one.text), plain(other.text)) >= _ALIKE
            for other in kept
        )
        if not double:
            kept.append(one)
    yield from sorted(kept)


def typed(tracks: Sequence[TextTrack]) -> list[TextTrack]:
    """Mark the texts that follow upon their own first letters in the same place."""
    return [replace(one, typed=any(_grew(other, one) for other in tracks)) for one in tracks]


def _grew(short: TextTrack, long: TextTrack) -> bool:
    if not 0 <= long.start_s - short.start_s <= _GROWS_S or abs(short.end_s - long.start_s) > SHORTEST_S:
        return False
    beside = max(abs(a - b) for a, b in zip(short.box_px[:2], long.box_px[:2], strict=True)) < long.height_px
    return beside and plain(long.text) != plain(short.text) and plain(long.text).startswith(plain(short.text))
