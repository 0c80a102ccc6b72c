"""Builds the text tracks of a video: reads what may be text, and joins the readings of one text."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.errors import VideoError
from vidagent.types import Box
from vidagent.video.texts.candidates import Candidate, Candidates, as_box
from vidagent.video.texts.grouping import Showing, distinct, joined, typed, voted
from vidagent.video.texts.lines import covered
from vidagent.video.texts.reader import TextReader
from vidagent.video.texts.track import TextTrack, Tracks

_KEEP_S: Final = 10.0
"""CPU seconds after which what was read is kept again."""
_LEAST_SURE: Final = 0.3
"""Least sureness of a track."""
_LEAST_SCORE: Final = 0.55
"""Least score of a line that was read."""
_OVER: Final = 0.5
"""Share of a line that covers a candidate, or that it covers, for it to be the candidate's text."""
_AS_HIGH: Final = 0.6
"""Another word of a line is at least so many times as high as the main one."""


@dataclass
class TextFinder:
    """Finds the text tracks of one video.

    Args:
        candidates: What may be text.
        duration_s: Length of the video.
        reader: The OCR reader.
        known: Readings of an earlier call, to go on with.
        on_progress: Called with the fraction done.
    """

    candidates: Candidates
    duration_s: float
    reader: TextReader
    known: dict[str, Any] = field(default_factory=dict)
    on_progress: Callable[[float], None] | None = None

    def __post_init__(self) -> None:
        """Take the readings of an earlier call."""
        self._lines: dict[int, list[tuple[str, list[int], float]]] = {
            int(number): lines for number, lines in self.known.get("lines", {}).items()
        }
        self._later: dict[int, tuple[str, float]] = {
            int(number): (said, score) for number, (said, score) in self.known.get("later", {}).items()
        }
        self._spent = float(self.known.get("cpu_s", 0.0))
        self._by_picture: dict[int, list[Candidate]] = defaultdict(list)
        for one in self.candidates.found:
            self._by_picture[one.picture].append(one)

    def read(self, cpu_s: float | None, keep: Callable[[dict[str, Any]], None]) -> None:
        """Read the candidates, those with the most strokes first, until all are read or `cpu_s` is spent.

        Args:
            cpu_s: CPU seconds that it may take; None for no limit.
            keep: Called with what is known once in a while, to be given to a later call as `known`.
        """
        worth = {number: max(one.strokes for one in group) for number, group in self._by_picture.items()}
        todo = sorted(worth.keys() - self._lines.keys(), key=lambda number: (-worth[number], number))
        began = mark = time.process_time()
        spent = self._spent
        for number in todo:
            now = time.process_time()
            if cpu_s is not None and now - began > cpu_s:
                break
            if now - mark > _KEEP_S:
                mark = now
                keep(self._state())
            self._lines[number] = self._read(number)
            self._spent = spent + time.process_time() - began
            if self.on_progress is not None:
                self.on_progress(len(self._lines) / len(worth))
        keep(self._state())

    def tracks(self) -> Tracks:
        """Return the tracks of what was read so far."""
        showings = [showing for number in sorted(self._lines) for showing in self._showings(number)]
        found = [_track(one) for one in joined(showings)]
        sure = sorted(one for one in found if one.sureness >= _LEAST_SURE)
        whole = len(self._by_picture) + self.candidates.left_out
        share = len(self._lines) / whole if whole else 1.0
        return Tracks(tuple(distinct(typed(sure))), share, round(self._spent, 2)).without_short()

    def _state(self) -> dict[str, Any]:
        return {"lines": self._lines, "later": self._later, "cpu_s": self._spent}

    # --- reading

    def _read(self, number: int) -> list[tuple[str, list[int], float]]:
        """Read a picture, and what is sure of it once more, as it stood later."""
        picture = self.candidates.pictures[number]
        lines = self.reader.read(_decoded(picture.jpeg))
        read = [line for line in lines if line.score >= _LEAST_SCORE and any(map(str.isalnum, line.text))]
        rows = [
            (line.text, list(_shifted(line.box, (0, 0), picture.box_px)), round(line.score, 3))
            for line in read
        ]
        for one in self._by_picture[number]:
            alone = any(
                min(covered(one.box_px, as_box(box)), covered(as_box(box), one.box_px)) >= _OVER
                for _, box, _ in rows
            )
            if alone and one.later_picture is not None:
                self._later[one.later_picture] = self.reader.read_line(
                    _decoded(self.candidates.pictures[one.later_picture].jpeg)
                )
        return rows

    # --- tracks

    def _showings(self, number: int) -> Iterator[Showing]:
        """Yield the lines read in a picture, each with the time for which all that it consists of stands."""
        at_s = self.candidates.pictures[number].time_s
        standing = [
            one
            for one in self.candidates.found
            if one.start_s <= at_s and (one.end_s is None or one.end_s > at_s)
        ]
        for text, sides, score in self._lines[number]:
            box = as_box(sides)
            over = [
                one for one in standing if max(covered(box, one.box_px), covered(one.box_px, box)) > _OVER
            ]
            own = [one for one in over if one.picture == number]
            if not own:
                continue
            main = max(own, key=lambda one: covered(box, one.box_px))
            parts = [main, *(one for one in over if _is_beside(one.box_px, main.box_px))]
            votes = [(text, score)]
            if main.later_picture in self._later and covered(box, main.box_px) > _OVER:
                votes.append(self._later[main.later_picture])
            start_s = max(one.start_s for one in parts)
            end_s = min(self.duration_s if one.end_s is None else one.end_s for one in parts)
            first, last = (
                _shifted(box, main.box_px, there) for there in (main.first_box_px, main.last_box_px)
            )
            yield Showing(start_s, end_s, first, last, [vote for vote in votes if vote[0]])


def _is_beside(box: Box, main: Box) -> bool:
    """Return whether a part of a line is another word of it, not a piece of the letters of the main part."""
    high, across = box[3] - box[1], min(box[2], main[2]) - max(box[0], main[0])
    return high >= _AS_HIGH * (main[3] - main[1]) and across < _OVER * (box[2] - box[0])


def _track(one: Showing) -> TextTrack:
    said, sureness = voted(one.votes)
    return TextTrack(
        start_s=one.start_s,
        end_s=one.end_s,
        text=said,
        box_px=one.first_box,
        height_px=one.first_box[3] - one.first_box[1],
        sureness=sureness,
        readings=len(one.votes),
        last_box_px=one.last_box,
    )


def _shifted(box: Sequence[int], origin: Sequence[int], to: Sequence[int]) -> Box:
    """Move a box as far as it is from one place to another."""
    right, down = to[0] - origin[0], to[1] - origin[1]
    return as_box([side + (down if place % 2 else right) for place, side in enumerate(box)])


def _decoded(jpeg: bytes) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise VideoError("a picture kept of the texts is damaged; `vidagent cache clear` removes it")
    return np.asarray(picture, np.uint8)
