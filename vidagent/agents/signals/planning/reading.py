"""Planning for questions about the text at a time: in the frame, in a corner of it, or on a colour."""

from __future__ import annotations

import re
from collections.abc import Sequence

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import Intent
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Line, Past, Result
from vidagent.agents.signals.planning.retrieval import choose
from vidagent.agents.signals.planning.search import first_look, scope_of
from vidagent.agents.signals.planning.texts import Text, in_rows, said
from vidagent.video.texts.track import plain as normal

_MAX_LINES = 40
_SAME_S = 2e-3
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


def read_at(intent: Intent, options: Sequence[str] | None, past: Past) -> list[ToolCall]:
    """Return the next tool calls of a question about the text at a time, or the answer."""
    question = sub_question(intent)
    lines = _at(intent, question, past)
    todo = _at_a_time(intent, question, past)
    if todo:
        return todo
    reading = _reading(intent, options, lines, past)
    return [_answer_unread(intent, lines) if reading is None else _answer(reading, options, past)]


def _reading(
    intent: Intent, options: Sequence[str] | None, lines: Sequence[Line], past: Past
) -> tuple[str, list[Line]] | None:
    """Return the words that answer the question, and the lines that show them."""
    if options:
        named = {option_named(line.text, options): line for line in lines}
        hits = [(options[choice], [line]) for choice, line in named.items() if choice is not None]
        return hits[0] if len(hits) == 1 else None
    texts = {
        Text(line.time_s, line.time_s + 1, line.text, line.box_px, 1.0): line for line in lines if line.box_px
    }
    reading = choose(intent.question, list(texts), past.size_wh)
    if reading is not None and reading.unique:
        return said(reading.lines), [texts[one] for one in reading.lines]
    ordered = [texts[one] for one in in_rows(texts)]
    return (" ".join(line.text for line in ordered), ordered) if 0 < len(ordered) <= _MAX_LINES else None


def option_named(text: str, options: Sequence[str]) -> int | None:
    """Return the index of the option with the same letters and digits as a text, or None."""
    plain = normal(text)
    return next((index for index, option in enumerate(options) if plain and plain == normal(option)), None)


def _at_a_time(intent: Intent, question: str, past: Past) -> list[ToolCall]:
    """Look at the instant in question, or at the corner of it."""
    corner = _corner(intent, past)
    shown = _shown_at(intent, question, past)
    if corner is None:
        return [] if shown else [first_look(intent, question, past)]
    if not shown:
        return [tool_calls.crop(intent.at_s or 0.0, corner, question)]
    return []


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
    return lines


def _answer_unread(intent: Intent, lines: Sequence[Line]) -> ToolCall:
    if not lines:
        return tool_calls.answer("no", f"No such text was read at {intent.at_s:.3f} s", confidence=0.5)
    some = ", ".join(f'"{text}"' for text in list(dict.fromkeys(line.text for line in lines))[:8])
    return tool_calls.answer("cannot_judge", f"{wording.CANNOT_JUDGE}. Texts read: {some}", confidence=0.0)


def _answer(reading: tuple[str, list[Line]], options: Sequence[str] | None, past: Past) -> ToolCall:
    said, lines = reading
    claims = [(wording.claim_text(line.text, line.time_s), [line.entry], line.time_s) for line in lines]
    choice = option_named(said, options) if options else None
    span = (lines[0].time_s, min(past.duration_s, lines[0].time_s + past.frame_s))
    return tool_calls.answer("yes", said, claims=claims, spans=[span], choice=choice, confidence=0.8)
