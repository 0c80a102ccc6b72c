"""Drawn worlds: which thing is visible when, what is asked about it, and whether an answer is right."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from vidagent.evaluation.scoring import Prediction
from vidagent.types import Span

FPS = 10
"""Frames a second of every drawn video."""

Kind = Literal[
    "when", "how long", "count", "order", "read", "whether", "absent", "choice", "summary", "steps"
]
KINDS: tuple[Kind, ...] = (
    "when",
    "how long",
    "count",
    "order",
    "read",
    "whether",
    "absent",
    "choice",
    "summary",
    "steps",
)
IN_PARTS: tuple[Kind, ...] = ("summary", "steps")
"""The kinds whose answers have parts."""
Mark = Literal["right", "wrong", "abstained"]

COLOURS = {
    "red": (210, 40, 40),
    "blue": (40, 70, 210),
    "green": (40, 170, 60),
    "yellow": (225, 205, 40),
    "white": (240, 240, 240),
    "purple": (140, 50, 170),
}
SHAPES = ("ball", "square", "triangle", "ring")
NAMES = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
SIGN = "sign"

_LEAST_IOU = 0.5
"""A place is right from this overlap on, as in R@1, IoU = 0.5 of the grounding benchmarks."""
_DURATION_OFF = 0.1
_LONGEST_S = {10.0: 2.5, 60.0: 6.0, 1200.0: 60.0, 7200.0: 120.0}


@dataclass(frozen=True)
class Thing:
    """Something that can be seen.

    Args:
        name: Its name, such as `red ball`.
        slot: Which cell of the picture it stands in, from 0 to 8.
        frames: Where it is visible: ranges of frame numbers, each half-open, in order.
        text: What is written on it, for a sign.
    """

    name: str
    slot: int
    frames: tuple[tuple[int, int], ...]
    text: str = ""

    def visible(self, number: int) -> bool:
        """Whether it is in a frame."""
        return any(first <= number < end for first, end in self.frames)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where it is visible, in seconds."""
        return tuple(Span(first / FPS, end / FPS) for first, end in self.frames)


@dataclass(frozen=True)
class Question:
    """A question with its truth.

    Args:
        kind: What is asked for.
        text: The question.
        things: The things it names, in the order in which it names them.
        options: Answers to choose from.
        choice: Index of the right one.
        at_s: The time that it names.
    """

    kind: Kind
    text: str
    things: tuple[str, ...]
    options: tuple[str, ...] | None = None
    choice: int | None = None
    at_s: float | None = None


@dataclass(frozen=True)
class PartsMark:
    """How good the parts of an answer are.

    Args:
        true: Number of the parts that there are.
        told: How many of them are told.
        false: Told parts in which nothing of what they say is to be seen.
        off_s: How far the starts and ends of told parts are off, on average.
    """

    true: int
    told: int
    false: int
    off_s: float


@dataclass(frozen=True)
class World:
    """What a video shows.

    Args:
        length_s: Its length.
        seed: What it was drawn from.
        things: All that is ever visible.
    """

    length_s: float
    seed: int
    things: tuple[Thing, ...]

    @property
    def frames(self) -> int:
        """Its number of frames."""
        return round(self.length_s * FPS)

    def thing(self, name: str) -> Thing:
        """Return a thing by its name; one that is never visible for a name that is not here."""
        return next((thing for thing in self.things if thing.name == name), Thing(name, 0, ()))


def make_world(length_s: float, seed: int) -> World:
    """Draw up a world: one thing once, one several times, two in an order, and a sign."""
    rng = random.Random(f"{length_s} {seed}")
    names = rng.sample(NAMES, 5)
    slots = rng.sample(range(9), 6)
    frames = round(length_s * FPS)
    longest = _LONGEST_S.get(length_s, length_s / 10) * FPS
    times = [1, rng.randint(2, 4), 1, 1, 1]
    things = [
        Thing(name, slot, _occurrences(rng, frames, longest, number))
        for name, slot, number in zip(names, slots, times, strict=False)
    ]
    text = f"{rng.choice(['GATE', 'DOCK', 'ROOM', 'LINE'])} {rng.randint(11, 98)}"
    sign = Thing(SIGN, slots[5], _occurrences(rng, frames, longest, 1), text)
    return World(length_s, seed, (*things, sign))


def questions(world: World) -> Iterator[Question]:
    """Yield a question of each kind about a world."""
    once, often, one, other, shown, sign = world.things
    rng = random.Random(f"questions {world.length_s} {world.seed}")
    missing = [name for name in NAMES if not world.thing(name).frames]
    yield Question("when", f"When is the {once.name} seen?", (once.name,))
    yield Question("how long", f"For how long is the {one.name} seen?", (one.name,))
    yield Question("count", f"How many separate times does the {often.name} appear?", (often.name,))
    first = 0 if one.frames[0][0] < other.frames[0][0] else 1
    yield Question(
        "order",
        f"Which appears first, the {one.name} or the {other.name}?",
        (one.name, other.name),
        (f"the {one.name}", f"the {other.name}"),
        first,
    )
    yield Question("read", "What is written on the sign?", (sign.name,))
    yield Question("whether", f"Is a {shown.name} ever seen?", (shown.name,))
    yield Question("absent", f"When is the {missing[0]} seen?", (missing[0],))
    start, end = shown.frames[0]
    wrong = [name for name in missing[1:] if name != shown.name][:3]
    options = [shown.name, *wrong]
    rng.shuffle(options)
    at_s = (start + end - 1) // 2 / FPS
    yield Question(
        "choice",
        f"Which of these is in the picture at {at_s:.1f} s?",
        tuple(options),
        tuple(f"the {name}" for name in options),
        options.index(shown.name),
        at_s,
    )
    balls = tuple(thing.name for thing in world.things[:-1])
    yield Question("summary", "Summarise this video with timestamps.", balls)
    in_order = sorted((once, one, other, shown), key=lambda thing: thing.frames[0])
    yield Question("steps", "Explain step by step what happens.", tuple(thing.name for thing in in_order))


def mark_parts(world: World, question: Question, parts: Sequence[tuple[float, float, str]]) -> PartsMark:
    """Compare the parts of an answer, each with start, end and text, with what is to be seen when."""
    true = [(name, span) for name in question.things for span in world.thing(name).spans]
    told, off_s, false = set(), list[float](), 0
    for start_s, end_s, text in parts:
        found = [
            place
            for place, (name, span) in enumerate(true)
            if name in text.casefold() and start_s < span.end_s and span.start_s < end_s
        ]
        false += not found
        told.update(found)
        if len(found) == 1:
            span = true[found[0]][1]
            off_s.append((abs(start_s - span.start_s) + abs(end_s - span.end_s)) / 2)
    return PartsMark(len(true), len(told), false, sum(off_s) / len(off_s) if off_s else 0.0)


def mark(world: World, question: Question, answer: Prediction) -> Mark:
    """Judge an answer: right, wrong, or no answer given (a "not found" of what is there is none)."""
    claims = answer.status == "answered" or (
        answer.status == "partial" and bool(answer.spans or answer.count)
    )
    if question.kind in IN_PARTS:
        return "right" if claims else "abstained"  # `mark_parts` tells how right
    if question.kind == "absent":
        return "wrong" if claims else "abstained" if answer.status == "cannot_judge" else "right"
    if not claims:
        return "abstained"
    return "right" if _right(world, question, answer) else "wrong"


def _right(world: World, question: Question, answer: Prediction) -> bool:
    thing = world.thing(question.things[0])
    if question.kind == "when":
        return bool(answer.spans) and _iou(answer.spans[0], thing.spans[0]) >= _LEAST_IOU
    if question.kind == "how long":
        length_s = thing.spans[0].length_s
        told_s = sum(span.length_s for span in answer.spans)
        return abs(told_s - length_s) <= max(2 / FPS, _DURATION_OFF * length_s)
    if question.kind == "count":
        return answer.count == len(thing.frames)
    if question.kind == "read":
        return _plain(thing.text) in _plain(answer.text)
    if question.kind == "whether":
        return not answer.text.casefold().startswith("no")
    return answer.choice == question.choice


def _occurrences(rng: random.Random, frames: int, longest: float, number: int) -> tuple[tuple[int, int], ...]:
    """Place occurrences apart from each other and from the ends, each of a length drawn evenly on a log scale."""
    shortest = 4.0
    lengths = [
        round(math.exp(rng.uniform(math.log(shortest), math.log(max(shortest + 1, longest)))))
        for _ in range(number)
    ]
    part = frames / number
    found = []
    for place, length in enumerate(lengths):
        length = min(length, int(part) - 12)
        first = round(place * part + rng.uniform(5, part - length - 5))
        found.append((first, first + length))
    return tuple(found)


def _iou(one: Span, other: Span) -> float:
    common = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    union = max(one.end_s, other.end_s) - min(one.start_s, other.start_s)
    return max(0.0, common) / union if union > 0 else 0.0


def _plain(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def slot_box(slot: int) -> tuple[int, int, int, int]:
    """Return the cell of a slot, in pixels of the drawn picture."""
    row, column = divmod(slot, 3)
    left, top = 110 + 120 * column, 10 + 86 * row
    return left, top, left + 110, top + 78


def names_in(text: str) -> Sequence[str]:
    """Return the names of things in a text, in order of appearance."""
    lower = text.casefold()
    found = [(lower.find(name), name) for name in (*NAMES, SIGN) if name in lower]
    return [name for _, name in sorted(found)]
