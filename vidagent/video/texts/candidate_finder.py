"""Finds what may be text in one pass over a video, and follows it from its first frame to its last, without reading.

Lines that look like text are searched for where strokes came to rest or move, and now and then in the whole picture.
Each is followed backward through the frames kept, and forward frame by frame. Of what stands for at least
`SHORTEST_S`, a picture is kept, to be read later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.video.texts.candidates import Candidate, Candidates, Picture
from vidagent.video.texts.changes import ChangeFinder
from vidagent.video.texts.lines import Line, around, covered, text_lines
from vidagent.video.texts.presence import (
    STANDS,
    Template,
    likeness,
    same_picture,
    template,
    unchanged,
    within,
)
from vidagent.video.texts.track import SHORTEST_S

if TYPE_CHECKING:
    from vidagent.types import Box

SIDE_PX: Final = 1280
"""Lines are found and followed in pictures of at most this size; they are read at full size."""
_KEPT_S: Final = 1.6
"""Seconds of frames kept, to follow a new line back to its first one."""
_KEPT_BYTES: Final = 80 << 20
"""Most bytes of these frames."""
_WHOLE_S: Final = 2.0
"""Seconds between two searches of the whole picture, for what the changes missed."""
_AGAIN_S: Final = 0.16
"""Where a line is gone, another look follows after so many seconds: it may have been covered, or changed."""
_MOST: Final = 8_000
"""Most candidates of a video."""
_MOST_STANDING: Final = 120
"""Most lines followed at once."""
_MOST_MOVING: Final = 8
"""Most of them that move: each takes a search in each frame."""
_LEAST_MOVING: Final = 4.0
"""Strokes of a line that moves: of less, too much else moves."""
_MISSES: Final = 2
"""Frames without a line that end it; one may be a flash."""
_TIE: Final = 0.012
"""Likenesses that differ by no more are equal."""
_NEARLY: Final = 0.12
"""A wider line that stood there before is taken to stand there still if it is less alike by no more than this."""
_MORE: Final = 0.2
"""A line that is longer than before by so many heights has another letter."""
_LATER_S: Final = 0.6
"""Seconds after the first picture of a line from which a second one is kept, when a fade is over."""
_QUALITY: Final = 92
"""Quality of the JPEGs."""

Grey = NDArray[np.uint8]
Rgb = NDArray[np.uint8]
Place = tuple[float, float]
Part = Callable[["Box"], Rgb]
"""Gives a part of the current picture, in source pixels."""


@dataclass(slots=True, eq=False)
class _Standing:
    """A line that stands: its template, and where and when it was seen; boxes and places in pixels of the luma."""

    line: Line
    shape: Template
    picture: int
    first_s: float
    last_s: float
    first_place: Place
    place: Place
    velocity: Place = (0.0, 0.0)
    seen: Grey | None = None
    gone_s: float = 0.0
    misses: int = 0
    later_picture: int | None = None
    later_from_s: float = np.inf

    @property
    def moves(self) -> bool:
        """Whether its place changes from frame to frame."""
        return self.velocity != (0.0, 0.0)

    @property
    def box(self) -> Box:
        """Where it stands now."""
        return self.box_at(self.place)

    def box_at(self, place: Place) -> Box:
        """Return its box with the upper left corner at a place."""
        x, y = round(place[0]), round(place[1])
        return x, y, x + self.line.box[2] - self.line.box[0], y + self.line.box[3] - self.line.box[1]

    def likeness(self, grey: Grey, place: Place, *, moving: bool) -> tuple[float, float, float]:
        """Compare it with a frame near a place; return the likeness and the place found."""
        reach = max(4, round(0.4 * self.line.height)) if moving else 2
        return likeness(self.shape, grey, place, reach)


@dataclass
class CandidateFinder:
    """Finds what may be text in pictures given in order.

    Frames are kept for `_KEPT_S`; the pictures to read grow with what is found, up to `_MOST` candidates.

    Args:
        size_wh: Size of the frames in source pixels.
    """

    size_wh: tuple[int, int]
    _found: list[Candidate] = field(default_factory=list)
    _pictures: dict[int, Picture] = field(default_factory=dict)
    _left_out: int = 0
    _changes: ChangeFinder = field(default_factory=ChangeFinder)
    _kept: deque[tuple[float, Grey]] = field(default_factory=deque)
    _standing: list[_Standing] = field(default_factory=list)
    _raw: dict[int, tuple[float, Box, Rgb]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    _again: list[tuple[float, Box]] = field(default_factory=list)
    _whole_s: float = 0.0
    _first_s: float | None = None

    @property
    def grey_wh(self) -> tuple[int, int]:
        """Size of the luma pictures to add."""
        scale = self._scale
        return max(1, round(self.size_wh[0] * scale)), max(1, round(self.size_wh[1] * scale))

    @property
    def _scale(self) -> float:
        return min(1.0, SIDE_PX / max(self.size_wh))

    def add(self, time_s: float, grey: Grey, strokes: Grey, part: Part) -> None:
        """Add the next picture: its luma of size `grey_wh`, its strokes as `moments.thin_strokes` finds them."""
        if self._first_s is None:
            self._first_s = self._whole_s = time_s
        self._kept.append((time_s, grey))
        while self._kept[0][0] < time_s - _KEPT_S or len(self._kept) * grey.nbytes > _KEPT_BYTES:
            self._kept.popleft()
        for one in list(self._standing):
            self._follow(one, time_s, grey)
        height, width = grey.shape
        boxes = [
            (round(a * width), round(b * height), round(c * width), round(d * height))
            for a, b, c, d in self._changes.add(time_s, strokes)
        ]
        due = [box for at_s, box in self._again if at_s <= time_s]
        self._again = [one for one in self._again if one[0] > time_s]
        if time_s - self._whole_s >= _WHOLE_S:
            self._whole_s, boxes = time_s, [(0, 0, width, height)]
        if boxes or due:
            self._search(time_s, grey, merged([*boxes, *due]), part)

    def finish(self) -> Candidates:
        """End what still stands with the last picture, and return what was found, in order of start."""
        for one in list(self._standing):
            self._end(one, None if one.misses == 0 else one.gone_s)

        ordered = sorted(self._found, key=lambda one: (one.start_s, one.box_px))
        return Candidates(tuple(ordered), self._pictures, self._left_out)

    # --- forward

    def _follow(self, one: _Standing, time_s: float, grey: Grey) -> None:
        """Look for a line in the next picture."""
        x0, y0, x1, y1 = one.box
        now = grey[max(0, y0) : y1, max(0, x0) : x1]
        if one.seen is not None and not one.moves and same_picture(one.seen, now):
            stands = True
        else:
            expected = one.place[0] + one.velocity[0], one.place[1] + one.velocity[1]
            score, x, y = one.likeness(grey, expected, moving=one.moves)
            stands = score >= STANDS
            if stands:
                if one.moves:
                    one.velocity = _mixed(one.velocity, (x - one.place[0], y - one.place[1]))
                    one.place = x, y
                one.seen = now
        if not stands:
            if one.misses == 0:
                one.gone_s = time_s
            one.misses += 1
            if one.misses >= _MISSES:
                self._end(one, one.gone_s)
                self._again.append((time_s + _AGAIN_S, within(one.box, grey)))
            return
        one.misses, one.last_s = 0, time_s
        if time_s >= one.later_from_s and time_s - one.first_s >= SHORTEST_S and one.later_picture is None:
            one.later_picture = self._keep(time_s, self._source(one.box), self._alone(one, grey))

    def _end(self, one: _Standing, end_s: float | None) -> None:
        self._standing.remove(one)
        long = end_s is None or end_s - one.first_s >= SHORTEST_S - 1e-6
        if long and len(self._found) < _MOST:
            if one.picture in self._raw:
                self._keep(*self._raw.pop(one.picture), one.picture)
            boxes = (one.line.box, one.box_at(one.first_place), one.box)
            box_px, first_px, last_px = map(self._source, boxes)
            first_s = 0.0 if one.first_s == self._first_s else one.first_s
            self._found.append(
                Candidate(
                    first_s,
                    end_s,
                    box_px,
                    first_px,
                    last_px,
                    one.line.strokes,
                    one.picture,
                    one.later_picture,
                )
            )
        elif long:
            self._left_out += 1
        standing = {other.picture for other in self._standing}
        self._raw = {number: raw for number, raw in self._raw.items() if number in standing}

    def _keep(self, time_s: float, box: Box, picture: NDArray[np.uint8], number: int | None = None) -> int:
        """Keep a picture, and return its number."""
        number = next(self._numbers) if number is None else number
        pixels = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
        jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        self._pictures[number] = Picture(time_s, box, jpeg.tobytes())
        return number

    def _source(self, box: Box) -> Box:
        """Return a box in source pixels."""
        width, height = self.size_wh
        x0, y0, x1, y1 = (side / self._scale for side in box)
        return round(max(0.0, x0)), round(max(0.0, y0)), round(min(x1, width)), round(min(y1, height))

    def _alone(self, one: _Standing, grey: Grey) -> Grey:
        x0, y0, x1, y1 = one.box
        margin = max(2, one.line.height // 5)
        x0, y0, x1, y1 = within((x0 - margin, y0 - margin, x1 + margin, y1 + margin), grey)
        return grey[y0:y1, x0:x1]

    # --- new lines

    def _search(self, time_s: float, grey: Grey, boxes: Sequence[Box], part: Part) -> None:
        """Take up the lines in parts of a picture that are not followed yet."""
        lines = [line for box in boxes for line in text_lines(grey, box)]
        fresh = [line for line in lines if not self._known(line, grey)]
        room = max(0, _MOST_STANDING - len(self._standing))
        self._left_out = max(self._left_out, len(fresh) - room)
        begun = [self._begin(line, time_s, grey) for line in fresh[:room]]
        movers = [one for one in begun if one.moves]
        free = _MOST_MOVING - sum(one.moves for one in self._standing)
        for one in movers:
            if one.line.strokes < _LEAST_MOVING or free <= 0:
                begun.remove(one)
            else:
                free -= 1
        for one in begun:
            self._back(one)
        around_them = [self._row(one.line.box, grey) for one in begun]
        blocks = merged(around_them)
        numbers = [next(self._numbers) for _ in blocks]
        for one, row in zip(begun, around_them, strict=True):
            place = next(place for place, block in enumerate(blocks) if covered(row, block) > 0.99)
            one.picture = numbers[place]
            if numbers[place] not in self._raw:
                box = self._source(blocks[place])
                self._raw[numbers[place]] = time_s, box, part(box)
        self._standing += begun

    def _known(self, line: Line, grey: Grey) -> bool:
        """Return whether a line is, or is part of, one that surely stands there."""
        more = 1 + _MORE * line.height
        return any(
            covered(line.box, one.box) > 0.8
            and line.box[0] >= one.box[0] - more
            and line.box[2] <= one.box[2] + more
            and one.misses == 0
            and (one.moves or unchanged(one.shape, grey, one.place))
            for one in self._standing
        )

    def _begin(self, line: Line, time_s: float, grey: Grey) -> _Standing:
        x0, y0, x1, y1 = line.box
        place = float(x0), float(y0)
        one = _Standing(
            line=line,
            shape=template(grey, line.box),
            picture=-1,
            first_s=time_s,
            last_s=time_s,
            first_place=place,
            place=place,
            seen=grey[y0:y1, x0:x1],
            later_from_s=time_s + _LATER_S,
        )
        if len(self._kept) > 1:
            _, before = self._kept[-2]
            still, *_ = likeness(one.shape, before, place, 1)
            score, x, y = likeness(one.shape, before, place, max(4, line.height))
            if score >= STANDS and score > still + _TIE and max(abs(x - x0), abs(y - y0)) >= 1.0:
                one.velocity = x0 - x, y0 - y
        return one

    def _back(self, one: _Standing) -> None:
        """Follow a new line backward; what stood in its place before ends where it begins."""
        rivals = [
            other
            for other in self._standing
            if not other.moves
            and not one.moves
            and max(covered(one.line.box, other.box), covered(other.box, one.line.box)) > 0.5
        ]
        misses, velocity = 0, one.velocity
        for at_s, grey in list(self._kept)[-2::-1]:
            expected = one.first_place[0] - velocity[0], one.first_place[1] - velocity[1]
            score, x, y = one.likeness(grey, expected, moving=one.moves)
            if score >= STANDS and not self._beaten(one, score, rivals, at_s, grey):
                if one.moves:
                    velocity = _mixed(velocity, (one.first_place[0] - x, one.first_place[1] - y))
                    one.first_place = x, y
                one.first_s, misses = at_s, 0
            else:
                misses += 1
                if misses >= _MISSES:
                    break
        for other in rivals:
            if other.first_s >= one.first_s:
                self._standing.remove(other)
            else:
                self._end(other, one.first_s)

    def _beaten(
        self, one: _Standing, score: float, rivals: Sequence[_Standing], at_s: float, grey: Grey
    ) -> bool:
        """Return whether a frame shows what stood there before rather than a new line."""
        for other in rivals:
            if other.first_s <= at_s <= other.last_s:
                its, *_ = other.likeness(grey, other.place, moving=False)
                wider = other.line.box[2] - other.line.box[0] > 1.1 * (one.line.box[2] - one.line.box[0])
                if its > score + _TIE or (wider and its > score - _NEARLY):
                    return True
        return False

    def _row(self, box: Box, grey: Grey) -> Box:
        """Return the part of the picture to read a line in: with a margin, and with what stands beside it."""
        margin = max(4, (box[3] - box[1]) // 2)
        wide = box[0] - 3 * margin, box[1], box[2] + 3 * margin, box[3]
        beside = [one.box for one in self._standing if one.misses == 0 and _in_row(one.box, wide)]
        x0, y0, x1, y1 = around([box, *beside])
        return within((x0 - margin, y0 - margin, x1 + margin, y1 + margin), grey)


def merged(boxes: Sequence[Box]) -> list[Box]:
    """Join the boxes that touch."""
    joined: list[Box] = []
    for box in boxes:
        part = box
        while near := [other for other in joined if _touch(other, part)]:
            joined = [other for other in joined if other not in near]
            part = around([part, *near])
        joined.append(part)
    return joined


def _touch(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def _in_row(a: Box, b: Box) -> bool:
    return _touch(a, b) and min(a[3], b[3]) - max(a[1], b[1]) > 0.5 * min(a[3] - a[1], b[3] - b[1])


def _mixed(old: Place, new: Place) -> Place:
    return (old[0] + new[0]) / 2, (old[1] + new[1]) / 2
