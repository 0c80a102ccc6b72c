"""The data of an answer to a schema: each value as a claim, and what of it stands after the check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Verified
from vidagent.tools.answer import Claim, Draft
from vidagent.tools.data_schema import (
    Leaf,
    Schema,
    empty,
    faults,
    label_of,
    leaves,
    parts_of,
    pointer_of,
    proved,
    value_text,
)

_NOT_GIVEN = "the model gave no value for it"
_BY_RULES = "the embedded model fills in no schema; a vision-language model does"
_NOT_CHECKED = "it was not checked before the run ended"


def leaf_claims(draft: Draft, schema: Schema) -> Iterator[tuple[str, Claim]]:
    """Yield the JSON Pointer and the claim of each value of a draft that has one and follows the schema."""
    wrong = faults(schema, draft.data)
    for pointer, value in leaves(draft.data):
        if value is not None and not _is_wrong(pointer, wrong):
            source = draft.source_of(pointer)
            text = f"{label_of(schema, pointer)}: {value_text(value)}"
            if source is not None and source.text.strip():
                text += f" ({source.text.strip().rstrip('.')})"
            time_s, ledger = (None, []) if source is None else (source.time_s, source.ledger)
            yield pointer, Claim.model_construct(text=text, time_s=time_s, end_s=None, ledger=ledger)


def data_of(
    progress: Progress, schema: Schema, *, by_rules: bool
) -> tuple[Any, dict[str, str], dict[str, Verified]]:
    """Return the data in which each value is proved or null, why values are null, and the checks, by JSON Pointer.

    Args:
        progress: The last state.
        schema: What the data follows.
        by_rules: Whether rules wrote the draft, which fill in no schema.
    """
    draft = progress.draft
    checked = {item["leaf"]: item for item in progress.verified if "leaf" in item}
    if draft is None or draft.found != "yes" or draft.data is None:
        data = empty(schema)
        return (
            data,
            dict.fromkeys((pointer for pointer, _ in leaves(data)), _BY_RULES if by_rules else _NOT_GIVEN),
            {},
        )
    told: dict[str, Leaf] = {}
    reasons: dict[str, str] = {}
    wrong = faults(schema, draft.data)
    for pointer, value in leaves(draft.data):
        item = checked.get(pointer)
        if item is not None and item["verdict"] == "supported":
            told[pointer] = value
        else:
            reasons[pointer] = _reason(pointer, value, item, draft, wrong)
    return proved(draft.data, told), reasons, checked


def _reason(pointer: str, value: Leaf, item: Verified | None, draft: Draft, wrong: Mapping[str, str]) -> str:
    """Return why a value is null."""
    if item is not None:
        return item["why"] or "its frames do not show it"
    if value is None:
        source = draft.source_of(pointer)
        return source.text if source is not None and source.text and source.path == pointer else _NOT_GIVEN
    fault = next((why for place, why in wrong.items() if _holds(place, pointer)), None)
    return _NOT_CHECKED if fault is None else f"it does not follow the schema: {fault}"


def _is_wrong(pointer: str, wrong: Mapping[str, str]) -> bool:
    return any(_holds(place, pointer) for place in wrong)


def _holds(place: str, pointer: str) -> bool:
    """Tell whether a fault at a place is about a value: it is the value's own, or of all of the data."""
    return place in {pointer, ""} or pointer_of(parts_of(pointer)[: len(parts_of(place))]) == place
