"""Intent of a question: what it is about, and the kind of answer it asks for (when, what, how many, how long, whether).

Rules look for a kind of signal (speech, code, shot, movement, colour) in questions that mention nothing else
(`supported_questions.py`); whether any other question is about text on screen says a classifier (`about_text.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from vidagent.agents.signals.language.about_text import about_text
from vidagent.agents.signals.language.content_words import strict_words
from vidagent.agents.signals.language.supported_questions import (
    KNOWN_WORDS,
    Ask,
    Signal,
    about_quoted,
    asks_who,
    in_scope,
    is_spoken,
)
from vidagent.agents.signals.vision.colours import COLOUR_NAMES

Edge = Literal["start", "end", "span"]
Order = Literal["first", "last", "every"]

_LIKELY: Final = 0.5
"""Probability from which a question is taken to be about text, and its texts are read if they are not known."""
_SURELY: Final = 0.8
"""Probability from which what is said or told is taken to be written."""
_POSSIBLE: Final = 0.1
"""Probability from which texts that are known may answer a question."""

_QUOTES = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]|(?<!\w)[‘'`](\S(?:.*?\S)??)[’'`](?!\w)")
_GIVEN = re.compile(
    r"(?<!which )(?<!what )(?<!any )(?<!every )\b(?:word|phrase|term)\s+(?P<word>[^\W_][\w'-]*)|"
    r"\b(?P<file>[a-z][\w-]*(?:[._][\w-]+)*\.[a-z]\w{1,4})\b"
)
"""A word that is said to be one, and the name of a file or a site: texts to look for as if they were quoted."""
_SPEAKER = re.compile(r"(?<=\bspeaker) \w+\b", re.IGNORECASE)
"""The label of a speaker, which is no text to look for."""
_INSIDE = frozenset("of the and in to for".split())
_NO_NAMES = frozenset("I QR URL OCR TV PC OK FPS".split())
_COLOUR = re.compile(rf"\b({'|'.join(sorted((*COLOUR_NAMES, 'gray'), key=len, reverse=True))})\b")
_TIME = r"(\d{1,2}:\d{2}:\d{2}(?:\.\d+)?|\d{1,2}:\d{2}(?:\.\d+)?|\d+(?:\.\d+)?(?=\s*(?:s|secs?|seconds?)\b))"
_UNIT = r"(?:\s*(?:s|secs?|seconds?)\b)?"
_AT = re.compile(
    rf"\b(?:at|around|about)\s+(?:time\s+|t\s*=\s*)?{_TIME}|\b{_TIME}{_UNIT}\s+(?:in|into)\b|"
    r"\bat second (\d+(?:\.\d+)?)\b"
)
_BARE_TIME = re.compile(rf"(?:^|,\s*){_TIME}")
_RANGE = re.compile(
    r"\b(?:between|from)\s+([\d:.]+)\s*(?:s|secs?|seconds?)?\s+(?:and|to|until)\s+([\d:.]+)\s*(?:s|secs?|seconds?)?"
    r"(?![\w:])"
)
_AFTER = re.compile(rf"\b(?:after|from|since)\s+{_TIME}")
_BEFORE = re.compile(rf"\b(?:before|until|in the first|within the first|during the first)\s+{_TIME}")
_ANY_SECONDS = re.compile(r"\d\s*(?:s|secs?|seconds?|minutes?|min)\b|\d:\d\d")
_NUMBER_OF = re.compile(r"\bhow many\b|\bhow often\b|\bcount\b|\bnumber of\b")
_LAST = re.compile(r"\b(?:last|final)\b")
_EVERY = re.compile(r"\b(?:every|each|all (?:the )?times|list)\b")
_ASKS_WHAT = re.compile(r"\b(?:what|which|who|how)\b")
_VANISHES = re.compile(
    r"\b(?:disappears?|vanish(?:es)?|go(?:es)? (?:away|off|out)|gone|until when|no longer|not\b.*\bany ?more|hidden|"
    r"(?<!the )(?<!very )ends?|stops?)\b(?!\s+(?:of|credits?)\b)"
)
_BEGINS = re.compile(r"\b(?:from|since) when\b")
_TEXT_WORD = re.compile(r"\b(?:texts?|words?|written|titles?|captions?|labels?|letters?)\b")
_FACTS = re.compile(
    r"\bhow long (?:is|does|was)(?: (?:the|this|that))?(?: [a-z]+)? "
    r"(?:video|clip|film|movie|recording|file|it)(?: last| run)?\W*$|"
    r"\b(?:length|duration) of (?:the|this|that) \w+\W*$|\bresolution\b|"
    r"\b(?:frame ?rate|fps|frames (?:a|per) second|codec)\b|"
    r"^(?!.*\b(?:according|says?|said)\b).*\b(?:sound|audio|subtitles?)\b|"
    r"\bhow many (?:seconds|minutes) (?:is|does|long)\b.*\b(?:video|clip|film|movie)\W*$"
)
_OUTLINE = re.compile(
    r"\bsummar\w+|\b(?:describe|outline|overview of)\b.*\b(?:video|clip|film|movie)\b|"
    r"\bwhat(?:'s| is| does| happens)\b(?: in)? (?:this|the) (?:video|clip|film|movie|recording)\b(?: about)?"
)
_ENGLISH = frozenset(
    "the is are were does did do has have can what when where which who why how many of there this that it and with "
    "video shown find read list give tell count every all any anything something nothing moves new shot".split()
)
"""Words of which an English question has at least one, and a question in another language seldom any."""
_WHEN_ABROAD = re.compile(
    r"\b(?:wann|wie (?:lange|oft)|steht|gibt|(?:er)?scheint|sieht|quand|combien de (?:temps|fois)|y a-t-il|voit|"
    r"appara[iî]t|affich[eé]|cu[aá]ndo|cu[aá]nt[oa]s? (?:tiempo|veces)|aparece|hay)\b"
)
"""Words of other languages that ask when or whether something is shown."""
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?\b")
_CODE_WORD = re.compile(r"\b(?:qr|bar ?codes?|codes?|data ?matrix|aztec)\b")
_SHOT_WORD = re.compile(r"\b(?:shots?|cuts?|scene changes?|scenes?)\b")
_MOVE_WORD = re.compile(r"\b(?:mov(?:e|es|ing|ement)|motion)\b")
_STILL_WORD = re.compile(
    r"\b(?:still|static|motionless|freez\w*|frozen|nothing (?:\w+ )?mov(?:es?|ing)|"
    r"no (?:movement|motion)|not (?:anything )?mov(?:e|ing))\b"
)
_FILLS = re.compile(r"\b(?:fill\w*|screen|background|picture|frame|whole|entire|solid)\b")
_COLOUR_ASK = re.compile(r"\b(?:what|which) colou?r\b")


@dataclass(frozen=True, slots=True)
class Intent:
    """The rule-based interpretation of a question.

    Args:
        signal: `text` searches for a given text; `reading` reads unknown text; `speech` is about what is said; `none`
            is unsupported.
        ask: The kind of answer.
        text: The text to search for, for `text`.
        colour: A colour named in the question, or None.
        at_s: The instant in question, or None.
        window: Range of the video as fractions `(start, end)` of its duration, or None for all of it.
        range_s: Range of the video in seconds, or None.
        edge: Whether the question asks for the start, the end or the whole of the event.
        order: Which occurrence.
        question: The question in lower case.
        english: Whether its words are English.
        named: Whether `text` is a name in the question that stands in no quotation marks.
        possible: Whether it may be about text, if nothing else.
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
    english: bool = True
    named: bool = False
    possible: bool = False


def understand(question: str) -> Intent:
    """Parse a question into an intent."""
    match = _QUOTES.search(question)
    quoted = None if match is None else (match[1] or match[2]).strip() or None
    given = _GIVEN.search(question.casefold()) if match is None else None
    if given is not None and given[given.lastgroup or 0] not in KNOWN_WORDS:
        start, end = given.span(given.lastgroup or 0)
        return understand(f'{question[:start]}"{question[start:end]}"{question[end:]}')
    named = None if match is not None else max(_names(_SPEAKER.sub(" ", question)), key=len, default=None)
    low = _lowered(_QUOTES.sub(" QUOTED ", question))
    english = bool(_ENGLISH & set(re.findall(r"[a-z]+", low)))
    ask = _ask(low)
    if quoted is None and named is not None and english and ask != "what":
        unnamed = _lowered(question.replace(named, " QUOTED ", 1))
        if not strict_words(unnamed):  # the question is about nothing else
            quoted, low = named, unnamed
    colour, range_s = _COLOUR.search(low), _range(low)
    at_s = None if range_s else _instant(low)
    likely = about_text(low)
    signal = _signal(low, quoted)
    ask = "who" if signal == "speech" and asks_who(low) else ask
    if not in_scope(low, signal, ask) or (signal == "speech" and likely >= _SURELY):
        signal = _written(low, quoted, ask) if likely >= _LIKELY else "none"
    if not english:  # a quoted text or a time is enough
        clock = _CLOCK.search(low)
        at_s = at_s if clock is None else _seconds(clock[0])
        timed = quoted is not None and _WHEN_ABROAD.search(low)
        signal = "text" if timed else "reading" if at_s is not None else "none"
    elif (
        range_s is None
        and at_s is None
        and names_time(low)
        and not (signal == "reading" and _CLOCK.search(low))
    ):
        signal = "none"
    if quoted is not None and signal == "reading":  # it stands beside what is asked for
        low, quoted = low.replace("quoted", quoted.casefold()), None
    return Intent(
        signal=signal,
        ask=ask,
        text=quoted,
        colour=None if colour is None else colour[1].replace("gray", "grey"),
        at_s=at_s,
        window=_window(low),
        range_s=range_s,
        edge="end" if _VANISHES.search(low) and not _BEGINS.search(low) else "start",
        order="last" if _LAST.search(low) else "every" if _EVERY.search(low) else "first",
        question=low,
        english=english,
        named=quoted is not None and quoted == named and about_text(_lowered(question)) < _LIKELY,
        possible=likely >= _POSSIBLE,
    )


def _lowered(text: str) -> str:
    return " ".join(text.casefold().replace("’", "'").split())


def _names(question: str) -> Iterator[str]:
    """Yield the runs of capitalised words after the first word of a question, such as `PIER 94` or `Terms of Use`."""
    run: list[str] = []
    words = question.split()
    for before, word in pairwise([*words, ""]):
        bare = word.strip("\"'“”(),.;:?!").removesuffix("'s").removesuffix("’s")
        if before[-1] in ".?!":  # the first word of another sentence
            bare = bare[:1].lower() + bare[1:]
        if bare[:1].isupper() or (run and bare[:1].isdigit()):
            run.append(bare)
        elif run and bare in _INSIDE:
            run.append(bare)
            continue
        else:
            while run and run[-1] in _INSIDE:
                run.pop()
            if run and run[0] not in _NO_NAMES:
                yield " ".join(run)
            run = []


def _signal(low: str, quoted: str | None) -> Signal:
    if quoted is None and _OUTLINE.search(low):
        return "outline"
    if quoted is None and _FACTS.search(low) and not _SHOT_WORD.search(low):
        return "facts"
    if _SHOT_WORD.search(low) and not quoted:
        return "shots"
    if _CODE_WORD.search(low) and not (quoted and _TEXT_WORD.search(low)):
        return "code"
    if is_spoken(low):
        return "speech"
    if quoted is not None:
        return "none"
    if _fills(low):
        return "colour"
    if _STILL_WORD.search(low):
        return "still"
    if _MOVE_WORD.search(low):
        return "motion"
    return "none"


def _written(low: str, quoted: str | None, ask: Ask) -> Signal:
    """Return whether a question about text looks for a given text, or for an unknown one, beside a given one or not."""
    if quoted is None:
        return "reading"
    if low.count(" quoted ") > 1 or not about_quoted(low):
        return "none"
    return "reading" if ask == "what" and _ASKS_WHAT.search(low) else "text"


def _fills(low: str) -> bool:
    colours = set(_COLOUR.findall(low))
    names_colour = len(colours) == 1 or (not colours and _COLOUR_ASK.search(low))
    about_text = re.search(r"\b(?:written|text|word|button|say|read)\b", low)
    return bool(names_colour and _FILLS.search(low) and not about_text)


def _ask(low: str) -> Ask:
    if re.search(r"\bhow long\b|\bhow many (?:seconds|minutes)\b|\bduration\b", low):
        return "how_long"
    if _NUMBER_OF.search(low):
        return "count"
    if re.search(
        r"\bwhen\b|\bwhat (?:moment|second)\b|\bat which (?:time|second|moment)\b|\bat what time\b", low
    ):
        return "when"
    if re.search(r"\bwhere\b", low):
        return "where"
    if re.match(r"(?:does|do|is|are|was|were|did|can|has|have)\b", low):
        return "whether"
    return "what"


def _seconds(text: str) -> float:
    seconds = 0.0
    for part in text.strip(".").split(":"):
        seconds = seconds * 60 + float(part or 0)
    return seconds


def _instant(low: str) -> float | None:
    match = _AT.search(low) or _BARE_TIME.search(low)
    return None if match is None else _seconds(next(part for part in match.groups() if part))


def _range(low: str) -> tuple[float, float] | None:
    between, after, before = _RANGE.search(low), _AFTER.search(low), _BEFORE.search(low)
    if between is not None:
        start_s, end_s = _seconds(between[1]), _seconds(between[2])
    else:
        start_s = _seconds(after[1]) if after else 0.0
        end_s = _seconds(before[1]) if before else math.inf if after else 0.0
    return (start_s, end_s) if start_s < end_s else None


def names_time(low: str) -> bool:
    """Return whether a question names a time or a number of seconds."""
    return bool(_ANY_SECONDS.search(low))


def _window(low: str) -> tuple[float, float] | None:
    if re.search(
        r"\b(?:near|at|towards?|by) the (?:very )?end\b(?! of (?!the (?:video|clip|film)))|\bin the end\b",
        low,
    ):
        return (0.6, 1.0)
    if re.search(r"\bat the (?:very )?(?:start|beginning)\b", low):
        return (0.0, 0.25)
    return None
