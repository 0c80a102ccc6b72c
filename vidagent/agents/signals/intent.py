"""What a question asks of the embedded model, read by rules.

The rules look for a quoted text, a kind of signal (text, code, shot, movement, colour) and a kind of answer
(when, what, how many, how long, whether). A question that names none of the signals is beyond this model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from vidagent.agents.signals.colours import COLOUR_NAMES

__all__ = ["Ask", "Intent", "Signal", "understand"]

Signal = Literal["text", "reading", "code", "shots", "motion", "still", "colour", "none"]
Ask = Literal["when", "what", "count", "how_long", "whether", "where"]
Edge = Literal["start", "end", "span"]
Order = Literal["first", "last", "every"]

_QUOTES = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]|(?<!\w)[‘'`]([^‘’'`]+)[’'`](?!\w)")
_COLOUR = re.compile(rf"\b({'|'.join(sorted((*COLOUR_NAMES, 'gray'), key=len, reverse=True))})\b")
_SECOND = re.compile(r"\b(?:at|after|around|about|is|,)?\s*(\d+(?:\.\d+)?)\s*(?:s|sec|secs|seconds?)\b")
_CLOCK = re.compile(r"\b(?:at|around|about|from)\s+((?:\d{1,2}:)?\d{1,2}:\d{2}(?:\.\d+)?)\b")
_RANGE = re.compile(
    r"\b(?:between|from)\s+([\d:.]+)\s*(?:s|seconds?)?\s+(?:and|to|until)\s+([\d:.]+)\s*(?:s|seconds?)?\b"
)
_NUMBER_OF = re.compile(r"\bhow many\b|\bcount\b|\bnumber of\b")
_LAST = re.compile(r"\b(?:last|final)\b")
_EVERY = re.compile(r"\b(?:every|each|all (?:the )?times|list)\b")
_VANISHES = re.compile(r"\b(?:disappear|vanish|go(?:es)? away|gone|until when|hidden|end(?:s)?|stop(?:s)?)\b")
_TEXT_WORD = re.compile(
    r"\b(?:text|words?|writ(?:ten|ing)|titles?|captions?|labels?|reads?|say|says|said|letters?|sentences?|typed|"
    r"headings?|headlines?|messages?|mentions?|mentioned|file ?names?|(?:which|what) file|url|web ?address|clock)\b"
)
_CODE_WORD = re.compile(r"\b(?:qr|bar ?codes?|codes?|datamatrix|aztec)\b")
_SHOT_WORD = re.compile(r"\b(?:shots?|cuts?|scene changes?|scenes?)\b")
_MOVE_WORD = re.compile(r"\b(?:mov(?:e|es|ing|ement)|motion)\b")
_STILL_WORD = re.compile(r"\b(?:still|static|motionless|nothing moves|freez\w*|frozen|stands? still)\b")
_FILLS = re.compile(r"\b(?:fill\w*|screen|background|picture|frame|whole|entire|solid)\b")
_COLOUR_ASK = re.compile(r"\b(?:what|which) colou?r\b")
_THING_WITH_COLOUR = re.compile(
    r"\b(?:wall|car|shirt|ball|cup|vehicle|bag|hat|hair|dress|door|line|lane|bird|animal|eyes?|jacket|coat)\b"
)


@dataclass(frozen=True, slots=True)
class Intent:
    """A question as rules understand it.

    Args:
        signal: `text` a given text is looked for; `reading` unknown text is read; `none` beyond this model.
        ask: The kind of answer wanted.
        text: The text looked for, for `text`.
        colour: A colour named in the question, or None.
        at_s: The instant asked about, or None.
        window: Range of the video as fractions `(start, end)` of its duration, or None for all of it.
        range_s: Range of the video in seconds, or None.
        edge: Whether the start, the end or the whole of the event is asked for.
        order: Which occurrence.
        question: The question, in lower case.
    """

    signal: Signal
    ask: Ask
    text: str | None
    colour: str | None
    at_s: float | None
    window: tuple[float, float] | None
    range_s: tuple[float, float] | None
    edge: Edge
    order: Order
    question: str


def understand(question: str) -> Intent:
    """Read a question."""
    plain = _QUOTES.sub(" QUOTED ", question)
    low = " ".join(plain.casefold().split())
    quoted = _quoted(question)
    colour = _COLOUR.search(low)
    range_s = _range(low)
    return Intent(
        signal=_signal(low, quoted),
        ask=_ask(low),
        text=quoted,
        colour=None if colour is None else colour[1].replace("gray", "grey"),
        at_s=None if range_s else _instant(low),
        window=_window(low),
        range_s=range_s,
        edge="end" if _VANISHES.search(low) else "start",
        order="last" if _LAST.search(low) else "every" if _EVERY.search(low) else "first",
        question=low,
    )


def _quoted(question: str) -> str | None:
    match = _QUOTES.search(question)
    if match is not None:
        return (match[1] or match[2]).strip() or None
    named = re.search(r"\b(?:text|title|word|words|caption|sign)\s+((?:[A-Z0-9][\w.-]*\s?){1,6})", question)
    return named[1].strip() if named else None


def _signal(low: str, quoted: str | None) -> Signal:
    if _SHOT_WORD.search(low) and not quoted:
        return "shots"
    if _CODE_WORD.search(low) and not (quoted and _TEXT_WORD.search(low)):
        return "code"
    if quoted is not None and not re.search(r"\bwith the word\b|\bkey\b|\bturn into\b", low):
        return "text"
    if _fills(low):
        return "colour"
    if _TEXT_WORD.search(low):
        return "reading"
    if _STILL_WORD.search(low):
        return "still" if _about_all(low) else "none"
    if _MOVE_WORD.search(low):
        return "motion" if _about_all(low) else "none"
    return "none"


def _fills(low: str) -> bool:
    colour = _COLOUR.search(low) or _COLOUR_ASK.search(low)
    about_text = re.search(r"\b(?:written|text|word|button|say|read)\b", low)
    return bool(colour and _FILLS.search(low) and not _THING_WITH_COLOUR.search(low) and not about_text)


def _about_all(low: str) -> bool:
    """Say whether movement of anything is meant; classical vision knows no people, cars or animals."""
    return bool(
        re.search(r"\b(?:something|anything|anybody|things?|picture|video|screen|image|movement|motion|nothing|"
                  r"shapes?|objects?|circle|square|rectangle|dot)\b", low)
    )  # fmt: skip


def _ask(low: str) -> Ask:
    if _NUMBER_OF.search(low):
        return "count"
    if re.search(r"\bhow long\b|\bfor how many seconds\b|\bduration\b", low):
        return "how_long"
    if re.search(
        r"\bwhen\b|\bwhat (?:moment|second)\b|\bat which (?:time|second|moment)\b|\bat what time\b", low
    ):
        return "when"
    if re.search(r"\bwhere\b", low):
        return "where"
    if re.match(r"(?:does|do|is|are|was|were|did|can|has|have)\b", low):
        return "whether"
    return "what"


def _instant(low: str) -> float | None:
    clock = _CLOCK.search(low)
    if clock is not None:
        seconds = 0.0
        for part in clock[1].split(":"):
            seconds = seconds * 60 + float(part)
        return seconds
    second = _SECOND.search(low)
    return float(second[1]) if second and not re.search(r"\bhow many seconds\b", low) else None


def _range(low: str) -> tuple[float, float] | None:
    match = _RANGE.search(low)
    if match is None:
        return None
    ends = []
    for text in match.groups():
        seconds = 0.0
        for part in text.strip(".").split(":"):
            seconds = seconds * 60 + float(part or 0)
        ends.append(seconds)
    return (ends[0], ends[1]) if ends[0] < ends[1] else None


def _window(low: str) -> tuple[float, float] | None:
    if re.search(
        r"\b(?:near|at|towards?|by) the (?:very )?end\b(?! of (?!the (?:video|clip|film)))|\bin the end\b",
        low,
    ):
        return (0.6, 1.0)
    if re.search(r"\bat the (?:very )?(?:start|beginning)\b", low):
        return (0.0, 0.25)
    return None
