"""The typed replies of a model that classifies a question, looks and judges.

Their docstrings and field descriptions are prompts: they are part of the schemas that servers get. Reading is lenient,
because small models are imprecise: a time may come as `"0:42.5"` or `"t = 42.500 s"`, a confidence as `"high"` or `85`,
and what cannot be understood is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.fields import FieldInfo

Judged = Literal["supported", "partial", "unsupported", "cannot_tell"]
"""The verdicts of a check; `cannot_tell` asks for better frames, and is never part of an answer."""

Detail = Literal["brief", "normal", "detailed"]
"""How long an answer the asker wants."""

Kind = Literal[
    "whole", "at_time", "locate", "count", "order", "read", "speech", "how_long", "whether", "choice"
]
"""The kinds of questions; `agents/prompting/prompts/route.md` says what each means."""

MOST_CHARACTERS = 600
"""Most characters of a text whose field sets no limit of its own; servers end it there."""

_CONFIDENCE_WORDS = {
    "very low": 0.1,
    "low": 0.3,
    "medium": 0.5,
    "moderate": 0.5,
    "high": 0.8,
    "very high": 0.95,
    "certain": 1.0,
}
_MOST_OPTIONS = 9999
_MOST_SIGHTINGS = 512
"""Several times as many as a look has frames."""
_YES = {"true", "yes", "y", "found", "visible", "present"}
_NO = {"false", "no", "n", "not found", "not visible", "absent"}
_TIME = re.compile(r"(?:(\d+):)?(?:(\d+):)?(\d+(?:\.\d+)?)")
_FRAME_NUMBER = re.compile(r"\bframe\s*#?\d+\b", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def _seconds(value: object) -> object:
    """Read `"0:42.5"`, `"1:00:02"`, `"t = 42.500 s"` or `"Frame 3 sampled at 42.50 seconds"` as seconds."""
    match = _TIME.search(_FRAME_NUMBER.sub("", value)) if isinstance(value, str) else None
    if match is None:
        return value
    hours, minutes, seconds = match.groups()
    if hours is not None and minutes is None:
        hours, minutes = None, hours
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def _words(value: object) -> object:
    """Read null as an empty text, and a list as lines."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(str(item) for item in value)
    return value if isinstance(value, str) else str(value)


def _maybe_words(value: object) -> object:
    text = _words(value)
    empty = not text or str(text).strip().casefold() in {"null", "none", "n/a"}
    return None if empty else text


def _truth(value: object) -> bool | None:
    """Read yes and no in words; anything else means "cannot be judged"."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().strip(".").casefold()
    return True if word in _YES else False if word in _NO else None


def _confidence(value: object) -> float:
    """Read words, fractions and percentages as 0 to 1."""
    if isinstance(value, str):
        word = value.strip().casefold()
        number = _NUMBER.search(word)
        if number is None:
            return _CONFIDENCE_WORDS.get(word, 0.5)
        value = float(number[0]) / (100 if "%" in word else 1)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return 0.5
    return min(max(value / 100 if 1 < value <= 100 else value, 0.0), 1.0)


def numbers(value: object) -> tuple[float, ...] | None:
    """Return the two or four finite numbers of a point or a box; None for anything else."""
    if isinstance(value, str):
        value = [float(number) for number in _NUMBER.findall(value)]
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if not isinstance(value, list | tuple) or len(value) not in {2, 4}:
        return None
    if not all(isinstance(side, int | float) and math.isfinite(side) for side in value):
        return None
    return tuple(map(float, value))


def ordered(box: Sequence[float]) -> tuple[float, float, float, float] | None:
    """Return four numbers that span an area, clipped to 0..1000, in order; None if they span none."""
    x0, y0, x1, y1 = (min(max(side, 0.0), 1000.0) for side in box)
    left, top, right, bottom = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _box(value: object) -> tuple[float, float, float, float] | None:
    """Read a box in thousandths, or in fractions of the picture, which none of less than a thousandth is."""
    sides = numbers(value)
    if sides is None or len(sides) != 4:
        return None
    return ordered([side * 1000 for side in sides] if max(sides) <= 1 else sides)


def _verdict(value: object) -> object:
    """Find the verdict in a word or a phrase such as "not supported"."""
    if not isinstance(value, str):
        return value
    text = value.casefold()
    if re.search(
        r"\bcan(?:not|['’]t|[ _]not)[ _](?:tell|be )|\bunclear\b|\bundecided\b|\bnot enough\b", text
    ):
        return "cannot_tell"
    if re.search(r"\bunsupport|\bnot\s+(\w+\s+)?support|\bcontradict|\brefute|\bfalse\b|^\s*no\b", text):
        return "unsupported"
    if re.search(r"\bpartial", text):
        return "partial"
    if re.search(r"\bsupport|\bconfirm|\btrue\b|^\s*yes\b", text):
        return "supported"
    return value


def _judgements(value: object) -> object:
    """Return the usable verdicts; one for a claim without its number is the one at that place in the list."""
    entries = value if isinstance(value, list) else [value]
    return [
        entry if isinstance(entry, BaseModel) else {"claim": place, **entry}
        for place, entry in enumerate(entries, 1)
        if isinstance(entry, BaseModel)
        or (isinstance(entry, dict) and _verdict(entry.get("verdict")) in get_args(Judged))
    ]


def read_choice(value: object) -> int | None:
    """Read `2`, `"2. a cup"`, `"(C)"` or `"option 2"` as an index."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value) if 0 <= value <= _MOST_OPTIONS else None
    text = str(value).strip()
    if letter := re.fullmatch(r"\(?([A-Za-z])\)?(?:[.):].*)?", text, re.DOTALL):
        return ord(letter[1].upper()) - ord("A")
    number = re.match(r"\D{0,10}(\d{1,4})(?!\d)", text)
    return int(number[1]) if number else None


def _kind(value: object) -> object:
    """Find a kind in a phrase such as `"Kind: how-long"`."""
    if not isinstance(value, str):
        return value
    words = re.sub(r"[\s-]+", "_", value.strip().casefold())
    return next((kind for kind in get_args(Kind) if re.search(rf"(?:\b|_){kind}(?:\b|_)", words)), value)


def _is_true(value: object) -> bool:
    return _truth(value) is True


def _detail(value: object) -> object:
    """Find how long an answer is wanted in a word or a phrase; anything else is normal."""
    word = str(value).strip().casefold()
    return next((detail for detail in get_args(Detail) if detail in word), "normal")


def _maybe_seconds(value: object) -> object:
    """Read a time; return None for anything else."""
    seconds = _seconds(value)
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds)
    return seconds if known else None


def _side(value: object) -> object:
    word = str(value).strip().casefold()
    return word if word in {"before", "after"} else None


def timed_entries(value: object) -> object:
    """Return the first entries that have a time; a single entry or a bare time counts as one."""
    if value is None:
        return []
    entries = value[:_MOST_SIGHTINGS] if isinstance(value, list) else [value]
    timed = [entry if isinstance(entry, Sighting | dict) else {"time_s": entry} for entry in entries]
    return [entry for entry in timed if isinstance(entry, Sighting) or _has_time(entry)]


def _has_time(entry: dict[str, Any]) -> bool:
    time_s = _seconds(entry.get("time_s"))
    return isinstance(time_s, int | float) and math.isfinite(time_s)


def _all_required(schema: dict[str, Any]) -> None:
    """Ask the model for every field, though a missing one is accepted."""
    schema["required"] = list(schema["properties"])
    schema["additionalProperties"] = False
    for field in schema["properties"].values():
        field.pop("default", None)


Seconds = Annotated[float, BeforeValidator(_seconds)]
MaybeSeconds = Annotated[float | None, BeforeValidator(_maybe_seconds)]
Words = Annotated[str, BeforeValidator(_words)]
LongWords = Annotated[str, BeforeValidator(_words), WithJsonSchema({"type": "string", "maxLength": 4000})]
"""Text that holds all that was seen or is answered; what does not fit is asked for again, never cut."""
MaybeWords = Annotated[str | None, BeforeValidator(_maybe_words)]
Truth = Annotated[bool | None, BeforeValidator(_truth)]
Confidence = Annotated[
    float,
    BeforeValidator(_confidence),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1}),
]
ThousandthBox = Annotated[
    tuple[float, float, float, float] | None,
    BeforeValidator(_box),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
                {"type": "null"},
            ]
        }
    ),
]


class Reply(BaseModel):
    """A reply in JSON: every field is asked for, unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_extra=_all_required)


class Route(Reply):
    """What kind of question it is, and what has to be looked for."""

    question: Words = Field(
        default="",
        description="the question so that it can be understood alone, in the same language: what it takes from "
        "<earlier> is put in, with the times it stands for; without <earlier>, the question unchanged",
    )
    kind: Annotated[Kind, BeforeValidator(_kind)] = Field(description="the kind of question, one of the ten")
    thing: Words = Field(
        default="",
        description="what somebody who sees the frames but not the question is to look for, in a few words: one "
        "thing or event, with all that tells it apart",
    )
    start_s: MaybeSeconds = Field(
        default=None,
        description="where the part of the video that is asked about begins, in seconds; null for the beginning",
    )
    end_s: MaybeSeconds = Field(default=None, description="where that part ends; null for the end")
    anchor: MaybeWords = Field(
        default=None,
        description="for `order`: the event before or after which something is asked for; else null",
    )
    side: Annotated[Literal["before", "after"] | None, BeforeValidator(_side)] = Field(
        default=None, description="for `order`: on which side of it; else null"
    )
    within_picture: Annotated[bool, BeforeValidator(_is_true)] = Field(
        default=False,
        description="for `count`: true if the things to be counted are all in the picture at the same time, so that "
        "one good frame shows the number; else false",
    )
    times: Truth = Field(
        default=None,
        description="true if the answer has to say when something is or how long it lasts; false if a number, a name, "
        "an option, or yes or no is all that is asked for",
    )
    in_parts: Annotated[bool, BeforeValidator(_is_true)] = Field(
        default=False,
        description="true if a good answer may have several parts, each with its own time: what happens from beginning "
        "to end, step by step, or everything of a certain kind, however much of it there is; false if one statement "
        "answers it, also one that says when something is",
    )
    detail: Annotated[Detail, BeforeValidator(_detail)] = Field(
        default="normal",
        description='how long the answer is wanted: "brief" or "detailed" where the question asks for that, '
        'else "normal"',
    )


class Sighting(Reply):
    """One frame in which the thing asked about is visible."""

    time_s: Seconds = Field(description="the time written beside the frame, in seconds, copied exactly")
    text: MaybeWords = Field(
        default=None,
        description="text read in this frame, letter by letter, if text was asked about; else null",
    )
    box: ThousandthBox = Field(
        default=None,
        description="where it is in the picture: [left, top, right, bottom], each from 0 to 1000; "
        "null if it has no place",
    )


class Observation(Reply):
    """What one look at some frames showed."""

    found: Truth = Field(
        default=None,
        description="true if these frames show it, false if they clearly do not, "
        "null if it cannot be judged from these pictures",
    )
    what: LongWords = Field(
        default="",
        description="what is visible that answers the question, with frame times: one to three sentences, or one for "
        "each thing or event if several are asked about; if it is not there, what is there instead",
    )
    sightings: Annotated[list[Sighting], BeforeValidator(timed_entries)] = Field(
        default_factory=list,
        description="one entry for EVERY frame in which it is visible, in order; [] if it is in none",
    )
    confidence: Confidence = Field(default=0.5, description="how sure you are, from 0 to 1")


class Scene(Reply):
    """What some neighbouring frames of an overview show."""

    start_s: Seconds = Field(description="time of the first of these frames, in seconds, copied exactly")
    end_s: Seconds = Field(description="time of the last of them")
    what: LongWords = Field(description="who and what is visible and what happens, in one or two sentences")


class Description(Reply):
    """What an overview shows, frame by frame or in groups of alike frames."""

    scenes: list[Scene] = Field(
        min_length=1,
        json_schema_extra={"maxItems": 128},
        description="the entries, in order: one for each run of alike frames, or for each shot if asked shot by shot",
    )


class Judgement(Reply):
    """The verdict of a fresh pair of eyes on one claim."""

    why: Words = Field(
        default="", description="one or two sentences: what the frames show for or against the claim"
    )
    verdict: Annotated[Judged, BeforeValidator(_verdict)] = Field(
        description='"supported" if the frames show all that the claim says is to be seen, "partial" if they show '
        'some of it and rule out none, "unsupported" if they show that it is not so, "cannot_tell" if they neither '
        "show it nor rule it out"
    )
    best_s: MaybeSeconds = Field(
        default=None,
        description="the time written beside the one frame that shows it best, copied exactly; null if none does",
    )
    confidence: Confidence = Field(default=0.5, description="how sure you are, from 0 to 1")


class _Numbered(Reply):
    """An entry of a list of verdicts, by the claim's number."""

    claim: int = Field(description="the number of the claim")


class ClaimJudgement(Judgement, _Numbered):
    """The verdict on one of several claims."""


class Judgements(Reply):
    """The verdicts of a fresh pair of eyes on several claims."""

    verdicts: Annotated[list[ClaimJudgement], BeforeValidator(_judgements)] = Field(
        json_schema_extra={"maxItems": 128}, description="one entry for EVERY claim, in order"
    )


def limit_of(field: FieldInfo) -> int | None:
    """Return the most characters of a text field; None for another one, and for a text of the usual limit."""
    schemas = (item.json_schema or {} for item in field.metadata if isinstance(item, WithJsonSchema))
    return next((schema["maxLength"] for schema in schemas if "maxLength" in schema), None)


def outline(schema: type[BaseModel], indent: int = 0) -> str:
    """Describe a reply's JSON, field by field, for a prompt."""
    lines = []
    for name, field in schema.model_fields.items():
        limit = limit_of(field)
        most = "" if limit is None else f"; at most {limit:,} characters"
        lines.append(f'{"  " * indent}- "{name}": {field.description}{most}')
        inner = [arg for arg in get_args(field.annotation) if isinstance(arg, type)]
        lines += [outline(arg, indent + 1) for arg in inner if issubclass(arg, BaseModel)]
    return "\n".join(lines)
