"""Rule-based classification of questions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from vidagent.agents.prompting.replies import Kind, Route
from vidagent.agents.signals.language.intent import Intent, understand

_SPOKEN = re.compile(r"\b(?:said|says?|spoken|speaks?|heard|mention(?:s|ed)?|talk(?:s|ed|ing)?)\b")
_NEIGHBOUR = re.compile(r"\b(?P<side>before|after)\s+(?!that\b)(?P<event>[^?.!,]+)")
_KINDS: dict[str, Kind] = {
    "how_long": "how_long",
    "count": "count",
    "when": "locate",
    "where": "locate",
    "whether": "whether",
}


def sort(question: str, options: Sequence[str] | None) -> Route:
    """Classify a question on its own, without the earlier turns."""
    intent = understand(question)
    start_s, end_s = _range(intent)
    near = _NEIGHBOUR.search(intent.question)
    ordered = near is not None and intent.range_s is None and intent.ask not in {"count", "how_long"}
    return Route.model_validate(
        {
            "question": question,
            "kind": "order" if ordered else _kind(intent, options),
            "thing": intent.text or question,
            "start_s": start_s,
            "end_s": end_s,
            "anchor": near["event"] if near and ordered else None,
            "side": near["side"] if near and ordered else None,
        }
    )


def _kind(intent: Intent, options: Sequence[str] | None) -> Kind:
    if intent.signal == "speech":
        return "speech"
    if intent.order == "every":
        return "count"
    if intent.ask in {"count", "how_long"}:
        return _KINDS[intent.ask]
    if intent.at_s is not None:
        return "at_time"
    if intent.signal == "reading":
        return "read"
    if intent.signal == "none" and _SPOKEN.search(intent.question):
        return "speech"
    return _KINDS.get(intent.ask) or ("choice" if options else "whole")


def _range(intent: Intent) -> tuple[float | None, float | None]:
    if intent.at_s is not None:
        return intent.at_s, intent.at_s
    if intent.range_s is None:
        return None, None
    start_s, end_s = intent.range_s
    return start_s, end_s if math.isfinite(end_s) else None
