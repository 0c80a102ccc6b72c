"""What may be text in a video: where and when it stands, and the pictures to read it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vidagent.types import Box


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be a text, from its first frame to its last.

    Args:
        start_s: Time of its first frame.
        end_s: Time of the first frame without it; None if the last frame shows it.
        box_px: Where it stood when it was found, in source pixels.
        first_box_px: Where it stood at first.
        last_box_px: Where it stood at last.
        strokes: How many strokes a row of pixels through it crosses.
        picture: Number of the picture to read it in.
        later_picture: Number of a picture of it alone at a later time, or None.
    """

    start_s: float
    end_s: float | None
    box_px: Box
    first_box_px: Box
    last_box_px: Box
    strokes: float
    picture: int
    later_picture: int | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A part of a frame: its time, its box in source pixels, and its bytes as JPEG."""

    time_s: float
    box_px: Box
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be text in a video, and the pictures to read it in.

    Args:
        found: What may be text, in order of start.
        pictures: The pictures, by number.
        left_out: How many lines that may be text were not followed, as there were too many.
    """

    found: tuple[Candidate, ...] = ()
    pictures: dict[int, Picture] = field(default_factory=dict)
    left_out: int = 0

    def packed(self) -> tuple[dict[str, Any], NDArray[np.uint8]]:
        """Return a JSON object, and the bytes of all pictures; `unpacked` reads them."""
        head = {
            "found": [list(astuple(one)) for one in self.found],
            "pictures": [
                [number, one.time_s, list(one.box_px), len(one.jpeg)] for number, one in self.pictures.items()
            ],
            "left_out": self.left_out,
        }
        return head, np.frombuffer(b"".join(one.jpeg for one in self.pictures.values()), np.uint8)

    @classmethod
    def unpacked(cls, head: dict[str, Any], data: NDArray[np.uint8]) -> Candidates:
        """Return what `packed` gave.

        Raises:
            KeyError, TypeError, ValueError: If it is another kind of object.
        """
        pictures, start = {}, 0
        for number, time_s, box, size in head["pictures"]:
            pictures[int(number)] = Picture(float(time_s), as_box(box), data[start : start + size].tobytes())
            start += size
        if start != len(data):
            raise ValueError(f"{len(data)} bytes of pictures, not {start}")
        rows = [
            Candidate(start_s, end_s, as_box(box), as_box(first), as_box(last), strokes, picture, later)
            for start_s, end_s, box, first, last, strokes, picture, later in head["found"]
        ]
        return cls(tuple(rows), pictures, int(head["left_out"]))


def as_box(sides: Sequence[int]) -> Box:
    """Return four sides as a box."""
    x0, y0, x1, y1 = sides
    return x0, y0, x1, y1
