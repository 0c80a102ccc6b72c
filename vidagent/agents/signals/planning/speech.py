"""Answers from what is said: when words are, who says them, or what is said at a time or about a thing.

Who speaks is known where the speech model labels voices; a label is no name of a person, unless the model gave one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import Intent
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Past, Result
from vidagent.agents.signals.planning.search import scope_of
from vidagent.text import counted, holds_words, one_line, words_of
from vidagent.video.clock import format_time

_SHARE = re.compile(r"speech: .*?; ([\d.]+)% of the sound was transcribed")
_MOST_TOLD = 12
"""Lines or places that an answer tells."""
_AROUND_S = 2.0
"""What is said "at" an instant is told with the lines this near."""
_ABOUT = re.compile(r"\babout (?:the |an? )?([^?.,]+?)\W*$")
_PASSIVE = re.compile(
    r"\b(?:is|was|are|were)\s+(?:the\s+)?(?:words?\s+)?([^?.,]+?)\s+(?:said|spoken|heard|pronounced|uttered|mentioned)\b"
)
_ACTIVE = re.compile(r"\b(?:say|says|saying|mentions?)\s+(?:the\s+)?(?:words?\s+)?([^?.,]+?)\W*$")
_SAYER = re.compile(
    r"\b(?:who|speaker|voice|person)(?: first| last| also| ever)? "
    r"(?:(?:is|was) saying|says?|said|mentions?|mentioned)\s+(?:that\s+)?(?:the\s+words?\s+|words?\s+)?([^?.,]+?)\W*$"
)
_LABELLED = re.compile(r"\bspeaker ([a-z]|\d+)\b(?! \w+ time)")
"""A speaker whom a question names by a letter or a number."""
_ANYTHING = frozenset(
    "what anything something anybody anyone somebody someone nobody people there any speech speaking talking a an the "
    "word words it that this being often many times time first last ever he she they speaker narrator".split()
)
_COMMON = frozenset("a an and at by for from in into is it its of on or so that the this to was with".split())


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A line of the transcript or of subtitles, or quoted words alone at their own times."""

    start_s: float
    end_s: float
    text: str
    speaker: str = ""


def find_speech(intent: Intent, options: Sequence[str] | None, past: Past) -> list[ToolCall]:
    """Return the search for what is said, or the answer from its lines."""
    goal, scope = intent.text or _goal(intent), _scope(intent, past)
    query = _query(goal, None if intent.ask == "who" else options, scope)
    looks = past.asked(query)
    if not looks:
        return [tool_calls.search(query, 1)]
    facts = [str(fact) for fact in looks[-1].told.get("facts", [])]
    lines = sorted({Line(*line) for line in looks[-1].facts("spoken", "subtitle")})
    share = next((float(match[1]) / 100 for fact in facts if (match := _SHARE.match(fact))), None)
    if share is None and not lines:
        silent = any(fact.startswith("speech: the video has no sound") for fact in facts)
        if silent:
            return [tool_calls.answer("no", "Nothing is said: the video has no sound", confidence=0.9)]
        return [tool_calls.answer("cannot_judge", wording.NO_SPEECH_MODEL, confidence=0.0)]
    complete = share is None or share >= 1.0
    if intent.ask == "who":
        return [_who(goal, intent, options, lines, looks[-1], complete=complete)]
    if (asked := _asked_speaker(intent, lines)) is not None:
        lines = [line for line in lines if line.speaker.casefold() == asked]
        goal = None if goal is not None and goal.casefold() == asked else goal
        if not lines:
            return [tool_calls.answer("cannot_judge", wording.NO_SUCH_SPEAKER, confidence=0.0)]
    if options:
        return [_option(options, lines, looks[-1])]
    if goal is not None:
        return [_said(intent, goal, lines, looks[-1], complete=complete)]
    return [_all_said(intent, lines, looks[-1], complete=complete)]


def _query(goal: str | None, options: Sequence[str] | None, scope: tuple[float, float] | None) -> str:
    place = "" if scope is None else f" at {scope[0]:.3f}-{scope[1]:.3f} s"
    quoted = " ".join(f'"{wording.quotable(text)}"' for text in (options or ([goal] if goal else [])))
    return f"Words spoken{place}: {quoted}".removesuffix(": ")


def _scope(intent: Intent, past: Past) -> tuple[float, float] | None:
    scope = scope_of(intent, past)
    if scope is None or intent.at_s is None:
        return scope
    return max(0.0, scope[0] - _AROUND_S), scope[1] + _AROUND_S


def _goal(intent: Intent) -> str | None:
    """Return the words or the thing that an unquoted question asks about, or None for all that is said."""
    low = re.sub(r"\b(?:at|between|from|after|before|until|in the first) \d.*$", "", intent.question)
    forms = {"what": (_ABOUT,), "who": (_ABOUT, _SAYER)}.get(intent.ask, (_ABOUT, _PASSIVE, _ACTIVE))
    found = next((match[1].strip() for form in forms if (match := form.search(low))), None)
    return None if found is None or set(words_of(found)) <= _ANYTHING else found


def _hits(goal: str, lines: Iterable[Line], *, exact: bool) -> list[Line]:
    """Return where a goal is said: its own words with their times, else the lines that hold it."""
    holding = [line for line in lines if holds_words(line.text, goal)]
    if not holding and not exact:
        words = set(words_of(goal)) - _COMMON
        holding = [line for line in lines if words and words <= set(words_of(line.text))]
    timed = [line for line in holding if words_of(line.text) == words_of(goal)]
    return timed + [
        line
        for line in holding
        if not any(line.start_s <= own.start_s and own.end_s <= line.end_s for own in timed)
    ]


def _said(intent: Intent, goal: str, lines: Sequence[Line], look: Result, *, complete: bool) -> ToolCall:
    quoted = intent.text is not None
    hits = sorted(_hits(goal, lines, exact=quoted))
    if not hits:
        return _not_said(
            goal, lines, quoted=quoted, about=bool(_ABOUT.search(intent.question)), complete=complete
        )
    chosen = (
        hits[-1:] if intent.order == "last" else hits[:1] if "first" in words_of(intent.question) else hits
    )
    context = [_whole(hit, lines) for hit in chosen]
    if intent.ask == "what":
        told = _told(context)
    else:
        places = ", ".join(format_time(hit.start_s) for hit in chosen[:_MOST_TOLD])
        often = f" {counted(len(chosen), 'time')}," if len(chosen) > 1 or intent.ask == "count" else ""
        told = f"{_quoted(goal)} is said{often} at {places}: {_quoted(context[0].text)}{_by(context[0])}."
    own = [replace(hit, text=goal) for hit in chosen if holds_words(hit.text, goal)]
    claims = [_claim(line, look) for line in dict.fromkeys([*own[:_MOST_TOLD], *context[:_MOST_TOLD]])]
    return tool_calls.answer(
        "yes",
        f"{told}{_left(chosen)}{'' if complete else ' Not all of the sound was transcribed.'}",
        claims=claims[:_MOST_TOLD],
        spans=[(hit.start_s, hit.end_s) for hit in chosen[:_MOST_TOLD]],
        count=len(chosen) if intent.ask == "count" else None,
        confidence=0.8 if complete else 0.5,
    )


def _asked_speaker(intent: Intent, lines: Iterable[Line]) -> str | None:
    """Return the label of the speaker that a question is about, in lower case, or None if it is about no speaker."""
    labels = {line.speaker.casefold() for line in lines if line.speaker}
    if intent.named and intent.text is not None and intent.text.casefold() in labels:
        return intent.text.casefold()
    for label in sorted(labels, key=len, reverse=True):
        if re.search(rf"\bspeaker {re.escape(label)}(?!\w)", intent.question):
            return label
        if len(label) > 1 and re.search(rf"(?<!\w){re.escape(label)}(?!\w)", intent.question):
            return label
    named = _LABELLED.search(intent.question)
    return None if named is None else named[1]


def _who(
    goal: str | None,
    intent: Intent,
    options: Sequence[str] | None,
    lines: Sequence[Line],
    look: Result,
    *,
    complete: bool,
) -> ToolCall:
    """Answer who says something, or who speaks, by the labels of the lines."""
    hits = lines if goal is None else sorted(_hits(goal, lines, exact=intent.text is not None))
    if not hits and (goal is None or not lines):
        return _all_said(intent, (), look, complete=complete)
    if not hits:
        about = bool(_ABOUT.search(intent.question))
        return _not_said(str(goal), lines, quoted=intent.text is not None, about=about, complete=complete)
    inside = [line for line in hits if intent.at_s is not None and line.start_s <= intent.at_s < line.end_s]
    told = list(dict.fromkeys(_whole(hit, lines) for hit in inside or hits))
    told = told[-1:] if intent.order == "last" else told[:1] if "first" in words_of(intent.question) else told
    if goal is None:  # each speaker once
        told = sorted({line.speaker: line for line in reversed(told)}.values())
    if not any(line.speaker for line in told):
        return tool_calls.answer("cannot_judge", f"{_told(told)} But {wording.NO_SPEAKERS}", confidence=0.0)
    speakers = {line.speaker for line in told}
    choice = _chosen(options, speakers)
    if options and choice is None:
        return tool_calls.answer(
            "cannot_judge", f"{_by_whom(told)} No single option names that.", confidence=0.0
        )
    return tool_calls.answer(
        "yes",
        options[choice]
        if options and choice is not None
        else f"{_by_whom(told)}{_left(told)}{'' if complete else ' Not all of the sound was transcribed.'}",
        claims=[_claim(line, look) for line in told[:_MOST_TOLD]],
        spans=[(line.start_s, line.end_s) for line in told[:_MOST_TOLD]],
        choice=choice,
        confidence=0.8 if complete and "" not in speakers else 0.5,
    )


def _by_whom(lines: Sequence[Line]) -> str:
    """Return who says lines, in their order."""
    return " ".join(
        f"{f'Speaker {line.speaker}' if line.speaker else 'A speaker who is not known'} says at "
        f"{format_time(line.start_s)}: {_quoted(line.text)}."
        for line in lines[:_MOST_TOLD]
    )


def _chosen(options: Sequence[str] | None, speakers: set[str]) -> int | None:
    """Return the number of the option that names the only speaker."""
    if len(speakers) != 1:
        return None
    (label,) = (words_of(one) for one in speakers)
    found = [n for n, one in enumerate(options or ()) if words_of(one) in (label, ["speaker", *label])]
    return found[0] if len(found) == 1 else None


def _not_said(goal: str, lines: Sequence[Line], *, quoted: bool, about: bool, complete: bool) -> ToolCall:
    known = f"{counted(len(lines), 'line')} of speech"
    if about:
        text = f"{_quoted(goal)} is in none of the {known}; whether other words mean it the embedded model cannot judge"
        return tool_calls.answer("cannot_judge", text, confidence=0.0)
    part = "" if complete else ", as far as it was transcribed"
    text = (
        f"{_quoted(goal)} is not said{part}: it is in none of the {known}"
        if lines
        else f"Nothing is said{part}"
    )
    return tool_calls.answer("no", text, confidence=(0.7 if quoted else 0.6) if complete else 0.4)


def _all_said(intent: Intent, lines: Sequence[Line], look: Result, *, complete: bool) -> ToolCall:
    """Answer with the lines themselves."""
    part = "" if complete else ", as far as it was transcribed"
    if not lines:
        return tool_calls.answer("no", f"Nothing is said{part}", confidence=0.7 if complete else 0.4)
    places = [(line.start_s, line.end_s) for line in lines]
    told = f"{_told(lines)}{_left(lines)}"
    if intent.ask in {"when", "count"}:
        places = list(_joined(lines))
        stretches = ", ".join(f"{format_time(a)} to {format_time(b)}" for a, b in places[:_MOST_TOLD])
        told = f"Something is said at {stretches}{part}."
    return tool_calls.answer(
        "yes",
        told,
        claims=[_claim(line, look) for line in lines[:_MOST_TOLD]],
        spans=places[:_MOST_TOLD],
        count=len(places) if intent.ask == "count" else None,
        confidence=0.8 if complete else 0.5,
    )


def _told(lines: Iterable[Line]) -> str:
    """Return lines as an answer, each once, with its time."""
    told = list(dict.fromkeys(lines))[:_MOST_TOLD]
    return " ".join(f"At {format_time(line.start_s)}{_by(line)}: {_quoted(line.text)}." for line in told)


def _by(line: Line) -> str:
    return f", speaker {line.speaker}" if line.speaker else ""


def _joined(lines: Sequence[Line]) -> Iterator[tuple[float, float]]:
    """Yield the stretches of speech: lines less than a pause apart are one."""
    start_s, end_s = lines[0].start_s, lines[0].end_s
    for line in lines[1:]:
        if line.start_s > end_s + _AROUND_S:
            yield start_s, end_s
            start_s = line.start_s
        end_s = max(end_s, line.end_s)
    yield start_s, end_s


def _option(options: Sequence[str], lines: Sequence[Line], look: Result) -> ToolCall:
    """Choose the only option that is said."""
    said = [
        (number, hits[0])
        for number, one in enumerate(options)
        if (hits := sorted(_hits(one, lines, exact=True)))
    ]
    if len(said) != 1:
        text = (
            f"{counted(len(said), 'option')} of {len(options)} is said"
            if len(said) < 2
            else "Several options are said"
        )
        return tool_calls.answer(
            "cannot_judge", f"{text}; which one is right the embedded model cannot judge", confidence=0.0
        )
    ((number, hit),) = said
    claim = _claim(replace(hit, text=options[number]), look)
    spans = [(hit.start_s, hit.end_s)]
    return tool_calls.answer(
        "yes", options[number], claims=[claim], spans=spans, choice=number, confidence=0.7
    )


def _claim(line: Line, look: Result) -> tuple[str, list[str], float]:
    return wording.claim_said(line.text, line.start_s, line.speaker), [look.id], line.start_s


def _whole(hit: Line, lines: Sequence[Line]) -> Line:
    """Return the longest line around a hit, of the same speaker."""
    around = [
        line
        for line in lines
        if line.start_s <= hit.start_s and hit.end_s <= line.end_s and line.speaker == hit.speaker
    ]
    return max(around, key=lambda line: len(line.text), default=hit)


def _left(lines: Sequence[Line]) -> str:
    more = len(lines) - _MOST_TOLD
    return f" And {more} more." if more > 0 else ""


def _quoted(text: str) -> str:
    return f'"{wording.quotable(one_line(text)).rstrip(".")}"'
