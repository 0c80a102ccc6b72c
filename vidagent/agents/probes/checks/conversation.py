"""Trials of plain conversation: text, the system's role, several turns, streaming."""

from __future__ import annotations

import asyncio
import time

from vidagent.agents.probes.context import QUESTION, Bench, Reply, Switch
from vidagent.agents.probes.finding import Outcome, no, yes
from vidagent.agents.probes.fixtures import assistant, system, user

_UNCOUNTED = "taken; whether it is read cannot be told, as the server counts no prompt tokens"


async def text(bench: Bench) -> Outcome:
    """Ask for a word."""
    began = time.monotonic()
    await bench.ask(user("Reply with the single word: ready"), switch=Switch())
    return yes(f"16 tokens at most, in {time.monotonic() - began:.1f} s")


async def system_role(bench: Bench) -> Outcome:
    """Put a system message first: it has to show in the length of the prompt."""
    return await _longer(bench, await bench.ask(system("You are a careful reader."), user(QUESTION)))


async def turns(bench: Bench) -> Outcome:
    """Ask for a second time: the earlier turn has to show in the length of the prompt."""
    earlier = (user("How many legs has a cat?"), assistant("Four."))
    return await _longer(bench, await bench.ask(*earlier, user(QUESTION)))


async def streaming(bench: Bench) -> Outcome:
    """Take a reply as it comes: in several pieces, with the usage at its end."""
    pieces, counted = 0, False
    asked = user("Count from one to nine.")
    async with asyncio.timeout(bench.deadline_s):
        async for chunk in bench.chat.astream([asked], max_tokens=24, temperature=0.0):
            pieces += bool(chunk.text or chunk.additional_kwargs.get("reasoning_content"))
            counted = counted or bool(chunk.usage_metadata and chunk.usage_metadata["input_tokens"])
    if pieces == 0:
        return no("the stream was empty")
    if not counted:
        return no(
            f"{pieces} pieces, but no usage at the end: tokens are estimated", pieces=pieces, usage=False
        )
    return yes(f"{pieces} piece{'s' * (pieces > 1)}, usage at the end", pieces=pieces, usage=True)


async def _longer(bench: Bench, reply: Reply) -> Outcome:
    growth = await bench.growth(reply)
    if growth is None:
        return yes(_UNCOUNTED)
    if growth <= 0:
        return no("taken, but the prompt is no longer for it: it is dropped", tokens=growth)
    return yes(f"{growth} tokens longer prompt", tokens=growth)
