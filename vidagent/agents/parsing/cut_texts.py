"""Texts of a reply that end where a limit cut them off."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from vidagent.agents.prompting.replies import MOST_CHARACTERS, limit_of
from vidagent.text import is_ended, to_last_sentence

T = TypeVar("T", bound=BaseModel)


def whole_texts(reply: T, *, cut_off: bool) -> tuple[T, bool]:
    """Return a reply whose texts end where a sentence does, and whether a long one of them was cut.

    Args:
        reply: The reply.
        cut_off: Whether it was cut off at its end, as by a limit of tokens.
    """
    changes: dict[str, object] = {}
    cut = False
    for place, (name, field) in enumerate(type(reply).model_fields.items(), 1):
        value, last = getattr(reply, name), cut_off and place == len(type(reply).model_fields)
        if isinstance(value, str):
            limit = limit_of(field) or MOST_CHARACTERS
            long = limit > MOST_CHARACTERS
            if not is_ended(value) and (len(value) == limit or (cut_off and long)):
                changes[name] = to_last_sentence(value)
                cut = cut or long
        elif isinstance(value, list) and value and isinstance(value[-1], BaseModel):
            done = [whole_texts(one, cut_off=last and one is value[-1]) for one in value]
            changes[name] = [one for one, _ in done]
            cut = cut or any(was for _, was in done)
    return (reply.model_copy(update=changes) if changes else reply), cut
