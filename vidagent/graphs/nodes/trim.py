"""Trim the planner's history to the latest turns that fit its context."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage

from vidagent.agents.client.limits import prompt_tokens

_FULL = 0.75
"""Share of the context that a prompt may take; the rest is for estimation errors and the tools."""
_AFTER = 0.5


def leave_out(history: Sequence[BaseMessage], already: int, prompt: int, room: int) -> int:
    """Return how many of the oldest messages to leave out.

    It stays the same until the prompt fills three quarters of the room, then grows in one step until it fills half:
    each change invalidates the server's prefix cache. Whole turns go, a call never without its results, and the last
    turn stays.

    Args:
        history: All turns: AIMessages with tool calls, each followed by its ToolMessages.
        already: How many are left out so far.
        prompt: Tokens of the prompt without those.
        room: Most tokens of a prompt.
    """
    if prompt <= _FULL * room:
        return already
    turns = [
        place for place, message in enumerate(history) if isinstance(message, AIMessage) and place > already
    ]
    for place in turns:
        if prompt - prompt_tokens(history[already:place], 0, 0) <= _AFTER * room:
            return place
    return turns[-1] if turns else already
