"""The route of questions about shots and cuts: the index lists them, frames on both sides confirm each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals import calls, wording
from vidagent.agents.signals.intent import Intent
from vidagent.agents.signals.locate import Window
from vidagent.agents.signals.past import Past, Result

__all__ = ["find_shots"]

_MOST_CONFIRMED = 24
_AT_A_TIME = 6
_QUERY = "How many shots are there, and when are the cuts?"


def find_shots(intent: Intent, past: Past) -> list[ToolCall]:
    """Return the next calls of a count of shots, or the answer."""
    if not past.count("search", _QUERY):
        return [calls.search(_QUERY, 1)]
    listed = _listed(past)
    looks = past.asked(wording.ANY_CUT)
    todo = [window for window in _windows(listed, past) if not _done(window, looks)]
    if todo:
        return [calls.resample(window, wording.ANY_CUT) for window in todo[:_AT_A_TIME]]
    return [_answer(intent, listed, looks, past)]


def _listed(past: Past) -> list[float]:
    """Read the cut times of the index from the facts of the search."""
    facts = " ".join(str(f) for result in past.asked(_QUERY) for f in result.told.get("facts", []))
    listed = re.search(r"cuts at [^:]*: ([\d., ]+)", facts)
    return [float(t) for t in listed[1].replace(" ", "").strip(".,").split(",") if t] if listed else []


def _windows(listed: Sequence[float], past: Past) -> list[Window]:
    """Two frames before each cut and one after it, every frame of them."""
    reach = 2.5 * past.frame_s
    fps = round(1 / past.frame_s, 4)
    return [
        Window(round(max(0.0, cut - reach), 4), round(min(past.duration_s, cut + reach), 4), fps)
        for cut in listed[:_MOST_CONFIRMED]
    ]


def _done(window: Window, looks: Sequence[Result]) -> bool:
    return any(abs(look.told["start_s"] - window.start_s) < 2e-3 for look in looks)


def _answer(intent: Intent, listed: Sequence[float], looks: Sequence[Result], past: Past) -> ToolCall:
    seen = {line.time_s: line.entry for look in looks for line in look.lines}
    more = listed[_MOST_CONFIRMED:]
    cuts = sorted({*seen, *more})
    chosen = cuts[-1:] if intent.order == "last" else cuts[:1] if _one(intent) else cuts
    claims = [(wording.claim_cut(t), [seen[t]], t) for t in chosen if t in seen][:8]
    times = ", ".join(f"{t:.3f} s" for t in cuts[:50])
    told = f"{len(cuts) + 1} shots, with {len(cuts)} cuts at {times}."
    if len(chosen) == 1 < len(cuts):
        told = f"The {intent.order} cut is at {chosen[0]:.3f} s. There are {told}"
    if more:
        told += f" The first {_MOST_CONFIRMED} cuts were looked at; the rest are from the index."
    if not cuts:
        return calls.answer("no", "No cut was found: the whole video is one shot", count=None, confidence=0.8)
    spans = [(t, min(past.duration_s, t + past.frame_s)) for t in chosen]
    count = len(cuts) if re.search(r"\bcuts?\b", intent.question) else len(cuts) + 1
    return calls.answer(
        "yes",
        told,
        claims=claims,
        spans=spans,
        count=count if intent.ask == "count" else None,
        confidence=0.9,
    )


def _one(intent: Intent) -> bool:
    return intent.ask == "when" and bool(re.search(r"\b(?:first|next)\b", intent.question))
