"""Quotes for questions that no rule fits: the row of text on screen that has most of the question's own words.

Only texts that are known already are quoted, as no rule says that the question is about text at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import Intent
from vidagent.agents.signals.language.matching import holds
from vidagent.agents.signals.language.supported_questions import about_more
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Past
from vidagent.agents.signals.planning.search import scope_of
from vidagent.agents.signals.planning.text_answers import TIMED, find_text, shown
from vidagent.agents.signals.planning.texts import (
    Reading,
    Text,
    blocks,
    content_words,
    distinct,
    found_words,
    known_texts,
    query_of,
    rows,
    said,
    within,
)
from vidagent.video.clock import format_time

_ENOUGH: Final = 0.5
"""Share of the question's own words that a row must have to be quoted as an answer."""
_MOST_NAMED = 3


def quote(intent: Intent, past: Past) -> list[ToolCall]:
    """Return the next tool calls for a question that no rule fits, or the answer: a quote, or that it cannot judge."""
    known = known_texts(intent.question, past)
    if known is None:
        return [tool_calls.search(query_of(intent.question), 1)]
    words = content_words(intent.question)
    texts = within(known.texts, scope_of(intent, past))
    if intent.ask in TIMED and (text := _phrase(words, intent.question, texts)):
        return find_text(replace(intent, signal="text", text=text, named=True), past)
    ranked = sorted(
        _quotable(words, texts), key=lambda row: (-len(found_words(words, said(row))), len(said(row)))
    )
    best: tuple[Text, ...] = next(iter(ranked), ())
    found = found_words(words, said(best))
    level = [row for row in ranked if found and len(found_words(words, said(row))) == len(found)]
    elsewhere = intent.ask in {*TIMED, "where"} or about_more(intent.question)
    unclear = any(found_words(words, said(row)) != found for row in level)
    if not found or elsewhere or unclear or len(found) < _ENOUGH * len(words):
        return [_unable(intent, level)]
    return shown(Reading(said(best), best, unique=False), None, past)


def _phrase(words: Sequence[str], question: str, texts: Sequence[Text]) -> str | None:
    """Return the part of a question that stands on screen as it is, if the question is about nothing else."""
    spoken = re.findall(r"[^\W_]+", question)
    places = [place for place, word in enumerate(spoken) if word in words]
    phrase = " ".join(spoken[places[0] : places[-1] + 1]) if places else ""
    return phrase if phrase and any(holds(one.text, phrase) for one in texts) else None


def _quotable(words: Sequence[str], texts: Sequence[Text]) -> Iterator[tuple[Text, ...]]:
    """Yield what may be quoted: rows, and two lines under each other, that say more than the words of the question."""
    pairs = (distinct(pair) for group in blocks(texts) for pair in pairwise(group))
    for row in (*rows(texts), *pairs):
        own = content_words(said(row).casefold())
        if len(own) > len(found_words(own, " ".join(words))):
            yield row


def _unable(intent: Intent, near: Sequence[tuple[Text, ...]]) -> ToolCall:
    """Say that the model cannot judge, and what has words of the question."""
    why = wording.CANNOT_JUDGE if intent.english else wording.ENGLISH_ONLY
    if near:
        first = {said(row): row[0].start_s for row in reversed(near)}
        some = "; ".join(
            f'"{text}" at {format_time(first[text])}' for text in list(first)[::-1][:_MOST_NAMED]
        )
        why = f"On screen are words of the question: {some}. What answers it is not sure. {why}"
    return tool_calls.answer("cannot_judge", why, confidence=0.0)
