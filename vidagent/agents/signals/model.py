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
    judged = [_noted(claim, notes, pictures) or looker.judge(claim, pictures) for claim in claims]
    if len(judged) == 1:
        return judged[0]
    verdicts = [ClaimJudgement(claim=number, **dict(one)) for number, one in enumerate(judged, 1)]
    return Judgements(verdicts=verdicts)


_QUOTED_LINE = re.compile(r'"(.+)" is (on screen|said)')
_KINDS = {"on screen": ("on screen",), "said": ("spoken", "subtitle")}
_SHOTS = re.compile(r"shots (\d+) to (\d+)\.?")
_LINE = re.compile(r".*? s(?:, speaker ([^:]+))?: (.*)")
_RANGE = re.compile(r"(\d+\.\d+)-(\d+\.\d+) s")


def _noted(claim: str, notes: str, pictures: Sequence[Picture]) -> Judgement | None:
    """Support a claim that repeats one of the lines given with it, or joins two of them; None if it does neither."""
    quoted, spanned = _QUOTED_LINE.match(claim), _SHOTS.fullmatch(claim.casefold())
    lines = notes.splitlines()
    if spanned is not None:
        ends = [f" s: shot {number}" for number in spanned.groups()]
        found = [next((line for line in lines if line.endswith(end)), None) for end in ends]
        return None if None in found else _by_line("; ".join(map(str, found)), pictures)
    for line in lines:
        parts = _LINE.fullmatch(line)
        by, said = parts.groups() if parts is not None else (None, line)
        shown = quoted is not None and line.startswith(_KINDS[quoted[2]]) and _holds(quoted, line, said)
        shown = shown and wording.speaker_in(claim) in (None, by)
        if shown or claim.casefold().rstrip(".") == said.casefold().rstrip("."):
            return _by_line(line, pictures)
    return None


def _holds(quoted: re.Match[str], line: str, said: str) -> bool:
    """Tell whether a line is the text on screen that a claim quotes, or has the words that it quotes as said."""
    if quoted[2] == "said":
        return holds_words(wording.quotable(said), quoted[1])
    return wording.quotable(line).endswith(f": {quoted[1]}")


def _by_line(line: str, pictures: Sequence[Picture]) -> Judgement:
    """Support a claim by a line, with the picture nearest to its middle."""
    own = _RANGE.search(line)
    middle_s = (float(own[1]) + float(own[2])) / 2 if own is not None else 0.0
    best = min(pictures, key=lambda picture: abs(picture.time_s - middle_s), default=None)
    best_s = None if best is None else best.time_s
    return Judgement(verdict="supported", why=line, confidence=0.9, best_s=best_s)


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
