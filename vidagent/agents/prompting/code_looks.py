"""Looks that code decided on, as the planner's history tells of them, and how they are read back.

They are no calls of the planner, so they come as a message of the user: a reason, and one line of JSON for each look.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from vidagent.agents.prompting.messages import block, read_blocks

_HEADING = "Code looked here, because "


def looks_message(reason: str, lines: Sequence[str]) -> HumanMessage:
    """Return the message about looks that were done for a reason; each line is the JSON of one."""
    looks = block("notes", "\n".join(lines))
    return HumanMessage(f"\n{_HEADING}{reason}:\n{looks}")


def read_looks(messages: Sequence[BaseMessage]) -> Iterator[dict[str, Any]]:
    """Yield the looks that messages tell of; in the planner's messages no other notes occur."""
    for text in read_blocks(messages, "notes"):
        for line in text.splitlines():
            yield json.loads(line)


def only_looks(message: HumanMessage, ids: Collection[str]) -> HumanMessage | None:
    """Return a message about these looks only; None if it tells of none of them."""
    looks = [look for look in read_looks([message]) if look["id"] in ids]
    reason = str(message.content).partition(_HEADING)[2].partition(":\n")[0]
    return looks_message(reason, [json.dumps(look, ensure_ascii=False) for look in looks]) if looks else None
