"""Probes of function calling: optional, required, of one function, and schema-constrained."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage

from vidagent.agents.parsing.reply_parser import UnreadableError, parse_calls
from vidagent.agents.probes.context import ProbeContext, ProbeReply
from vidagent.agents.probes.finding import Outcome, no, unknown, yes
from vidagent.agents.probes.fixtures import CHOICE, DECOY, tool, user

_ASKED = f'Note the word "{DECOY}" by calling `note`.'
_NAME = "note"


async def auto(context: ProbeContext) -> Outcome:
    """Leave it to the model: the server must accept the tools and put them into the prompt."""
    reply = await context.ask(user(_ASKED), tokens=48, tools=[tool(strict=False)], tool_choice="auto")
    if reply.calls:
        return yes("the model called", parsed=True)
    if _written(reply.text):
        return yes("the model's call came as text, which vidagent reads itself", parsed=False)
    growth = await context.growth(reply)
    if growth is not None and growth <= 0:
        return no("taken, but the prompt is no longer for it: tools are dropped")
    return yes("taken; the model did not call")


async def required(context: ProbeContext) -> Outcome:
    """Require a call."""
    return _called(await _forced(context, "required"))


async def named(context: ProbeContext) -> Outcome:
    """Require a call of one function by its name."""
    return _called(await _forced(context, {"type": "function", "function": {"name": _NAME}}))


async def strict(context: ProbeContext) -> Outcome:
    """Ask for a value that the schema forbids, with `strict`: the schema must win."""
    reply = await _forced(context, "required", strict=True)
    if not reply.calls:
        return _called(reply)
    if _legal(reply):
        return yes("held, though the prompt asks for another word")
    return no(f"taken, but the arguments were {reply.calls[0][1]!r}")


async def _forced(context: ProbeContext, choice: str | dict[str, Any], *, strict: bool = False) -> ProbeReply:
    return await context.ask_whole(user(_ASKED), tools=[tool(strict=strict)], tool_choice=choice)


def _called(reply: ProbeReply) -> Outcome:
    if reply.calls and reply.calls[0][0] == _NAME:
        legal = _legal(reply)
        return yes("called" if legal else "called; arguments not bound to their schema", bound=legal)
    if reply.cut:
        return unknown("the reply was cut before a call was whole")
    return no(f"taken, but no call came: {reply.excerpt()}")


def _legal(reply: ProbeReply) -> bool:
    return bool(reply.calls[0][1] == {"word": CHOICE})


def _written(text: str) -> bool:
    try:
        return bool(parse_calls(AIMessage(text), [_NAME]))
    except UnreadableError:
        return False
