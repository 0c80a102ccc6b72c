"""Probes of thinking: whether the model thinks, without it, within a budget, and in two phases."""

from __future__ import annotations

from vidagent.agents.probes.context import ProbeContext, ProbeReply
from vidagent.agents.probes.finding import Outcome, no, refusal, unknown, yes
from vidagent.agents.probes.fixtures import assistant, picture, user
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.profiles.thinking_switch import (
    AS_IT_IS,
    OFF,
    PROMPT_ON,
    TEMPLATE_OFF,
    TEMPLATE_ON,
    Switch,
)
from vidagent.agents.server.connection import ServerError

_PUZZLE = "A snail climbs 3 m by day and slips 2 m by night. On which day is it out of a well of 10 m?"
_LONG = 192
"""Enough tokens for a thought to show, even if only its end is marked in the text."""
_BUDGET = 16
_ROOM = 1024
OWN = "the profile's switch"


async def thinks(context: ProbeContext) -> Outcome:
    """Look for a thought: with the server's default, then with each way to request one."""
    for switch in _distinct(AS_IT_IS, _own(context.profile, on=True), TEMPLATE_ON, PROMPT_ON):
        try:
            reply = await context.ask(user(_PUZZLE), tokens=_LONG, switch=switch)
        except ServerError as error:
            refusal(error)
            continue
        if reply.thought or reply.tagged:
            context.on = switch
            where = "as <think> in the text" if reply.tagged else "in a field of its own"
            how = f"with {switch.label}" if switch.label else "by itself"
            return yes(f"{how}, {where}", tagged=reply.tagged, by_itself=not switch.label)
    return no("no `reasoning` field, no <think> in the text")


async def without(context: ProbeContext) -> Outcome:
    """Find what switches thinking off; later probes use it."""
    if context.on is None:
        context.off = AS_IT_IS
        return yes("it does not think")
    plain = None if context.on is AS_IT_IS else AS_IT_IS
    for switch in _distinct(_own(context.profile, on=False), plain, *OFF):
        try:
            reply = await context.ask(user(_PUZZLE), tokens=_LONG, switch=switch)
        except ServerError as error:
            refusal(error)
            continue
        if not reply.thought and not reply.tagged and not reply.thinking_tokens:
            context.off = switch
            return yes(f"with {switch.label}" if switch.label else "unless asked for", by=switch.label)
    context.extra_tokens = _ROOM
    return no("it thinks whatever it is told")


async def budget(context: ProbeContext) -> Outcome:
    """Ask for a short thought: it must stay within the limit, if it would be longer by itself."""
    field = context.profile.thinking.budget_field or "thinking_token_budget"
    if context.on is None:
        await context.ask(user(_PUZZLE), tokens=1, body={field: _BUDGET})
        return unknown(f"{field} is taken, but the model does not think")
    refused: list[str] = []
    for switch in _distinct(_own(context.profile, on=True), context.on, TEMPLATE_ON):
        try:
            free = await _thought(context, switch, {})
            held = await _thought(context, switch, {field: _BUDGET})
        except ServerError as error:
            refused.append(refusal(error).detail)
            continue
        if free is None or held is None:
            return unknown(f"{field} is taken, but nobody counts the thought's tokens")
        if held <= _BUDGET + 1 < free:
            _hold(context, switch, {field: _BUDGET})
            text = f"{held} of {_BUDGET} tokens, {free} without it{_how(switch)}"
            return yes(text, field=field, by=switch.label)
        if held > _BUDGET + 1:
            refused.append(f"{field} is taken, but the thought had {held} tokens, not {_BUDGET}")
    if refused:
        return no(refused[0])
    return unknown("its thoughts are too short to tell")


def _hold(context: ProbeContext, switch: Switch, body: dict[str, int]) -> None:
    """If nothing switches thinking off, cap it for later probes."""
    if context.off is None:
        context.off = Switch(body={**switch.body, **body}, prompt=switch.prompt)
        context.extra_tokens = 2 * _BUDGET


async def two_phases(context: ProbeContext) -> Outcome:
    """Close a thought and continue the same message, with its picture if it can have one."""
    thinking = context.profile.thinking
    question = user(picture("2"), _PUZZLE) if context.takes_pictures else user(_PUZZLE)
    thought = assistant(f"{thinking.opening}Ten minus three.{thinking.closing}")
    go_on = {"add_generation_prompt": False, "continue_final_message": True}
    first = await context.ask(question, tokens=1, switch=AS_IT_IS)
    problem = ""
    own = Switch(OWN, thinking.off_body) if thinking.off_body else None
    for switch in _distinct(own, AS_IT_IS, TEMPLATE_OFF):
        second = await context.ask(question, thought, tokens=8, switch=switch, body=go_on)
        if second.thought and not second.text:
            problem = problem or "it goes on, but as a thought: `content` stays empty"
            continue
        apart = await _prompt_tokens_apart(context, switch, [question, thought])
        return _continued(first, second, apart, switch)
    return no(problem)


def _continued(first: ProbeReply, second: ProbeReply, apart: int | None, switch: Switch) -> Outcome:
    """Judge by the prompts: the second must contain the first, without a new turn for the reply."""
    if first.prompt_tokens is None or second.prompt_tokens is None:
        return unknown("taken; whether it is obeyed cannot be told without prompt tokens")
    if second.prompt_tokens < first.prompt_tokens:
        return no(f"the prompt is not kept: {second.prompt_tokens} tokens after {first.prompt_tokens}")
    if apart is not None and apart <= second.prompt_tokens:
        return no("continue_final_message is taken, but the message is not continued")
    text = f"prompts of {first.prompt_tokens}, then {second.prompt_tokens} tokens{_how(switch)}"
    return yes(text, by=switch.label)


def _how(switch: Switch) -> str:
    return f", with {switch.label}" if switch.label not in {"", OWN} else ""


async def _prompt_tokens_apart(
    context: ProbeContext, switch: Switch, messages: list[dict[str, object]]
) -> int | None:
    """Return the length of the same prompt with a new turn for the reply; None if the server refuses it."""
    try:
        return (await context.ask(*messages, tokens=1, switch=switch)).prompt_tokens
    except ServerError as error:
        refusal(error)
        return None


async def _thought(context: ProbeContext, switch: Switch, body: dict[str, int]) -> int | None:
    """Return how many tokens it thinks; text without the closing mark is all thought."""
    return await context.thought_tokens(await context.ask(user(_PUZZLE), tokens=96, switch=switch, body=body))


def _own(profile: Profile, *, on: bool) -> Switch | None:
    """Return the profile's switch, or None if it has none."""
    thinking = profile.thinking
    body = thinking.on_body if on else thinking.off_body
    prompt = thinking.on_prompt if on else thinking.off_prompt
    return Switch(OWN, body, prompt) if body or prompt else None


def _distinct(*switches: Switch | None) -> list[Switch]:
    """Return the given switches without duplicates, keeping the first."""
    distinct: list[Switch] = []
    for switch in switches:
        if switch and all((switch.body, switch.prompt) != (other.body, other.prompt) for other in distinct):
            distinct.append(switch)
    return distinct
