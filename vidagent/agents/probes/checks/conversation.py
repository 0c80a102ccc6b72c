"""Probes of plain conversation: text, the system role, several turns, streaming."""

from __future__ import annotations

import time

from vidagent.agents.client.chat_call import StreamKind
from vidagent.agents.probes.context import QUESTION, ProbeContext, ProbeReply
from vidagent.agents.probes.finding import Outcome, no, yes
from vidagent.agents.probes.fixtures import assistant, system, user
from vidagent.agents.profiles.thinking_switch import Switch

_UNCOUNTED = "taken; whether it is read cannot be told, as the server counts no prompt tokens"


async def text(context: ProbeContext) -> Outcome:
    """Ask for a word."""
    began = time.monotonic()
    await context.ask(user("Reply with the single word: ready"), switch=Switch())
    return yes(f"16 tokens at most, in {time.monotonic() - began:.1f} s")


async def system_role(context: ProbeContext) -> Outcome:
    """Send a system message first: it must increase the prompt's tokens."""
    return await _longer(context, await context.ask(system("You are a careful reader."), user(QUESTION)))


async def turns(context: ProbeContext) -> Outcome:
    """Ask a second question: the earlier turn must increase the prompt's tokens."""
    earlier = (user("How many legs has a cat?"), assistant("Four."))
    return await _longer(context, await context.ask(*earlier, user(QUESTION)))


async def streaming(context: ProbeContext) -> Outcome:
    """Stream a reply: in several pieces, with the usage at its end."""
    pieces = 0

    def count(kind: StreamKind, words: str) -> None:
        nonlocal pieces
        pieces += kind != "begin"

    reply = await context.ask(user("Count from one to nine."), tokens=24, switch=Switch(), on_stream=count)
    counted = reply.prompt_tokens is not None
    if pieces == 0:
        return no("the stream was empty")
    if not counted:
        return no(
            f"{pieces} pieces, but no usage at the end: tokens are estimated", pieces=pieces, usage=False
        )
    return yes(f"{pieces} piece{'s' * (pieces > 1)}, usage at the end", pieces=pieces, usage=True)


async def _longer(context: ProbeContext, reply: ProbeReply) -> Outcome:
    growth = await context.growth(reply)
    if growth is None:
        return yes(_UNCOUNTED)
    if growth <= 0:
        return no("taken, but the prompt is no longer for it: it is dropped", tokens=growth)
    return yes(f"{growth} tokens longer prompt", tokens=growth)
