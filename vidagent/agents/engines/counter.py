"""The tokenizer of a model in this process, asked as a server's is."""

from __future__ import annotations

import asyncio
from typing import Any

from vidagent.agents.engines.base import ChatEngine
from vidagent.agents.server.endpoint import Endpoint


class EngineCounter(Endpoint):
    """Counts and cuts texts as `Endpoint` does, by an engine's tokenizer.

    Args:
        chat: The engine.
    """

    def __init__(self, chat: ChatEngine) -> None:
        """Remember the engine; nothing is loaded yet."""
        super().__init__("engine://", model=chat.model_name)
        self._chat = chat

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> object:
        given = body or {}
        if path == "/tokenize" and "prompt" in given:
            tokens = await asyncio.to_thread(self._chat.tokens_of, given["prompt"])
            return {"tokens": tokens, "count": len(tokens)}
        if path == "/detokenize":
            return {"prompt": await asyncio.to_thread(self._chat.text_of, given["tokens"])}
        return None
