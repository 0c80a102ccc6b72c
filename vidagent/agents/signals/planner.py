"""The embedded planner: a route for each kind of signal, and plain words where none fits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals import calls, wording
from vidagent.agents.signals.extract import rule_for
from vidagent.agents.signals.intent import Intent, understand
from vidagent.agents.signals.past import Past
from vidagent.agents.signals.reading import read, sentence_that_comes
from vidagent.agents.signals.seek import Target, seek, text_target
from vidagent.agents.signals.shots import find_shots

__all__ = ["plan"]


def plan(question: str, options: Sequence[str] | None, past: Past) -> list[ToolCall]:
    """Return the next tool calls for a question, given what was looked at.

    Args:
        question: The question.
        options: The answers to choose from, or None.
        past: The looks so far.
    """
    intent = understand(question)
    if any("budget" in error for error in past.errors):
        return [calls.answer("cannot_judge", "The budget does not allow a look", confidence=0.0)]
    if intent.signal == "none" or (options and intent.signal not in {"reading", "colour"}):
        return [calls.answer("cannot_judge", wording.CANNOT_JUDGE, confidence=0.0)]
    if intent.signal == "shots":
        return find_shots(intent, past)
    if intent.signal == "reading":
        return _reading(intent, options, past)
    if intent.signal == "colour" and intent.colour is None:
        return _which_colour(intent, options, past)
    return seek(intent, _target(intent, past), past)


def _target(intent: Intent, past: Past) -> Target:
    if intent.signal == "text" and intent.text is not None:
        return text_target(intent.text)
    if intent.signal == "code":
        return _code(past)
    if intent.signal == "colour" and intent.colour is not None:
        colour = intent.colour
        does = f"is filled with {colour}"
        return Target(wording.is_filled(colour), "The screen", does, lambda t: wording.claim_fill(colour, t))
    if intent.signal == "still":
        return Target(wording.STILL, "The picture", "is still", _still_claim, searched=False, longest=True)
    where = _most_common(wording.ANY_MOTION, past)
    does = f"moves ({where})" if where else "moves"
    return Target(wording.ANY_MOTION, "Something", does, _motion_claim, searched=False)


def _code(past: Past) -> Target:
    content = _most_common(wording.ANY_CODE, past)
    if content is None:
        return Target(wording.ANY_CODE, "A code", "is shown", lambda t: f"A code is shown at {t:.3f} s.")
    name = f'The code "{content}"'
    return Target(
        wording.ANY_CODE, name, "is shown", lambda t: wording.claim_code(content, t), flicker_s=0.25
    )


def _most_common(question: str, past: Past) -> str | None:
    texts = Counter(line.text for result in past.asked(question) for line in result.lines if line.text)
    return texts.most_common(1)[0][0] if texts else None


def _still_claim(time_s: float) -> str:
    return f"The picture is still at {time_s:.3f} s."


def _motion_claim(time_s: float) -> str:
    return f"Something moves at {time_s:.3f} s."


def _reading(intent: Intent, options: Sequence[str] | None, past: Past) -> list[ToolCall]:
    running_words = re.search(r"\b(?:words?|sentences?|text|captions?|messages?)\b", intent.question)
    if intent.ask in {"when", "how_long"} and running_words:
        return _when_unquoted(past, intent)
    if intent.ask in {"what", "whether"} and (options or rule_for(intent.question)):
        return read(intent, options, past)
    return [calls.answer("cannot_judge", wording.CANNOT_JUDGE, confidence=0.0)]


def _when_unquoted(past: Past, intent: Intent) -> list[ToolCall]:
    """Look for a sentence that comes up: read the whole video first, then seek the sentence's first words."""
    if not past.count("overview", wording.ANY_TEXT):
        return [calls.overview(wording.ANY_TEXT)]
    line = sentence_that_comes(past)
    if line is None:
        return [calls.answer("cannot_judge", wording.CANNOT_JUDGE, confidence=0.0)]
    words = line.text.split()
    return seek(
        intent, text_target(" ".join(words[: 2 if "first words" in intent.question else len(words)])), past
    )


def _which_colour(intent: Intent, options: Sequence[str] | None, past: Past) -> list[ToolCall]:
    """Look at the instant asked about, or the whole video, for a screen of one colour."""
    looked = past.asked(wording.FILL)
    if not looked:
        at_s = intent.at_s
        return [
            calls.overview(wording.FILL)
            if at_s is None
            else calls.clip(at_s, at_s + past.frame_s, wording.FILL)
        ]
    filled = [line for result in looked for line in result.lines]
    names = {line.text for line in filled}
    if len(names) != 1:
        told = "No single colour fills the screen" if not names else f"{len(names)} colours fill it at times"
        return [calls.answer("cannot_judge" if names else "no", told, confidence=0.5)]
    line = filled[0]
    choice = next((i for i, option in enumerate(options or []) if option.casefold() == line.text), None)
    if options and choice is None:
        return [calls.answer("cannot_judge", wording.CANNOT_JUDGE, confidence=0.0)]
    claims = [(wording.claim_fill(line.text, line.time_s), [line.entry], line.time_s)]
    spans = [(line.time_s, min(past.duration_s, line.time_s + past.frame_s))]
    return [calls.answer("yes", line.text, claims=claims, spans=spans, choice=choice, confidence=0.8)]
