"""Advice of answers in the words of a door: what is typed at a command line does not help elsewhere."""

from __future__ import annotations

from typing import Literal

from vidagent.agents.signals.language.wording import CONNECT

Door = Literal["rest", "mcp"]
_THIS_SERVER = "(VIDAGENT_BASE_URL; docs/models.md says which model fits which machine)"
_WORDS: dict[Door, str] = {
    "rest": f"another model of this server, if it has one, or one that is connected to it {_THIS_SERVER}",
    "mcp": "you, if you use `look` and judge the frames yourself, "
    f"or one that is connected to this server {_THIS_SERVER}",
}


def in_words_of(door: Door, text: str) -> str:
    """Return the text of an answer or event with its advice on how to get another model fit for a door."""
    return text.replace(CONNECT, _WORDS[door])
