"""Answers from what the file and the index say of the whole video: its facts, and an outline of it."""

from __future__ import annotations

import re
import unicodedata

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language.intent import Intent
from vidagent.agents.signals.language.wording import CONNECT
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Past
from vidagent.agents.signals.planning.texts import Text, known_texts, query_of
from vidagent.video.clock import format_time

FACTS = "facts of the file"
OUTLINE = f"{FACTS}, shots, movement"
_ONE_SHOT = re.compile(r"shot \d+")
"""What a search says of one shot of many, at its own time."""
_ASKED: tuple[tuple[str, str], ...] = (
    (r"\bresolution\b|\bpixels?\b|\bwidth\b|\bheight\b|\bdimensions?\b|\bhow (?:big|large)\b", "pixels"),
    (r"\bfps\b|\bframe ?rate\b|\bframes (?:a|per) second\b", "frames a second"),
    (r"\bsound\b|\baudio\b|\bsilent\b|\bmute\b", "sound"),
    (r"\bsubtitles?\b|\bclosed captions\b", "subtitle"),
    (r"\bcodec\b|\bcontainer\b|\bformat\b", "video in"),
    (r"\blong\b|\blength\b|\bduration\b|\blasts?\b|\bminutes\b", "long"),
)
_MOST_TEXTS = 8
_SURE = 0.85
"""Sureness of a reading that is told without being asked for: things that look like letters are read with less."""
_FEWEST_LETTERS = 3
"""Letters or digits of a text that is told so: edges and icons are read as one or two. Two ideographs are a word."""
_WOULD_ADD = f"People, things and what they do a vision-language model can tell: {CONNECT}."


def file_facts(intent: Intent, past: Past) -> list[ToolCall]:
    """Return the search for the facts of the file, or the answer from them."""
    looks = past.asked(FACTS)
    if not looks:
        return [tool_calls.search(FACTS, 1)]
    lines = [fact.text for fact in looks[-1].facts("file")]
    asked = [words for pattern, words in _ASKED if re.search(pattern, intent.question)]
    chosen = [line for line in lines if any(words in line for words in asked)] or lines[:1]
    claims = [(line, [looks[-1].id], 0.0) for line in chosen]
    said = "; ".join(chosen)
    return [tool_calls.answer("yes", f"{said[0].upper()}{said[1:]}.", claims=claims, confidence=0.9)]


_OUTLINED = ("long (", "sound", "subtitle", "shot", "changes most")
"""Words of the facts of a file that belong into an outline."""


def outline(intent: Intent, past: Past) -> list[ToolCall]:
    """Return the searches for an outline of the video, or the outline: its length, shots, texts, movement and lines."""
    looks, known = past.asked(OUTLINE), known_texts(intent.question, past)
    if not looks or known is None:
        searches = [] if looks else [tool_calls.search(OUTLINE, 1)]
        return [*searches, *([] if known else [tool_calls.search(query_of(intent.question), 1)])]
    facts = (fact.text for fact in looks[-1].facts("file") if not _ONE_SHOT.fullmatch(fact.text))
    about = (line for line in facts if any(words in line for words in _OUTLINED))
    told = [(line, looks[-1].id, 0.0) for line in about]
    told += [(_text_line(one), known.entry, one.start_s) for one in _main(known.texts)]
    words = "; ".join(line for line, _, _ in told)
    text = f"{words[0].upper()}{words[1:]}. {_WOULD_ADD}"
    claims = [(line, [entry], at_s) for line, entry, at_s in told]
    return [tool_calls.answer("yes", text, claims=claims, confidence=0.5)]


def _text_line(one: Text) -> str:
    return f'"{one.text}" is on screen at {format_time(one.start_s)}'


def _main(texts: tuple[Text, ...]) -> list[Text]:
    """Return the texts that stand largest and longest, in order of time, each once; those that read as words."""
    once: dict[str, Text] = {}
    for one in sorted(
        filter(is_legible, texts), key=lambda one: -one.high * min(10.0, one.end_s - one.start_s) * one.sure
    ):
        once.setdefault(one.text.casefold(), one)
    return sorted(list(once.values())[:_MOST_TEXTS])


def is_legible(one: Text) -> bool:
    """Tell whether a text reads as words, and not as an edge or an icon that was taken for letters."""
    letters = [letter for letter in one.text if letter.isalnum()]
    wide = all(unicodedata.east_asian_width(letter) == "W" for letter in letters)
    return one.sure >= _SURE and len(letters) >= _FEWEST_LETTERS - wide
