"""A model that replays recorded replies: each once, to equal requests in their recorded order."""

# ruff: noqa: ANN401  (the signatures of LangChain's hooks)
from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, messages_from_dict
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from vidagent.agents.recording.request_key import (
    ChatProxy,
    RecordedRequest,
    TraceLine,
    as_chunk,
    describe_request,
    hash_of,
    options_of,
)
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint
from vidagent.errors import BudgetSpent, ModelError

_AT_ONCE_S = 1e-6
"""How long a replay waits before it repeats a request that the server had refused for the moment."""


class RecordedReplies:
    """The replies of a recorded run, each used once.

    Args:
        run_id: The run.
        lines: Its `request` lines; those of equal requests in their order.
        out_of_time: Whether the run ended because its seconds were spent: then it had no time for a request without a
            recorded reply.
    """

    def __init__(self, run_id: str, lines: Iterable[TraceLine], *, out_of_time: bool = False) -> None:
        """Sort the lines by their keys."""
        self._run_id, self._out_of_time = run_id, out_of_time
        self._by_key: dict[str, list[TraceLine]] = defaultdict(list)
        for line in lines:
            self._by_key[line["key"]].append(line)

    def take(self, request: RecordedRequest) -> AIMessage:
        """Return the reply to a request.

        Raises:
            ServerError: If the server failed then.
            BudgetSpent: If the time was spent before it came.
            ModelError: If there is none.
        """
        left = self._by_key.get(request.key)
        line = left.pop(0) if left else None
        if self._out_of_time and (line is None or line["cut"]):
            raise BudgetSpent("seconds")
        if line is None or (line["reply"] is None and "detail" not in (line["error"] or {})):
            raise ModelError(
                f"run {self._run_id} holds no reply to this request of step {request.step!r}: "
                "the code, the prompts or the settings have changed since it was recorded"
            )
        if line["error"]:
            raise ServerError(**{**line["error"], "wait_s": _AT_ONCE_S})
        [message] = messages_from_dict([line["reply"]])
        if not isinstance(message, AIMessage):
            raise ModelError(f"run {self._run_id} holds a damaged reply of step {request.step!r}")
        return message


class ReplayedChat(ChatProxy):
    """Replays the replies of a recorded run, offline.

    Args:
        replies: The replies.
    """

    replies: RecordedReplies

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self.replies.take(describe_request(messages, options_of(stop, kwargs), run_manager))
        return ChatResult(generations=[ChatGeneration(message=reply)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self.replies.take(describe_request(messages, options_of(stop, kwargs), run_manager))
        yield ChatGenerationChunk(message=as_chunk(reply))


class ReplayedEndpoint(Endpoint):
    """Replays token counts.

    Args:
        where: What counted in the recorded run, such as the server's base URL; it is not contacted.
        lines: The `tokens` lines of a recorded run.
    """

    def __init__(self, where: str, lines: Iterable[TraceLine]) -> None:
        """Sort the lines by their keys."""
        super().__init__(where)
        self._lines = {line["key"]: line for line in lines}

    async def tokenize(self, text: str) -> int | None:
        """Return the recorded count, or None."""
        count = self._recorded("tokenize", text)
        return count if isinstance(count, int) else None

    async def shorten(self, text: str, tokens: int) -> str:
        """Return the text as it was cut in the recorded run."""
        cut = self._recorded("shorten", text, tokens)
        return cut if isinstance(cut, str) else text

    def _recorded(self, *what: str | int) -> Any:
        line = self._lines.get(hash_of(what))
        if line is not None and line["error"]:
            raise ServerError(**line["error"])
        return None if line is None else line["said"]
