"""Long videos with hidden events, drawn from a seed, and the questions about them with their true answers.

Scenes are encoded once; a video of any length is made by copying their packets. Only scenes that carry an event are
encoded anew, so that ten hours take about as long to make as one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.long_video import FPS, encode, join
from benchmarks.needle_events import Corner, Event, Kind, event, new_code, new_text, shown_over
from benchmarks.needle_footage import SCENES, scene

Wants = Literal["time", "text", "count", "nothing"]

SETS: dict[str, tuple[tuple[Kind, float], ...]] = {
    "mixed": (
        ("text", 0.2),
        ("text", 0.4),
        ("text", 0.8),
        ("text", 2.0),
        ("small text", 2.0),
        ("QR code", 0.4),
        ("barcode", 1.0),
        ("shapes", 3.0),
    ),
    "brief": (("text", 0.4),) * 10,
}
"""What is hidden in a video: kinds of events, and for how many seconds each is shown."""

_ORDINALS = ("first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True)
class Question:
    """A question and what is true.

    Args:
        id: Its name within the video.
        kind: What it is about.
        text: The question.
        wants: What the answer has to give.
        start_s: Time of the first frame that shows it; None for what is not there or has no place.
        end_s: Time of the first frame after it.
        answer: The true text or count.
        at_s: The time that the question names.
    """

    id: str
    kind: str
    text: str
    wants: Wants
    start_s: float | None = None
    end_s: float | None = None
    answer: str | None = None
    at_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class _Hidden:
    """An event and where it is, in frames from the start of the video."""

    event: Event
    first: int

    @property
    def start_s(self) -> float:
        return self.first / FPS

    @property
    def end_s(self) -> float:
        return (self.first + self.event.frames) / FPS


def draw(
    path: Path, scenes: Path, *, duration_s: float, seed: int, hidden: str = "mixed", absent: int = 0
) -> list[Question]:
    """Write a video and return its questions.

    Args:
        path: The file to write.
        scenes: A folder that keeps the encoded scenes for the next video.
        duration_s: Least length; the last scene is shown whole.
        seed: What it is drawn from.
        hidden: Name of a set in `SETS`.
        absent: How many questions about texts that are not there to ask besides.

    Raises:
        ValueError: If the video has fewer scenes than events.
    """
    chance = random.Random(f"{hidden} {duration_s:g} {seed}")
    order = _order(duration_s, chance)
    events = [event(kind, shown_s, chance) for kind, shown_s in SETS[hidden]]
    if len(order) < len(events):
        raise ValueError(f"{duration_s:g} s hold {len(order)} scenes, fewer than {len(events)} events")
    parts = [_scene_file(number, scenes) for number in order]
    starts = [0]
    for _, frames in parts:
        starts.append(starts[-1] + frames)
    found, places = [], chance.sample(range(len(order)), len(events))
    for number, (place, one) in enumerate(zip(places, events, strict=True)):
        first = chance.randrange(parts[place][1] - one.frames + 1)
        part = path.with_suffix(f".event{number}.mp4")
        encode(shown_over(scene(order[place]), one, first), part)
        parts[place] = (part, parts[place][1])
        found.append(_Hidden(one, starts[place] + first))
    join(parts, path)
    for number in range(len(events)):
        path.with_suffix(f".event{number}.mp4").unlink()
    return [*_questions(found, starts[1:-1], chance), *_more_absent(found, absent, chance)]


def _order(duration_s: float, chance: random.Random) -> list[int]:
    """Choose scenes until the video is long enough, never the same twice in a row: each join is a cut."""
    order: list[int] = []
    total = 0
    while total < duration_s * FPS:
        order.append(chance.choice([number for number in range(SCENES) if number not in order[-1:]]))
        total += scene(order[-1]).frames
    return order


def _scene_file(number: int, folder: Path) -> tuple[Path, int]:
    made, path = scene(number), folder / f"scene{number}.mp4"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        encode(made.pictures(), path.with_suffix(".new.mp4"))
        path.with_suffix(".new.mp4").rename(path)
    return path, made.frames


def _questions(found: Sequence[_Hidden], cuts: Sequence[int], chance: random.Random) -> list[Question]:
    asked = [_shown(number, hidden) for number, hidden in enumerate(found)]
    for number, hidden in enumerate(found):
        if hidden.event.corner is not None:
            asked.append(_read(f"read{number}", hidden, hidden.event.corner))
    if any(hidden.event.kind == "shapes" for hidden in found):
        asked += _about_cuts(cuts, chance)
    return asked + _absent(found, chance)


def _shown(number: int, hidden: _Hidden) -> Question:
    one = hidden.event
    if one.kind == "shapes":
        text = f"How many yellow circles cross the picture between {hidden.start_s:.0f} s and {hidden.end_s:.0f} s?"
        return Question(f"shapes{number}", "shapes", text, "count", answer=one.what)
    said = "text" if one.kind == "small text" else one.kind
    kind = f"{one.kind}, {one.frames / FPS:g} s"
    text = f'When does the {said} "{one.what}" appear?'
    return Question(f"when{number}", kind, text, "time", hidden.start_s, hidden.end_s)


def _read(name: str, hidden: _Hidden, corner: Corner) -> Question:
    at_s = round((hidden.start_s + hidden.end_s) / 2, 1)
    text = f"What does the small text in the {corner} corner say at {at_s:.1f} s?"
    return Question(name, "small text, read", text, "text", answer=hidden.event.what, at_s=at_s)


def _about_cuts(cuts: Sequence[int], chance: random.Random) -> list[Question]:
    number = chance.randrange(min(len(cuts), len(_ORDINALS)))
    start_s = cuts[number] / FPS
    when = f"When is the {_ORDINALS[number]} cut?"
    return [
        Question("cuts", "cuts, how many", "How many cuts are there?", "count", answer=str(len(cuts))),
        Question("cut", "cut, when", when, "time", start_s, start_s + 1 / FPS, answer=str(number + 1)),
    ]


def _absent(found: Sequence[_Hidden], chance: random.Random) -> list[Question]:
    """Ask for what is not there: texts that differ from hidden ones in a digit, one of other words, and a code."""
    there = {hidden.event.what for hidden in found}
    texts = [hidden.event.what for hidden in found if "text" in hidden.event.kind]
    wanted = [_other_digit(text, there, chance) for text in chance.sample(texts, 2)]
    wanted.append(next(text for text in iter(lambda: new_text(chance), "") if text not in there))
    asked = [_not_there(f"absent{number}", text) for number, text in enumerate(wanted)]
    code = f'When does the QR code "{new_code(chance)}" appear?'
    return [*asked, Question("absent-code", "absent", code, "nothing")]


def _more_absent(found: Sequence[_Hidden], number: int, chance: random.Random) -> list[Question]:
    """Ask for more texts that are not there: every other one differs from a hidden one in a digit."""
    there = {hidden.event.what for hidden in found}
    texts = [hidden.event.what for hidden in found if "text" in hidden.event.kind]
    asked: list[Question] = []
    while len(asked) < number:
        near = len(asked) % 2 == 0
        text = _other_digit(chance.choice(texts), there, chance) if near else new_text(chance)
        if text not in there:
            there.add(text)
            asked.append(_not_there(f"more-absent{len(asked)}", text))
    return asked


def _not_there(name: str, text: str) -> Question:
    return Question(name, "absent", f'When does the text "{text}" appear?', "nothing")


def _other_digit(text: str, there: set[str], chance: random.Random) -> str:
    """Change one of the last four digits."""
    while True:
        place = chance.randrange(len(text) - 4, len(text))
        changed = f"{text[:place]}{chance.randrange(10)}{text[place + 1 :]}"
        if changed not in there:
            return changed
