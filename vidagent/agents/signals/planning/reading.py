"""Planning for questions about unknown text: at a time, in a corner, or on a colour."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import Intent
from vidagent.agents.signals.language.matching import normal
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Line, Past, Result
from vidagent.agents.signals.planning.search import first_look, next_page, scope_of
from vidagent.agents.signals.planning.text_fields import Reading, choose, rule_for

_MAX_PAGES = 2
_MAX_CLIPS = 2
_AFTER_S = 2.0
_SAME_S = 2e-3
_VOTE_OFFSETS_S = (-0.4, -0.2, 0.2, 0.4)
_SMALL_PX = 20
"""Boxes have a margin: letters of 8 px have one of 14 to 17 px."""
_CORNERS = {
    "upper left|top left|top-left|upper-left": "3x3:1,1",
    "upper right|top right|top-right|upper-right": "3x3:1,3",
    "lower left|bottom left|bottom-left|lower-left": "3x3:3,1",
    "lower right|bottom right|bottom-right|lower-right": "3x3:3,3",
    r"\bcorners?\b|\bsmall\b|\btiny\b": "2x2",
}


def sub_question(intent: Intent) -> str:
    """Return the question about the frames: all text, highlighted text, or text on one colour."""
    if re.search(r"\b(?:selected|chosen|highlighted|marked|picked)\b", intent.question):
        return wording.HIGHLIGHTED
    if intent.colour and re.search(rf"\b(?:on|in) (?:the|a)\b.*\b{intent.colour}\b", intent.question):
        return wording.on_background(intent.colour)
    return wording.ANY_TEXT


def read(intent: Intent, options: Sequence[str] | None, past: Past) -> list[ToolCall]:
    """Return the next tool calls of a reading question, or the answer."""
    if not options and rule_for(intent.question) is None:
        return [tool_calls.answer("cannot_judge", wording.CANNOT_JUDGE, confidence=0.0)]
    question = sub_question(intent)
    lines = (
        _lines(question, scope_of(intent, past), past) if intent.at_s is None else _at(intent, question, past)
    )
    reading = _reading(intent, options, lines)
    todo = _next_looks(intent, question, past, reading)
    if todo:
        return todo
    if reading is None:
        return [_answer_unread(intent, question, lines, past)]
    return [_answer(reading, options, past)]


def _lines(question: str, scope: tuple[float, float] | None, past: Past) -> list[Line]:
    low, high = scope or (0.0, past.duration_s)
    lines = [line for result in past.asked(question) for line in result.lines if line.text]
    return [line for line in lines if low - past.frame_s <= line.time_s <= high]


def _reading(intent: Intent, options: Sequence[str] | None, lines: Sequence[Line]) -> Reading | None:
    if options:
        named = [(option_named(line.text, options), line) for line in lines]
        hits = [(choice, line) for choice, line in named if choice is not None]
        return Reading(options[hits[0][0]], hits[0][1]) if len({choice for choice, _ in hits}) == 1 else None
    return choose(intent.question, lines)


def option_named(text: str, options: Sequence[str]) -> int | None:
    """Return the index of the option with the same letters and digits as a text, or None."""
    plain = re.sub(r"\W", "", text.casefold())
    for index, option in enumerate(options):
        if plain and plain == re.sub(r"\W", "", option.casefold()):
            return index
    return None


def _next_looks(intent: Intent, question: str, past: Past, reading: Reading | None) -> list[ToolCall]:
    looked = past.asked(question)
    if intent.at_s is not None:
        return _at_a_time(intent, question, past)
    if not looked:
        return [first_look(intent, question, past)]
    todo = None if reading else next_page(question, _MAX_PAGES, past)
    if todo is None and reading is None and past.has("clip"):
        todo = _look_after(question, past)
    return [] if todo is None else [todo]


def _look_after(question: str, past: Past) -> ToolCall | None:
    """Look at the seconds after the frames with most running words, as their text may still have been growing."""
    words: Counter[float] = Counter()
    for result in past.asked(question):
        if result.tool == "search":
            words.update({line.time_s: len(line.text.split()) for line in result.lines if running(line.text)})
    looked = [float(result.told["start_s"]) for result in past.asked(question) if result.tool == "clip"]
    for time_s, _ in words.most_common():
        if len(looked) < _MAX_CLIPS and all(abs(time_s - start_s) > _AFTER_S for start_s in looked):
            return tool_calls.clip(time_s, min(past.duration_s, time_s + _AFTER_S), question)
    return None


def running(text: str) -> bool:
    """Return whether a line looks like part of a sentence: at least four words, no digits or file names."""
    words = [word for word in text.split() if re.fullmatch(r"[^\W\d_]+(?:['’-][^\W\d_]+)*[.,;:!?]?", word)]
    return len(words) >= 4 and len(words) == len(text.split())


def _at_a_time(intent: Intent, question: str, past: Past) -> list[ToolCall]:
    """Look at the instant in question; read small text in a corner in the surrounding frames too."""
    corner = _corner(intent, past)
    shown = _shown_at(intent, question, past)
    if corner is None:
        return [] if shown else [first_look(intent, question, past)]
    if not shown:
        return [tool_calls.crop(intent.at_s or 0.0, corner, question)]
    if not any(_is_small(line) for look in shown for line in look.lines):
        return []
    cropped = {float(look.args["time_s"]) for look in past.asked(question) if look.args.get("grid") == corner}
    new = [time_s for time_s in _vote_times(intent, past) if time_s not in cropped]
    return [tool_calls.crop(time_s, corner, question) for time_s in new]


def _vote_times(intent: Intent, past: Past) -> list[float]:
    near = (round((intent.at_s or 0.0) + away_s, 3) for away_s in _VOTE_OFFSETS_S)
    return [time_s for time_s in near if 0 <= time_s < past.duration_s - past.frame_s]


def _is_small(line: Line) -> bool:
    return line.box_px is not None and line.box_px[3] - line.box_px[1] <= _SMALL_PX


def voted(line: Line, lines: Sequence[Line]) -> Line:
    """Return the most frequent reading of a small line in neighbouring frames.

    Only readings with the same place, length and digits vote: another text, a growing one or a running clock is no
    misreading.
    """
    others = [other for other in lines if _same_line(line, other)]
    votes = Counter(normal(other.text) for other in others)
    most, often = votes.most_common(1)[0] if votes else ("", 0)
    if votes[normal(line.text)] == often:
        return line
    return next(other for other in others if normal(other.text) == most)


def _same_line(one: Line, other: Line) -> bool:
    if one.box_px is None or other.box_px is None or not _is_small(one):
        return False
    a, b = normal(one.text), normal(other.text)
    apart = [(x, y) for x, y in zip(a, b, strict=False) if x != y]
    near = all(abs(x - y) <= _SMALL_PX for x, y in zip(one.box_px, other.box_px, strict=True))
    alike = len(a) == len(b) and len(apart) <= max(1, len(a) // 4)
    return near and alike and not any(x.isdigit() or y.isdigit() for x, y in apart)


def _corner(intent: Intent, past: Past) -> str | None:
    """Return the grid cell in question, or None if there is none or `crop` is not available."""
    named = (grid for words, grid in _CORNERS.items() if re.search(words, intent.question))
    return next(named, None) if past.has("crop") else None


def _shown_at(intent: Intent, question: str, past: Past) -> list[Result]:
    """Return the looks that showed the frame at the time in question, or the corner of it in question."""
    at_s, corner = (scope_of(intent, past) or (0.0, 0.0))[0], _corner(intent, past)
    looks = [look for look in past.asked(question) if (look.tool == "crop") == (corner is not None)]
    return [
        look
        for look in looks
        if (corner is None or look.args.get("grid") == corner)
        and (
            abs(look.told["start_s"] - at_s) < _SAME_S
            or (look.told.get("every_frame") and look.told["start_s"] <= at_s < look.told["end_s"])
        )
    ]


def _at(intent: Intent, question: str, past: Past) -> list[Line]:
    """Return the lines that these looks read in that frame: the last one up to the time, or the first of the look."""
    at_s, lines = (scope_of(intent, past) or (0.0, 0.0))[0], list[Line]()
    for look in _shown_at(intent, question, past):
        times = sorted(look.times_s)
        shown_s = max(
            (time_s for time_s in times if time_s <= at_s + _SAME_S), default=times[0] if times else 0.0
        )
        lines += [line for line in look.lines if line.text and abs(line.time_s - shown_s) < _SAME_S]
    return [voted(line, [*lines, *_nearby_lines(intent, question, past)]) for line in lines]


def _nearby_lines(intent: Intent, question: str, past: Past) -> list[Line]:
    """Return the lines that crops of the same corner read in the frames around the time in question."""
    corner, times = _corner(intent, past), _vote_times(intent, past)
    looks = [look for look in past.asked(question) if look.tool == "crop" and look.args.get("grid") == corner]
    return [line for look in looks if look.args["time_s"] in times for line in look.lines]


def _answer_unread(intent: Intent, question: str, lines: Sequence[Line], past: Past) -> ToolCall:
    if not lines and intent.at_s is not None:
        return tool_calls.answer("no", f"No such text was read at {intent.at_s:.3f} s", confidence=0.5)
    if not lines:
        frames = sum(len(result.times_s) for result in past.asked(question))
        return tool_calls.answer("no", f"No such text was read in {frames} frames looked at", confidence=0.5)
    some = ", ".join(f'"{text}"' for text in list(dict.fromkeys(line.text for line in lines))[:8])
    return tool_calls.answer("cannot_judge", f"{wording.CANNOT_JUDGE}. Texts read: {some}", confidence=0.0)


def _answer(reading: Reading, options: Sequence[str] | None, past: Past) -> ToolCall:
    line = reading.line
    claims = [(wording.claim_text(line.text, line.time_s), [line.entry], line.time_s)]
    choice = option_named(reading.answer, options) if options else None
    span = (line.time_s, min(past.duration_s, line.time_s + past.frame_s))
    return tool_calls.answer(
        "yes", reading.answer, claims=claims, spans=[span], choice=choice, confidence=0.8
    )


def sentence_that_comes(past: Past) -> Line | None:
    """Return the only line of running words that appears after the start, or None if there is not exactly one."""
    lines = _lines(wording.ANY_TEXT, None, past)
    if not lines:
        return None
    times = [t for result in past.asked(wording.ANY_TEXT) for t in result.times_s]
    initial = {line.text for line in lines if line.time_s == min(times)}
    later = [line for line in lines if line.text not in initial and running(line.text)]
    tops: dict[float, Line] = {}
    for line in sorted(later, key=lambda line: (line.time_s, line.box_px[1] if line.box_px else 0)):
        tops.setdefault(line.time_s, line)
    texts = {line.text[:12] for line in tops.values()}
    return next(iter(tops.values())) if len(texts) == 1 else None
