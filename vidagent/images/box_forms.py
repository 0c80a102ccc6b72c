"""The forms in which families of models write boxes, and how each is turned into thousandths of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

BoxForm = Literal["x_first", "y_first", "fraction", "pixels", "point"]
"""Forms of a box that families of models were trained on: `[left, top, right, bottom]` or `[top, left, bottom, right]`
from 0 to 1000, the former from 0 to 1 or in pixels of the picture as it is sent, or `[x, y]` of its middle from 0 to
1000."""

POINT_BOX = 50.0
"""Sides of the box around a point, in thousandths: a model that points does not say how large the thing is."""

_WORDS: Mapping[BoxForm, str] = {
    "x_first": "[left, top, right, bottom], each from 0 to 1000",
    "y_first": "[top, left, bottom, right], each from 0 to 1000",
    "fraction": "[left, top, right, bottom], each from 0 to 1, with three decimals",
    "pixels": "[left, top, right, bottom], in pixels of {picture}",
    "point": "its middle as [x, y], each from 0 to 1000",
}


def described(form: BoxForm, picture: str) -> str:
    """Return what a model of this family is asked for; `picture` names the one that pixels are those of."""
    return _WORDS[form].format(picture=picture)


def number_count(form: BoxForm) -> int:
    """Return of how many numbers a box consists."""
    return 2 if form == "point" else 4


def as_thousandths(
    box: Sequence[float], form: BoxForm, size_wh: tuple[int, int] | None, around: float = POINT_BOX
) -> list[float]:
    """Return a box as `[left, top, right, bottom]` in thousandths, unclamped; fractions are read under any form.

    Args:
        box: As the model wrote it.
        form: The form of its family.
        size_wh: Size of the picture, for pixels.
        around: Sides of the box around a point.
    """
    sides = list(box)
    if form == "pixels" and size_wh is not None and max(sides) > 1:
        sides = [side * 1000 / size_wh[place % 2] for place, side in enumerate(sides)]
    if form == "y_first":
        sides = [sides[place ^ 1] for place in range(len(sides))]
    if max(sides) <= 1:
        sides = [side * 1000 for side in sides]
    if len(sides) == 2:
        sides = [side + way * around / 2 for way in (-1, 1) for side in sides]
    return sides
