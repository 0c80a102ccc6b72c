"""Hold thinking budgets against a real vLLM server: plan, look and verify, natively and in two phases.

    python -m benchmarks.thinking_budgets --base-url http://127.0.0.1:8000/v1

Meant for a model with random weights, the worst over-thinker: it never closes a thought. Each row is several requests.
"generated" is the most tokens before the end of the thought, by the token ids that the server sends with its replies;
"read again" the most that its tokenizer finds in a thought that goes back to it, in two phases; "counted" the most that
the run is told. "prompt tokens" are those of the first and the second phase, of which the second holds the pictures
and the thought, too.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import httpx
import numpy as np
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import BaseTool, tool
from pydantic import Field

from vidagent.agents.client.chat_call import ChatCall, RequestUsage, thought_in
from vidagent.agents.client.chat_model import ChatVLM
from vidagent.agents.client.limits import CallLimits
from vidagent.agents.client.request_builder import Request, RequestBuilder
from vidagent.agents.parsing.reply_parser import UnreadableError, parse_calls, parse_reply
from vidagent.agents.profiles.loader import load
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.prompting.messages import look_messages, plan_messages, verify_messages
from vidagent.agents.prompting.replies import Judgement, Observation
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint
from vidagent.images.shown_frame import ShownFrame
from vidagent.types import Step

BUDGETS = (0, 16, 64, 256)
STEPS: tuple[Step, ...] = ("plan", "look", "verify")


@dataclass(frozen=True)
class Row:
    """What several requests of one kind came to."""

    way: str
    streamed: bool
    step: Step
    budget: int
    generated: int = 0
    read_again: int = 0
    counted: int = 0
    prompts: tuple[int, ...] = ()
    readable: int = 0
    broke: int = 0
    asked: int = 0

    @property
    def kept(self) -> bool:
        """Whether no thought was longer than its budget and the token that closes it."""
        return max(self.generated, self.read_again, self.counted) <= self.budget + 1


class Watching(ChatVLM):
    """A chat model that notes the ids of the tokens it gets."""

    ids: list[int] = Field(default_factory=list)

    def _create_chat_result(
        self,
        response: Any,  # noqa: ANN401 - the signature of LangChain's hook
        generation_info: dict[str, Any] | None = None,
    ) -> ChatResult:
        self.ids.extend(response.choices[0].token_ids or [])
        return super()._create_chat_result(response, generation_info)

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        for choice in chunk.get("choices") or []:
            self.ids.extend(choice.get("token_ids") or [])
        return super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)


@tool
def clip(start_s: float, end_s: float, question: str) -> str:
    """Look at a time range."""
    return question


@tool
def answer(text: str) -> str:
    """End the work."""
    return text


TOOLS: tuple[BaseTool, ...] = (clip, answer)


def pictures() -> list[ShownFrame]:
    """Draw two frames of noise."""
    noise = np.random.default_rng(7).integers(0, 255, (2, 144, 256, 3), dtype=np.uint8)
    return [
        ShownFrame.of(1.5 + number, cv2.imencode(".jpg", picture)[1].tobytes())
        for number, picture in enumerate(noise)
    ]


def profile_for(name: str, *, native: bool) -> Profile:
    """Return a profile that thinks on all three steps, capped by the server or by us."""
    profile = load(name)
    field = "thinking_token_budget" if native else None
    thinking = dataclasses.replace(profile.thinking, can=True, steps=STEPS, budget_field=field)
    tokens = {**profile.completion_tokens, "plan": 1024, "look": 1024, "verify": 1024}
    sampling, body = {"temperature": 1.0}, {**profile.body, "return_token_ids": True}
    return dataclasses.replace(
        profile, thinking=thinking, completion_tokens=tokens, sampling=sampling, body=body
    )


def build(builder: RequestBuilder, step: Step, limits: CallLimits, *, stream: bool) -> Request:
    """Build the request of one step as a run would."""
    frames = pictures()
    messages: Sequence[BaseMessage]
    if step == "plan":
        messages = plan_messages("When?", None, "duration 60.000 s", frames, "", 1, 8, [])
        return builder.plan(messages, TOOLS, None, limits, stream=stream)
    if step == "verify":
        return builder.ask(
            step, verify_messages("When?", "at 1.5 s", frames), Judgement, limits, stream=stream
        )
    messages = look_messages("When?", None, "Does it fall?", frames)
    return builder.ask(step, messages, Observation, limits, stream=stream)


READERS: dict[Step, Callable[[AIMessage], object]] = {
    "plan": lambda reply: parse_calls(reply, ["clip", "answer"]),
    "verify": lambda reply: parse_reply(reply, Judgement),
    "look": lambda reply: parse_reply(reply, Observation),
}


def readable(step: Step, reply: AIMessage) -> bool:
    """Tell whether a reply can be used as it is, without asking again."""
    try:
        READERS[step](reply)
    except UnreadableError:
        return False
    return True


def _hear(kind: str, words: str) -> None:
    """Listen: whoever listens is streamed to."""


class Bench:
    """One server, asked with different profiles."""

    def __init__(self, base_url: str, model: str, repeats: int) -> None:
        """Find the token that ends a thought."""
        self._chat = Watching.over(base_url, model)
        self._endpoint = Endpoint(base_url, model=model)
        self._repeats = repeats
        wanted = {"model": model, "prompt": "</think>", "add_special_tokens": False}
        [self._end] = httpx.post(f"{base_url.removesuffix('/v1')}/tokenize", json=wanted).json()["tokens"]

    async def row(self, profile: Profile, step: Step, budget: int, *, stream: bool) -> Row:
        """Put one kind of request several times."""
        way = "native" if profile.thinking.budget_field else "two-phase"
        row = Row(way, stream, step, budget, asked=self._repeats)
        for _ in range(self._repeats):
            request = build(RequestBuilder(profile), step, CallLimits(thinking_tokens=budget), stream=stream)
            call = ChatCall(self._chat, profile.thinking, _hear if stream else None, self._endpoint)
            self._chat.ids.clear()
            try:
                reply = await call.run(request)
            except ServerError:
                row = dataclasses.replace(row, broke=row.broke + 1)
                continue
            row = dataclasses.replace(
                row,
                generated=max(row.generated, self._generated(call.usages, budget)),
                read_again=max(row.read_again, await self._read_again(call.usages, reply)),
                counted=max(row.counted, sum(one.thinking_tokens or 0 for one in call.usages)),
                prompts=tuple(one.counts["input_tokens"] for one in call.usages if one.counts),
                readable=row.readable + readable(step, reply),
            )
        return row

    def _generated(self, usages: Sequence[RequestUsage], budget: int) -> int:
        """Count the tokens of the thought: a first phase generates nothing else."""
        if len(usages) == 2 and usages[0].counts:
            return usages[0].counts["output_tokens"]
        ids = self._chat.ids
        return ids.index(self._end) if budget and self._end in ids else 0

    async def _read_again(self, usages: Sequence[RequestUsage], reply: AIMessage) -> int:
        return (await self._endpoint.tokenize(thought_in(reply)) or 0) if len(usages) == 2 else 0


async def table(bench: Bench, profile: str) -> list[Row]:
    """Measure every row."""
    return [
        await bench.row(profile_for(profile, native=native), step, budget, stream=stream)
        for native in (True, False)
        for stream in (False, True)
        for step in STEPS
        for budget in BUDGETS
    ]


def show(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    heads = (
        "way, streamed, step, budget, generated, read again, counted, prompt tokens, readable, server broke"
    )
    lines = [f"| {heads.replace(', ', ' | ')} |", "|" + "---|" * 10]
    for row in rows:
        cells = [
            row.way,
            "yes" if row.streamed else "no",
            row.step,
            row.budget,
            row.generated,
            row.read_again,
        ]
        cells += [row.counted, " + ".join(map(str, row.prompts)), f"{row.readable} of {row.asked}", row.broke]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    over = sum(not row.kept for row in rows)
    return "\n".join([*lines, "", f"{len(rows)} rows, {over} over their budget plus one"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base-url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    bench = Bench(given.base_url, given.model, given.repeats)
    print(show(asyncio.run(table(bench, given.profile))))


if __name__ == "__main__":
    main()
