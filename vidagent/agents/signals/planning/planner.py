"""The embedded planner: one route per kind of signal, and a plain message if none fits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.follow_ups import BESIDE
from vidagent.agents.signals.language.intent import Intent, understand
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.adjacent import look_beside
from vidagent.agents.signals.planning.earlier_looks import Line, Past
from vidagent.agents.signals.planning.reading import read_at
from vidagent.agents.signals.planning.search import (
    MOST_PAGES,
    Target,
    first_look,
    first_seen,
    next_page,
    scope_of,
    seek,
    sure_of_all,
    text_target,
)
from vidagent.agents.signals.planning.shots import find_shots
from vidagent.agents.signals.planning.speech import find_speech
from vidagent.agents.signals.planning.summary import length_of, summary
from vidagent.agents.signals.planning.text_answers import find_text, is_timed, read_text
from vidagent.agents.signals.planning.video_facts import file_facts, outline

_LARGER = "larger now"
"""In the refusal of a draft after which there is a larger budget: it refuses no look."""


def plan(question: str, options: Sequence[str] | None, past: Past) -> list[ToolCall]:
    """Return the next tool calls for a question, given its options, or None, and the looks so far."""
    intent, length = understand(question), length_of(question)
    if any("budget" in error and _LARGER not in error for error in past.errors):
        return [tool_calls.answer("cannot_judge", "The budget does not allow a look", confidence=0.0)]
    if length is not None and not options:
        return summary(question, length, past)
    if (
        intent.signal == "none"
        and intent.possible
        and past.texts_known
        and past.has("search")
        and not options
    ):
        return read_text(intent, None, past)
    if intent.signal == "none" or (options and intent.signal not in {"reading", "colour", "speech"}):
        why = wording.CANNOT_JUDGE if intent.english else wording.ENGLISH_ONLY
        return [tool_calls.answer("cannot_judge", why, confidence=0.0)]
    from_s = intent.at_s if intent.range_s is None else intent.range_s[0]
    if from_s is not None and past.duration_s and from_s >= past.duration_s:
        text = f"The video ends at {past.duration_s:.3f} s, before the time asked about"
        return [tool_calls.answer("no", text, confidence=0.9)]
    if intent.signal == "speech":
        planned = find_speech(intent, options, past)
        unheard = planned[0]["args"].get("answer") == wording.NO_SPEECH_MODEL
        if options or not unheard or "mention" not in intent.question:
            return planned
        intent = replace(
            intent, signal="reading" if intent.text is None else "text"
        )  # text mentions things, too
    if BESIDE.search(question):
        return look_beside(question, past)
    if intent.signal == "shots":
        return find_shots(intent, past)
    if intent.signal in {"facts", "outline"}:
        return file_facts(intent, past) if intent.signal == "facts" else outline(intent, past)
    if intent.signal == "text":
        return find_text(intent, past)
    if intent.signal == "reading":
        at_once = intent.at_s is not None and not is_timed(intent)
        read = read_at if at_once or not past.has("search") else read_text
        return read(intent, options, past)
    if intent.signal == "colour" and intent.colour is None:
        return _which_colour(intent, options, past)
    if intent.signal == "code" and intent.ask == "count" and "times" not in intent.question:
        return _how_many_codes(intent, past)
    return seek(intent, _target(intent, past), past)


def known_so_far(question: str, past: Past) -> ToolCall:
    """Answer from the looks so far when no look is left: that the thing is there, if not its start and end."""
    intent = understand(question)
    searchable = intent.signal in {"text", "code", "motion", "still"} or (
        intent.signal == "colour" and intent.colour
    )
    target = _target(intent, past) if searchable else None
    seen = None if target is None else first_seen(intent, target, past)
    if target is None or seen is None:
        return tool_calls.answer("cannot_judge", "The search ended before anything was found", confidence=0.0)
    text = f"{target.name} {target.does} at {seen.first_s:.3f} s; the search ended before its start and end were known."
    claims = [(target.claim(seen.first_s), seen.looks, seen.first_s)]
    return tool_calls.answer("yes", text, claims=claims, spans=[(seen.first_s, seen.last_s)], confidence=0.5)


def _target(intent: Intent, past: Past) -> Target:
    if intent.signal == "text" and intent.text is not None:
        return text_target(intent.text)
    if intent.signal == "code":
        return _code(intent, past)
    if intent.signal == "colour" and intent.colour is not None:
        colour = intent.colour
        does = f"is filled with {colour}"
        return Target(wording.is_filled(colour), "The screen", does, lambda t: wording.claim_fill(colour, t))
    if intent.signal == "still":
        return Target(
            wording.STILL,
            "The picture",
            "is still",
            lambda t: f"The picture is still at {t:.3f} s.",
            searched=False,
            longest=intent.ask != "whether",
            by="calm",
        )
    return Target(
        wording.ANY_MOTION,
        "Something",
        "moves",
        lambda t: f"Something moves at {t:.3f} s.",
        searched=False,
        by="step",
        placed=True,
    )


def _code(intent: Intent, past: Past) -> Target:
    """Return the code to look for: the quoted one, else the first or last one seen, or any when counting."""
    question = _code_question(intent)
    seen = list(_codes(question, intent, past))
    if intent.text is not None:
        content = next((text for text in seen if wording.quotable(text) == intent.text), intent.text)
    elif intent.ask == "count" or not seen:
        return Target(question, "A code", "is shown", lambda t: f"A code is shown at {t:.3f} s.")
    else:
        content = seen[-1 if intent.order == "last" else 0]
    others = ", ".join(f'"{text}"' for text in seen if text != content)
    return Target(
        question,
        f'The code "{content}"',
        "is shown",
        lambda t: wording.claim_code(content, t),
        text=content,
        note=f"Other codes were seen, too: {others}." if others and intent.text is None else "",
        flicker_s=0.25,
    )


def _code_question(intent: Intent) -> str:
    only_qr = "qr" in intent.question and not re.search(r"\bbar ?codes?\b", intent.question)
    return wording.QR_CODES if only_qr else wording.ANY_CODE


def _codes(question: str, intent: Intent, past: Past) -> dict[str, Line]:
    """Return the contents of codes seen in the range in question, each with its first sighting."""
    low, high = scope_of(intent, past) or (0.0, past.duration_s)
    lines = sorted(
        (line for result in past.asked(question) for line in result.lines), key=lambda line: line.time_s
    )
    first: dict[str, Line] = {}
    for line in lines:
        if line.text and low - 1e-3 <= line.time_s <= high:
            first.setdefault(line.text, line)
    return first


def _how_many_codes(intent: Intent, past: Past) -> list[ToolCall]:
    """Count codes by content, in an overview and the likeliest moments."""
    question = _code_question(intent)
    if not past.asked(question):
        return [first_look(intent, question, past)]
    page = None if intent.at_s is not None else next_page(question, MOST_PAGES, past)
    if page is not None:
        return [page]
    seen = _codes(question, intent, past)
    if not seen:
        frames = sum(len(result.times_s) for result in past.asked(question))
        sure = sure_of_all(intent, question, past)
        return [tool_calls.answer("no", f"No code was read in {frames} frames looked at", confidence=sure)]
    claims = [(wording.claim_code(t, line.time_s), [line.entry], line.time_s) for t, line in seen.items()]
    spans = [(line.time_s, min(past.duration_s, line.time_s + past.frame_s)) for line in seen.values()]
    listed = ", ".join(f'"{text}" at {line.time_s:.3f} s' for text, line in seen.items())
    text = f"{len(seen)} different {'code was' if len(seen) == 1 else 'codes were'} read, as far as was seen: {listed}."
    return [
        tool_calls.answer(
            "yes",
            text,
            claims=claims[:8],
            spans=spans[:8],
            count=len(seen),
            confidence=sure_of_all(intent, question, past),
        )
    ]


def _which_colour(intent: Intent, options: Sequence[str] | None, past: Past) -> list[ToolCall]:
    """Look for a screen of one colour at the instant in question, or in the whole video."""
    looked = past.asked(wording.FILL)
    if not looked:
        return [first_look(intent, wording.FILL, past)]
    filled = [line for result in looked for line in result.lines]
    names = {line.text for line in filled}
    if len(names) != 1:
        text = "No single colour fills the screen" if not names else f"{len(names)} colours fill it at times"
        return [tool_calls.answer("cannot_judge" if names else "no", text, confidence=0.5)]
    line = filled[0]
    choice = next((i for i, option in enumerate(options or []) if option.casefold() == line.text), None)
    if options and choice is None:
        return [tool_calls.answer("cannot_judge", wording.CANNOT_JUDGE, confidence=0.0)]
    claims = [(wording.claim_fill(line.text, line.time_s), [line.entry], line.time_s)]
    spans = [(line.time_s, min(past.duration_s, line.time_s + past.frame_s))]
    return [tool_calls.answer("yes", line.text, claims=claims, spans=spans, choice=choice, confidence=0.8)]
