"""A simulated vision-language model, which reads from the pictures of a request what they show, as well as it can.

It plays every step of the agent (and the one call of the baseline) from the request alone: pictures by the codes in
them, tasks by the blocks of the prompt. What it knows while it plans is what it has itself seen in pictures that it
was shown, with the mistakes of its skill.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.observers.drawing import SIZE_WH, BrokenCodeError, Rgb, read_code
from benchmarks.observers.world import FPS, IN_PARTS, SIGN, Question, World, names_in, slot_box
from tests.scripted_server import (
    block_of,
    calls,
    claims_of,
    must_call,
    parts,
    routes,
    says,
    step_of,
    texts,
    tool_names,
)
from vidagent.graphs.strategies.gaps import ADVICE
from vidagent.images import jpeg

_LABEL = re.compile(r"t = (\d+\.\d+) s(?: crop (\d+),(\d+),(\d+),(\d+) px)?")
_GRID = re.compile(r"t = (.*) \(a grid of frames, row by row from the top left\)")
_SECONDS = re.compile(r"(\d+\.\d+) s\b")
_ENTRY = re.compile(r"^(L\d+) \w+ (\d+\.\d+)-(\d+\.\d+) s", re.MULTILINE)
_NO = re.compile(r"\b(no|not|never|nowhere|none)\b", re.IGNORECASE)
_ROUTES = {
    "when": "locate",
    "how long": "how_long",
    "count": "count",
    "order": "order",
    "read": "read",
    "whether": "whether",
    "absent": "locate",
    "choice": "at_time",
    "summary": "whole",
    "steps": "whole",
}
_OWN_TURNS = 3
"""Turns in which the planner looks of its own accord before it gives up."""


@dataclass(frozen=True)
class Skill:
    """How well a model sees and plans.

    Args:
        name: Its name in the table.
        forgets: Share of frames with the thing in which it does not see it.
        invents: Share of looks and checks in which it sees a thing that is not there.
        literal: Whether a claim is supported only if every word of it is to be seen in the pictures given.
        sloppy: Whether it gives times in whole seconds.
        early: Whether it answers without a look.
        repeats: Whether it asks for each look twice.
    """

    name: str
    forgets: float = 0.0
    invents: float = 0.0
    literal: bool = False
    sloppy: bool = False
    early: bool = False
    repeats: bool = False


SKILLS = {
    skill.name: skill
    for skill in (
        Skill("perfect"),
        Skill("literal", literal=True),
        Skill("forgetful-5", forgets=0.05),
        Skill("forgetful-10", forgets=0.10),
        Skill("forgetful-20", forgets=0.20),
        Skill("inventive-2", invents=0.02),
        Skill("inventive-5", invents=0.05),
        Skill("sloppy", sloppy=True),
        Skill("early-planner", early=True),
        Skill("repeating-planner", repeats=True),
    )
}


@dataclass(frozen=True)
class Picture:
    """A picture of a request: the time written beside it, the frame that it is, and the part it shows."""

    time_s: float
    number: int
    crop: tuple[int, int, int, int] | None


class Model:
    """The model in one run; called with each request's body.

    Args:
        world: What the video shows.
        question: The question of the run.
        skill: How well it sees.
        seed: What its mistakes are drawn from.

    Attributes:
        wrong_labels: Pictures whose label names another frame.
        broken: Pictures that no frame of the video is.
        draft: The last answer that it gave as the planner.
    """

    def __init__(self, world: World, question: Question, skill: Skill, seed: int) -> None:
        """Start with nothing seen."""
        self.world, self.question, self.skill = world, question, skill
        self.wrong_labels = self.broken = 0
        self.draft: dict[str, Any] = {}
        self._rng = random.Random(f"{skill.name} {seed} {question.text}")
        self._seen: dict[str, dict[float, bool]] = {}
        self._turns = 0
        self._halves = False

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        step = step_of(body)
        if step == "route":
            return self._route()
        if step == "plan":
            return self._plan(body)
        if step == "look":
            return self._look(body)
        if step == "describe" and self.question.kind in IN_PARTS:
            return self._describe(body)
        if step == "describe":
            return says(
                json.dumps({"scenes": [{"start_s": 0, "end_s": self.world.length_s, "what": "a scene"}]})
            )
        if step == "verify":
            return self._verify(body)
        return self._directly(body)

    # What is seen

    def _pictures(self, body: dict[str, Any]) -> list[Picture]:
        found, label, grid = [], None, None
        for part in parts(body):
            if part["type"] == "image_url" and label is not None:
                rgb = jpeg.decode(_data(part))
                found += self._picture(float(label[1]), rgb, label)
            elif part["type"] == "image_url" and grid is not None:
                found += self._cells(grid[1], jpeg.decode(_data(part)))
            label, grid = (form.fullmatch(part.get("text", "") or "") for form in (_LABEL, _GRID))
        return found

    def _cells(self, times: str, rgb: Rgb) -> list[Picture]:
        """Return the frames of a grid, of which `times` lists those of each row."""
        rows = [row.split(", ") for row in times.split(" / ")]
        height, width = rgb.shape[0] // len(rows), rgb.shape[1] // len(rows[0])
        return [
            picture
            for down, row in enumerate(rows)
            for across, time in enumerate(row)
            for picture in self._picture(
                float(time.removesuffix(" s")),
                rgb[down * height : (down + 1) * height, across * width : (across + 1) * width],
                None,
            )
        ]

    def _picture(self, time_s: float, rgb: Rgb, label: re.Match[str] | None) -> list[Picture]:
        if label is not None and label[2] is not None:
            crop = (int(label[2]), int(label[3]), int(label[4]), int(label[5]))
            return [Picture(time_s, int(time_s * FPS + 1e-6), crop)]
        try:
            number = read_code(rgb)
        except BrokenCodeError:
            self.broken += 1
            return []
        self.wrong_labels += abs(number / FPS - time_s) > 0.0006
        return [Picture(time_s, number, None)]

    def _sees(self, name: str, picture: Picture) -> bool:
        """Whether the thing is seen in a picture; the same picture is seen alike each time within one request only."""
        thing = self.world.thing(name)
        if not thing.visible(picture.number) or not _inside(picture.crop, thing.slot):
            return False
        return self._rng.random() >= self.skill.forgets

    def _observe(self, name: str, pictures: Sequence[Picture]) -> list[Picture]:
        """Return the pictures in which the thing is seen, and remember what was seen."""
        found = [picture for picture in pictures if self._sees(name, picture)]
        if not found and pictures and self._rng.random() < self.skill.invents:
            found = [self._rng.choice(list(pictures))]
        memory = self._seen.setdefault(name, {})
        for picture in pictures:
            memory[picture.time_s] = memory.get(picture.time_s, False) or picture in found
        return found

    # The steps

    def _route(self) -> dict[str, Any]:
        kind = _ROUTES[self.question.kind]
        at_s = self.question.at_s
        thing = self.question.things[0] if self.question.kind != "choice" else "what is in the picture"
        in_parts = self.question.kind in IN_PARTS
        return routes(
            kind, question=self.question.text, thing=thing, start_s=at_s, end_s=at_s, in_parts=in_parts
        )

    def _describe(self, body: dict[str, Any]) -> dict[str, Any]:
        """Describe frame by frame what is seen."""
        pictures = self._pictures(body)
        seen = {name: self._observe(name, pictures) for name in self.question.things}
        scenes = [
            {
                "start_s": picture.time_s,
                "end_s": picture.time_s,
                "what": ", ".join(name for name, found in seen.items() if picture in found) or "Nothing.",
            }
            for picture in pictures
        ]
        return says(json.dumps({"scenes": scenes}))

    def _look(self, body: dict[str, Any]) -> dict[str, Any]:
        names = self._asked(block_of(body, "looking_for") or "")
        pictures = self._pictures(body)
        found = {name: self._observe(name, pictures) for name in names}
        sightings = [
            {"time_s": self._time(picture.time_s), "text": self._text(name), "box": self._box(name, picture)}
            for name, seen in found.items()
            for picture in seen
        ]
        sightings.sort(key=lambda one: one["time_s"])
        what = " ".join(self._report(name, seen) for name, seen in found.items())
        told = {"found": bool(sightings), "what": what, "sightings": sightings, "confidence": 0.9}
        return says(json.dumps(told))

    def _verify(self, body: dict[str, Any]) -> dict[str, Any]:
        pictures = self._pictures(body)
        told = [
            {
                "claim": number,
                "why": f"I compared {claim!r}.",
                "verdict": self._verdict(
                    claim, [p for p in pictures if start_s is None or start_s <= p.time_s <= end_s]
                ),
                "confidence": 0.9,
            }
            for number, (claim, start_s, end_s) in enumerate(claims_of(body), 1)
        ]
        return says(json.dumps(told[0] if len(told) == 1 else {"verdicts": told}))

    def _verdict(self, claim: str, pictures: Sequence[Picture]) -> str:
        names = names_in(claim) or self._asked(claim)
        seen = {name: [p for p in pictures if self._sees(name, p)] for name in names}
        if self._rng.random() < self.skill.invents:
            return "supported"
        if _NO.search(claim):
            return "unsupported" if any(seen.values()) or not pictures else "supported"
        if not all(seen.values()):
            return "unsupported"
        if self.world.thing(SIGN).text and SIGN in names and '"' in claim:
            return "supported" if f'"{self.world.thing(SIGN).text}"' in claim else "unsupported"
        times = [float(number) for number in _SECONDS.findall(claim)]
        if self.skill.literal and times:
            shown = {round(picture.time_s, 3) for picture in pictures}
            return "supported" if all(round(t, 3) in shown for t in times) else "unsupported"
        if len(times) == 2:
            outside = [
                p for ps in seen.values() for p in ps if not times[0] - 0.06 <= p.time_s <= times[1] + 0.06
            ]
            missing = [
                p
                for name in names
                for p in pictures
                if times[0] <= p.time_s < times[1] and p not in seen[name]
            ]
            return "unsupported" if outside or missing else "supported"
        return "supported"

    def _plan(self, body: dict[str, Any]) -> dict[str, Any]:
        self._turns += 1
        for name in self.question.things:
            fresh = [p for p in self._pictures(body) if p.time_s not in self._seen.get(name, {})]
            self._observe(name, fresh)
        looks = [] if must_call(body) == "answer" or self.skill.early else self._looks(body)
        if looks and self._turns <= _OWN_TURNS:
            return calls(*(looks * 2 if self.skill.repeats else looks))
        self.draft = self._answer(body)
        return calls(("answer", self.draft))

    def _looks(self, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Return the looks that a careful planner asks for next, or none where it knows enough."""
        at_s, length_s = self.question.at_s, self.world.length_s
        if self.question.kind in IN_PARTS:
            return []
        if at_s is not None:
            if any(abs(time_s - at_s) <= 0.5 / FPS for seen in self._seen.values() for time_s in seen):
                return []
            named = ", ".join(self.question.things)
            window = {"start_s": max(0.0, at_s - 0.5), "end_s": min(length_s, at_s + 0.5)}
            return [("resample", {**window, "fps": FPS, "question": f"Which of these is seen: {named}?"})]
        missing = [name for name in self.question.things if not any(self._seen.get(name, {}).values())]
        if not missing:
            return []
        ask = f"Is the {missing[0]} seen?"
        if len(missing) == len(self.question.things) and ADVICE in texts(body):
            return []
        if self._turns == 1 and "search" in tool_names(body):
            return [("search", {"query": missing[0], "question": ask})]
        if self._halves:
            return []
        self._halves = True
        half = length_s / 2
        return [
            ("clip", {"start_s": 0.0, "end_s": half, "question": ask}),
            ("clip", {"start_s": half, "end_s": length_s, "question": ask}),
        ]

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the draft: what was seen, with claims that a frame can show."""
        found = {name: self._places(name) for name in self.question.things}
        ledger = block_of(body, "ledger") or ""
        known = {name: places for name, places in found.items() if places}
        if known and self.question.kind in IN_PARTS:
            return {"found": "yes", "answer": "Things are seen.", "parts": self._parts(), "confidence": 0.9}
        if not known or (
            self.question.kind not in {"choice", "order"} and not found[self.question.things[0]]
        ):
            return {"found": "no", "answer": self._denial(), "claims": [], "spans": [], "confidence": 0.7}
        claims = [self._claim(name, place, ledger) for name, places in known.items() for place in places]
        first = known.get(self.question.things[0], next(iter(known.values())))
        spans = [{"start_s": self._time(start), "end_s": self._time(end)} for start, _, end in first]
        draft = {"found": "yes", "answer": self._words(known), "claims": claims[:40], "confidence": 0.9}
        if self.question.kind not in {"order", "read", "choice"}:
            draft["spans"] = spans
        if self.question.kind == "count":
            draft["count"] = len(first)
        if self._choice() is not None:
            draft["choice"] = self._choice()
        return draft

    def _directly(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer at once from frames of the whole video."""
        pictures = self._pictures(body)
        for name in self.question.things:
            self._observe(name, pictures)
        found = {name: self._places(name) for name in self.question.things if self._places(name)}
        if not found:
            return says(json.dumps({"answer": self._denial(), "found": False, "choice": None, "count": None}))
        if self.question.kind in IN_PARTS:
            return says(json.dumps({"answer": "Things are seen.", "found": True, "parts": self._parts()}))
        places = next(iter(found.values()))
        told = {
            "answer": self._words(found),
            "found": True,
            "choice": self._choice(),
            "start_s": self._time(places[0][0]),
            "end_s": self._time(places[0][2]),
            "count": len(places) if self.question.kind == "count" else None,
            "confidence": 0.9,
        }
        return says(json.dumps(told))

    # What it says

    def _places(self, name: str) -> list[tuple[float, float, float]]:
        """Return where a thing was seen: first time, last time, and the next time at which it was not."""
        memory = sorted(self._seen.get(name, {}).items())
        found: list[tuple[float, float, float]] = []
        start = last = None
        for time_s, seen in memory:
            if seen:
                start, last = time_s if start is None else start, time_s
            elif start is not None and last is not None:
                found.append((start, last, time_s))
                start = None
        if start is not None and last is not None:
            found.append((start, last, min(self.world.length_s, last + 1 / FPS)))
        return found

    def _parts(self) -> list[dict[str, Any]]:
        """Return a part for each time that something was seen."""
        return [
            {"start_s": self._time(start), "end_s": self._time(end), "text": f"The {name} is seen."}
            for name in self.question.things
            for start, _, end in self._places(name)
        ]

    def _claim(self, name: str, place: tuple[float, float, float], ledger: str) -> dict[str, Any]:
        start, _, end = place
        text = f"The {name} is seen at {self._time(start):.3f} s."
        if name == SIGN:
            text = f'The sign says "{self._text(name)}".'
        elif self.question.kind in {"when", "how long"}:
            text = f"The {name} is seen from {self._time(start):.3f} s to {self._time(end):.3f} s."
        entries = [(float(m[3]) - float(m[2]), m[1]) for m in _ENTRY.finditer(ledger)]
        holding = [
            (width, entry)
            for (width, entry), m in zip(entries, _ENTRY.finditer(ledger), strict=True)
            if float(m[2]) - 1e-3 <= start <= float(m[3]) + 1e-3
        ]
        return {"text": text, "ledger": [min(holding)[1]] if holding else ["L0"], "time_s": self._time(start)}

    def _choice(self) -> int | None:
        """Return the option that fits what was seen, or None."""
        if self.question.options is None:
            return None
        if self.question.at_s is not None:
            near = {
                name: any(
                    seen and abs(t - self.question.at_s) <= 0.6
                    for t, seen in self._seen.get(name, {}).items()
                )
                for name in self.question.things
            }
            chosen = [place for place, name in enumerate(self.question.things) if near[name]]
            return chosen[0] if chosen else None
        starts = [self._places(name)[0][0] if self._places(name) else None for name in self.question.things]
        known = [(start, place) for place, start in enumerate(starts) if start is not None]
        return min(known)[1] if known else None

    def _words(self, known: dict[str, list[tuple[float, float, float]]]) -> str:
        if self.question.kind == "read":
            return f'The sign says "{self._text(SIGN)}".'
        if self.question.kind == "whether":
            return f"Yes, the {next(iter(known))} is seen."
        if (choice := self._choice()) is not None and self.question.options:
            return f"It is {self.question.options[choice]}."
        name, places = next(iter(known.items()))
        if self.question.kind == "count":
            return f"In all, the {name} turns up {len(places)} times."
        start, _, end = places[0]
        return f"One can see the {name} from {self._time(start):.3f} s to {self._time(end):.3f} s."

    def _denial(self) -> str:
        return f"No {self.question.things[0]} is seen."

    def _report(self, name: str, seen: Sequence[Picture]) -> str:
        if not seen:
            return f"No {name} is visible in these frames."
        words = f' It says "{self._text(name)}".' if name == SIGN else ""
        start_s, end_s = self._time(seen[0].time_s), self._time(seen[-1].time_s)
        return f"The {name} is visible from {start_s:.3f} s to {end_s:.3f} s.{words}"

    def _time(self, time_s: float) -> float:
        return float(round(time_s)) if self.skill.sloppy else round(time_s, 3)

    def _text(self, name: str) -> str | None:
        return self.world.thing(name).text or None

    def _box(self, name: str, picture: Picture) -> list[float] | None:
        if picture.crop is not None:
            return None
        left, top, right, bottom = slot_box(self.world.thing(name).slot)
        across, down = 1000 / SIZE_WH[0], 1000 / SIZE_WH[1]
        return [left * across, top * down, right * across, bottom * down]

    def _asked(self, text: str) -> Sequence[str]:
        """Return the things that a text asks about, else those of the question."""
        return names_in(text) or self.question.things


def _data(part: dict[str, Any]) -> bytes:
    return base64.b64decode(part["image_url"]["url"].partition(",")[2])


def _inside(crop: tuple[int, int, int, int] | None, slot: int) -> bool:
    """Whether most of a slot is in the part of the picture that is shown."""
    if crop is None:
        return True
    left, top, right, bottom = slot_box(slot)
    across = min(right, crop[2]) - max(left, crop[0])
    down = min(bottom, crop[3]) - max(top, crop[1])
    return across > 0 and down > 0 and across * down >= 0.5 * (right - left) * (bottom - top)
