"""Answers from the texts on screen: when a text stands there, or what does, each with the frames that show it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.content_words import content_words, strict_words
from vidagent.agents.signals.language.intent import Intent
from vidagent.agents.signals.language.matching import holds
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Past, Result
from vidagent.agents.signals.planning.intervals import Found, Window
from vidagent.agents.signals.planning.reading import sub_question
from vidagent.agents.signals.planning.retrieval import (
    MOST_LISTED,
    SETTLED,
    UNSURE,
    Reading,
    choose,
    found_words,
    holding,
    nearby,
    phrase,
)
from vidagent.agents.signals.planning.search import MOST_PAGES, answer_found, scope_of, seek, text_target
from vidagent.agents.signals.planning.texts import (
    SURE,
    Known,
    Showing,
    Text,
    known_texts,
    nearest,
    query_of,
    said,
    showings,
    within,
)
from vidagent.video.clock import format_time
from vidagent.video.texts.track import plain as normal

_MOST_SHOWN = 6
_MOST_COLOURED = 6
_INSTANT_S = 0.001
_RUNNING_WORDS = 4
_TOGETHER_S = 5.0
_RUNNING = re.compile(r"\b(?:sentence|text|message|lines?|captions?|words?|writing)\b")
_OFTEN = re.compile(r"\b(?:times|often|occasions)\b")
_ON_SCREEN = re.compile(
    r"\b(?:appear\w*|disappear\w*|visible|shown|shows?|seen?|read|readable|displayed|up|there|screen|arrives?|stays?|"
    r"flash\w*|moment|second|until|vanish\w*)\b"
)
"""What asks when a text stands on screen, and not for a time that it tells."""
_DATED = re.compile(
    r"\d:\d\d|\b(?:1\d|20)\d\d\b|\b\d{1,2}[-/.]\d{1,2}\b(?! ?[€$£])|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|"
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*\b|\b\d+ ?[ap]\.?m\b",
    re.IGNORECASE,
)
"""Times and dates that a text may tell."""
_IS_THERE = re.compile(
    r"\b(?:any|there|appear(?:s|ed)?|shown|seen|visible|displayed|listed|mentioned|written|read|(?:on|in) (?:the )?"
    r"(?:screen|list|menu))\b"
)
TIMED: Final = frozenset({"when", "how_long", "count"})
"""Kinds of answers that need the times of a text."""


def find_text(intent: Intent, past: Past) -> list[ToolCall]:
    """Return the next tool calls of a search for a given text, or the answer."""
    assert intent.text is not None  # noqa: S101 - what makes it a search for a text
    target = text_target(intent.text)
    closer = past.has("clip") or past.has("resample")
    if not past.has("search") or not closer or intent.at_s is not None:
        return seek(intent, target, past)
    known = known_texts(intent.question, past)
    if known is None:
        return [tool_calls.search(query_of(intent.question), 1)]
    scope = scope_of(intent, past)
    found = [one for one in showings(intent.text, known.texts) if _meets(one[:2], scope)]
    if not found:
        return _unknown(intent, known, past)
    chosen = _chosen(intent, found)
    looks = [_window(start_s, end_s, past) for start_s, end_s, _ in chosen]
    new = [window for window in looks[:_MOST_SHOWN] if _looked(window, target.question, past) is None]
    if new:
        return [tool_calls.closer(window, target.question, past) for window in new]
    runs = [_run(part, window, target.question, past) for part, window in zip(chosen, looks, strict=True)]
    sure = min(line.sure for _, _, lines in chosen for line in lines)
    note = "" if sure >= SURE else "The reading is uncertain."
    every = intent.ask == "count" or intent.order == "every"
    confidence = min(0.9 if sure >= SURE else UNSURE, 0.9 if known.complete or not every else UNSURE)
    if every and not known.complete:
        note = f"{note} Only {known.share:.0%} of what may be text was read.".strip()
    return [answer_found(intent, target, runs, len(found), past, note=note, confidence=confidence)]


def _meets(span: tuple[float, float], scope: tuple[float, float] | None) -> bool:
    return scope is None or (span[0] < scope[1] and span[1] > scope[0])


def _chosen(intent: Intent, found: list[Showing]) -> list[Showing]:
    """Return the showings that are asked about: the first or last if the question says so, else all."""
    if intent.order == "last":
        return found[-1:]
    return found[:1] if re.search(r"\bfirst\b", intent.question) else found


def _window(start_s: float, end_s: float, past: Past) -> Window:
    """Return the look at a showing: its first frame, its last one and one between them."""
    last_s = max(start_s, end_s - past.frame_s)
    if last_s - start_s < 2 * past.frame_s:
        return Window(start_s, end_s)
    return Window(start_s, round(last_s, 3), round(2 / (last_s - start_s), 4))


def _looked(window: Window, question: str, past: Past) -> Result | None:
    return next(
        (
            look
            for look in past.asked(question)
            if abs(look.told["start_s"] - window.start_s) < 2e-3
            and abs(look.told["end_s"] - window.end_s) < 2e-3
        ),
        None,
    )


def _run(part: Showing, window: Window, question: str, past: Past) -> Found:
    """Return a showing as a run of frames, with those in which its look saw it as its first and last."""
    start_s, end_s, _ = part
    look = _looked(window, question, past)
    seen = sorted(line.time_s for line in look.lines) if look is not None else []
    first_s, last_s = (seen[0], seen[-1]) if seen else (start_s, window.end_s)
    ends = end_s < past.duration_s - past.frame_s / 2
    return Found(
        first_s=first_s,
        last_s=last_s,
        before_s=start_s if start_s > 0 else None,
        after_s=end_s if ends else None,
        step_s=0.0,
        looks=(look.id,) if look is not None else (),
        start_s=start_s,
    )


def _unknown(intent: Intent, known: Known, past: Past) -> list[ToolCall]:
    """Look for a text that is not among those known; if it is not seen, say what comes nearest to it."""
    planned = seek(intent, text_target(intent.text or ""), past, pages=1 if known.complete else MOST_PAGES)
    if planned[0]["name"] != "answer" or planned[0]["args"]["found"] != "no":
        return planned
    args = planned[0]["args"]
    if intent.named:
        text = f'The text "{intent.text}" was not read; what else it may be the embedded model cannot judge'
        return [tool_calls.answer("cannot_judge", f"{text}. {wording.CANNOT_JUDGE}", confidence=0.0)]
    near = nearest(intent.text or "", known.texts)
    if near is not None:
        at = f"at {near.start_s:.3f} s"
        args["answer"] += (
            f". It was read {at}, outside of the time asked about"
            if holds(near.text, intent.text or "")
            else f'. The nearest text that was read differs: "{near.text}" {at}'
        )
    args["confidence"] = 0.8 if known.complete else UNSURE
    return planned


def read_text(intent: Intent, options: Sequence[str] | None, past: Past) -> list[ToolCall]:
    """Return the next tool calls of a question about unknown text, or the answer."""
    known = known_texts(intent.question, past)
    if known is None:
        return [tool_calls.search(query_of(intent.question), 1)]
    there = within(known.texts, scope_of(intent, past))
    texts = _ordered(intent, [one for one in there if one.sure >= SURE] or there)
    if intent.text is not None:
        beside = intent.ask == "what" or strict_words(intent.question)
        return [_unanswered(intent, texts)] if beside else _found(intent, past, sure=False)
    reading = _option(options, texts) if options else choose(intent.question, texts, past.size_wh)
    on_screen = intent.ask == "count" or bool(_ON_SCREEN.search(intent.question))
    if is_timed(intent) and (on_screen or reading is None or not _DATED.search(reading.answer)):
        literal = intent.ask == "when" and phrase(intent.question, texts)
        timed = _timed(intent, texts, reading) if on_screen else literal
        if not timed:
            return [_unanswered(intent, texts)]
        return _found(replace(intent, text=timed, at_s=None), past, sure=on_screen)
    if not texts and intent.signal != "none":
        confidence = 0.8 if known.complete else UNSURE
        return [tool_calls.answer("no", "No such text was read", confidence=confidence)]
    if (question := sub_question(intent)) != wording.ANY_TEXT and intent.signal != "none":
        todo = _colour_looks(question, texts, past)
        if todo:
            return todo
        reading = choose(intent.question, _on_colour(question, texts, past), past.size_wh)
    if intent.ask == "whether" and not options:
        reading = _there(intent, texts)
        words = content_words(intent.question)
        absent = words and known.complete and _IS_THERE.search(intent.question)
        if reading is None and absent and not found_words(words, said(texts)):
            return [tool_calls.answer("no", "No such text was read", confidence=UNSURE)]
    doubted = reading is None or reading.sure < SETTLED or bool(re.search(r"\bwho\b", intent.question))
    if reading is None or (intent.signal == "none" and doubted):
        return [_unanswered(intent, texts)]
    return shown(reading, options, past, most=UNSURE if intent.signal == "none" else SETTLED)


def _found(intent: Intent, past: Past, *, sure: bool) -> list[ToolCall]:
    """Look for a text that the question may mean; it is no sure answer where it does not ask what is on screen."""
    planned = find_text(replace(intent, signal="text", named=True), past)
    if planned[0]["name"] == "answer" and not sure:
        planned[0]["args"]["confidence"] = min(UNSURE, planned[0]["args"]["confidence"])
    return planned


def is_timed(intent: Intent) -> bool:
    """Tell whether an answer needs the times of a text; a number of other things may be written."""
    return intent.ask in TIMED and (intent.ask != "count" or bool(_OFTEN.search(intent.question)))


def _there(intent: Intent, texts: Sequence[Text]) -> Reading | None:
    """Return the lines that have all words of a question whether something is there."""
    words = content_words(intent.question)
    lines = holding(words, texts) if words else tuple(texts[:MOST_LISTED])
    return Reading(said(lines), lines, UNSURE) if lines else None


def _timed(intent: Intent, texts: Sequence[Text], reading: Reading | None) -> str | None:
    """Return the text whose times are asked for: what the question says, or the only one that it describes."""
    words, strict = content_words(intent.question), strict_words(intent.question)
    own = phrase(intent.question, texts) or said(holding(strict or words, texts)[:1])
    if own or strict:
        return own or (said(reading.lines[:1]) if reading is not None and reading.sure == SETTLED else None)
    line = _that_comes(texts) if intent.ask != "count" and _RUNNING.search(intent.question) else None
    if line is not None:
        reading = Reading(line.text, (line,), SETTLED)
    if reading is None or not reading.unique:
        return None
    told = reading.answer.split()
    return " ".join(told[: 2 if "first words" in intent.question else len(told)])


def _ordered(intent: Intent, texts: Sequence[Text]) -> list[Text]:
    """Return the texts that stand with the first or with the last one, if the question asks about that."""
    if not texts or not (intent.order == "last" or re.search(r"\bfirst\b(?! words)", intent.question)):
        return list(texts)
    at_s = max(one.start_s for one in texts) if intent.order == "last" else min(one.start_s for one in texts)
    return [one for one in texts if one.start_s <= at_s + _INSTANT_S < one.end_s + _INSTANT_S]


def _that_comes(texts: Sequence[Text]) -> Text | None:
    """Return the first line of running words that comes up after the start; None if others come elsewhere."""
    later = [
        one
        for one in texts
        if one.start_s > 0 and len(re.findall(r"[^\W\d_]{2,}", one.text)) >= _RUNNING_WORDS
    ]
    together = bool(later) and later[-1].start_s - later[0].start_s <= _TOGETHER_S
    return min(later, key=lambda one: (one.start_s, one.box[1])) if together else None


def _colour_looks(question: str, texts: Sequence[Text], past: Past) -> list[ToolCall]:
    """Return looks at a few frames that together show all texts once, as only frames show what is behind them."""
    left, times = list(texts), list[float]()
    while left and len(times) < _MOST_COLOURED:
        middles = [(one.start_s + one.end_s) / 2 for one in left]
        best = max(middles, key=lambda at_s: sum(one.start_s <= at_s < one.end_s for one in left))
        times.append(round(best, 3))
        left = [one for one in left if not one.start_s <= best < one.end_s]
    windows = [Window(at_s, at_s + _INSTANT_S) for at_s in times]
    done = {round(look.told["start_s"], 3) for look in past.asked(question)}
    return [tool_calls.clip(one.start_s, one.end_s, question) for one in windows if one.start_s not in done]


def _on_colour(question: str, texts: Sequence[Text], past: Past) -> list[Text]:
    seen = {normal(line.text) for look in past.asked(question) for line in look.lines}
    return [one for one in texts if normal(one.text) in seen]


def _option(options: Sequence[str], texts: Sequence[Text]) -> Reading | None:
    """Return the only option that stands on screen."""
    named = {
        option: one
        for option in options
        for one in texts
        if normal(option) and normal(option) == normal(one.text)
    }
    option, line = next(iter(named.items()), ("", None))
    return Reading(option, (line,), SETTLED) if line is not None and len(named) == 1 else None


def shown(
    reading: Reading, options: Sequence[str] | None, past: Past, *, most: float = SETTLED
) -> list[ToolCall]:
    """Look at a frame of each line of a reading, then answer with the words and their times, no surer than `most`."""
    lines = reading.lines[:MOST_LISTED]
    middles = {one: round((one.start_s + max(one.start_s, one.end_s - past.frame_s)) / 2, 3) for one in lines}
    done = {round(look.told["start_s"], 3): look for look in past.asked(wording.ANY_TEXT)}
    new = [at_s for at_s in dict.fromkeys(middles.values()) if at_s not in done]
    if new:
        return [tool_calls.clip(at_s, at_s + _INSTANT_S, wording.ANY_TEXT) for at_s in new]
    claims = []
    for one, at_s in middles.items():
        look = done[at_s]
        shown_s = look.times_s[0] if look.times_s else at_s
        claims.append((wording.claim_text(one.text, shown_s), [look.id], shown_s))
    sure = min(one.sure for one in lines)
    times = "; ".join(f"{format_time(one.start_s)} to {format_time(one.end_s)}" for one in lines[:3])
    doubt = "" if sure >= SURE else "; the reading is uncertain"
    line = wording.quotable(said(lines))
    whole = f'in "{line}", ' if normal(line) != normal(reading.answer) and len(lines) == 1 else ""
    text = f'"{wording.quotable(reading.answer)}" ({whole}on screen from {times}{doubt})'
    choice = next((i for i, one in enumerate(options or []) if normal(one) == normal(reading.answer)), None)
    confidence = min(reading.sure, most, SETTLED if sure >= SURE else 0.3)
    spans = [(one.start_s, one.end_s) for one in lines]
    return [tool_calls.answer("yes", text, claims=claims, spans=spans, choice=choice, confidence=confidence)]


def _unanswered(intent: Intent, texts: Sequence[Text]) -> ToolCall:
    """Say that the model cannot judge, and what has words of the question, or what else was read."""
    near = nearby(intent.question, texts)
    if near:
        some = "; ".join(f'"{said(unit)}" at {format_time(unit[0].start_s)}' for unit in near)
        text = f"On screen are words of the question: {some}. What answers it is not sure. {wording.CANNOT_JUDGE}"
    elif intent.signal == "none" or not texts:
        text = wording.CANNOT_JUDGE
    else:
        longest = sorted(texts, key=lambda one: -(one.end_s - one.start_s) * one.high)[:MOST_LISTED]
        some = "; ".join(f'"{one.text}" at {format_time(one.start_s)}' for one in sorted(longest))
        text = f"Which of the texts on screen answers this the embedded model cannot judge. It read: {some}"
    return tool_calls.answer("cannot_judge", text, confidence=0.0)
