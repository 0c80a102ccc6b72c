"""`signals`: a chat model with tool calling that needs no GPU, no download and no network.

Like any vision-language model, it sees only the images in its messages.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, PrivateAttr

from vidagent.agents.prompting.messages import read_block, read_claims, read_frames, read_options, read_step
from vidagent.agents.prompting.multi_video import Single
from vidagent.agents.prompting.replies import ClaimJudgement, Judgement, Judgements
from vidagent.agents.prompting.video_findings import read_findings
from vidagent.agents.signals.classifier import sort
from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.follow_ups import restated
from vidagent.agents.signals.multi_video import combine, single
from vidagent.agents.signals.planning.earlier_looks import read_past
from vidagent.agents.signals.planning.planner import known_so_far, plan
from vidagent.agents.signals.vision.observer import Looker, Picture
from vidagent.images import jpeg
from vidagent.text import holds_words
from vidagent.video.texts.reader import TextReader, shared_reader


class ChatSignals(BaseChatModel):
    """Plan by rules and look with classical vision; see `planner.py` and `observer.py`."""

    model_name: str = "signals"
    _reader: TextReader = PrivateAttr(default_factory=shared_reader)

    @property
    def _llm_type(self) -> str:
        return "signals"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,  # noqa: ANN401 - the interface of langchain
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools; the planner answers at once if `answer` is the only one."""
        names = [convert_to_openai_tool(tool)["function"]["name"] for tool in tools]
        forced = tool_choice in names
        return self.bind(tool_names=[tool_choice] if forced else names)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        return self._reply(messages, kwargs.get("tool_names"), threading.Event())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        stopped = threading.Event()
        try:
            return await asyncio.to_thread(self._reply, messages, kwargs.get("tool_names"), stopped)
        finally:
            stopped.set()

    def _reply(
        self, messages: Sequence[BaseMessage], tool_names: list[str] | None, stopped: threading.Event
    ) -> ChatResult:
        step = read_step(messages)
        looker = Looker(self._reader, stopped)
        if step == "route":
            return _typed(sort(_question(messages), read_options(messages)))
        if step == "plan":
            return _result(_plan(messages, tool_names))
        if step == "look":
            return _typed(looker.observe(read_block(messages, "looking_for") or "", _pictures(messages)))
        if step == "verify":
            notes = read_block(messages, "notes") or ""
            return _typed(_judged(looker, read_claims(messages), _pictures(messages), notes))
        if read_block(messages, "videos") is not None:
            return _typed(single(read_block(messages, "question") or ""))
        if (parts := read_block(messages, "parts")) is not None:
            goal = Single.model_validate({"goal": read_block(messages, "goal")}).goal
            return _typed(combine(goal, read_options(messages), read_findings(parts)))
        text = "I answer the steps of the vidagent graph; ask me with `vidagent ask VIDEO QUESTION`."
        return _result(AIMessage(text))


def _judged(
    looker: Looker, claims: Sequence[str], pictures: Sequence[Picture], notes: str
) -> Judgement | Judgements:
    judged = [_noted(claim, notes) or looker.judge(claim, pictures) for claim in claims]
    if len(judged) == 1:
        return judged[0]
    verdicts = [ClaimJudgement(claim=number, **dict(one)) for number, one in enumerate(judged, 1)]
    return Judgements(verdicts=verdicts)


def _noted(claim: str, notes: str) -> Judgement | None:
    """Support a claim that repeats one of the lines given with it; None if none does."""
    quoted = re.match(r'"(.+)" is (on screen|said)', claim)
    for line in notes.splitlines():
        said = line.partition(" s: ")[2] or line
        shown = False
        if quoted is not None and quoted[2] == "said":
            shown = line.startswith(("spoken", "subtitle")) and holds_words(wording.quotable(said), quoted[1])
        elif quoted is not None:
            shown = line.startswith("on screen") and line.endswith(f": {quoted[1]}")
        if shown or claim.rstrip(".") == said.rstrip("."):
            return Judgement(verdict="supported", why=line, confidence=0.9)
    return None


def _pictures(messages: Sequence[BaseMessage]) -> list[Picture]:
    return [Picture(time_s, jpeg.decode(data)) for time_s, data, _ in read_frames(messages)]


def _question(messages: Sequence[BaseMessage]) -> str:
    """Return the question with references to earlier turns resolved."""
    return restated(read_block(messages, "question") or "", read_block(messages, "earlier") or "")


def _plan(messages: Sequence[BaseMessage], tool_names: list[str] | None) -> AIMessage:
    offered = None if tool_names in (None, ["answer"]) else frozenset(tool_names)
    past = read_past(messages, read_block(messages, "facts") or "", offered)
    question = _question(messages)
    planned = plan(question, read_options(messages), past)
    if tool_names == ["answer"] and planned[0]["name"] != "answer":
        planned = [known_so_far(question, past)]
    turn = _turns(messages)
    for number, call in enumerate(planned):
        call["id"] = f"call_{turn}_{number}"
    return AIMessage("", tool_calls=planned)


def _turns(messages: Sequence[BaseMessage]) -> int:
    """Return an unused turn number, even if the first turns have been dropped from the messages."""
    ids = [
        str(call["id"])
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    ]
    numbers = [int(match[1]) for name in ids if (match := re.fullmatch(r"call_(\d+)_\d+", name))]
    return max(numbers, default=-1) + 1


def _typed(reply: BaseModel) -> ChatResult:
    return _result(AIMessage(reply.model_dump_json()))


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])
