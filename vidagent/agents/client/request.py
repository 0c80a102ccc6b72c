"""One request to a model, ready to be sent, and the features of it that a server may refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel

Feature = Literal[
    "thinking_budget",
    "two_phase",
    "schema",
    "strict",
    "forced_tool",
    "tools",
    "video",
    "media_options",
    "image_ids",
    "stream",
]


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Args:
        messages: The messages, in the server's form.
        frames: Pictures in them, those inside a video included.
        tools: Tools or schemas to bind; empty for none.
        binding: Further arguments of `bind_tools`.
        options: Arguments of the call; `extra_body` holds the fields that are not OpenAI's.
        uses: The features that the server may refuse.
        thought: Reasoning tokens to be had in a request of its own first; None for a single request.
        stream: Whether the reply is to be had word by word.
    """

    messages: list[BaseMessage]
    frames: int = 0
    tools: tuple[BaseTool | type[BaseModel] | dict[str, Any], ...] = ()
    binding: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    uses: frozenset[Feature] = frozenset()
    thought: int | None = None
    stream: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The fields that are not OpenAI's."""
        return dict(self.options.get("extra_body", {}))
