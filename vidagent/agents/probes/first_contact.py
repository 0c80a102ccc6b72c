"""The first contact with a server: two or three small requests that find out what its model can do, once.

They go through the client that the run uses, so that what the server refuses is learned as in a run; what the replies
themselves show is added. The facts are kept for later runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage, convert_to_messages

from vidagent.agents.client.chat_call import thought_in
from vidagent.agents.client.client import ModelClient
from vidagent.agents.client.corrections import has_thought, is_lost_in_thought
from vidagent.agents.client.limits import CallLimits, CallNeed, CallUsage
from vidagent.agents.parsing.reply_parser import split_thought
from vidagent.agents.probes.context import QUESTION, read_reply, with_prompt
from vidagent.agents.probes.fixtures import WORD, Message, picture, tool, user
from vidagent.agents.profiles.thinking_switch import AS_IT_IS, BUDGET_OFF, OFF, Switch
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.inventory import take_inventory
from vidagent.errors import ModelError
from vidagent.types import Step

DEADLINE_S = 120.0
"""Longest time for all of it: a model on a processor may take half a minute for a picture."""
_TOKENS = 64
"""Most tokens of a reply: enough for a thought to show."""
_TWO = 2
_log = logging.getLogger(__name__)


class Tally:
    """Counts what the requests cost, and limits their replies."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.usage = CallUsage(requests=0)

    async def admit(self, step: Step, need: CallNeed) -> CallLimits:
        """Admit every request, with a short reply."""
        del step, need
        return CallLimits(completion_tokens=_TOKENS)

    def record(self, step: Step, usage: CallUsage) -> None:
        """Add the cost of a request."""
        del step
        self.usage += usage


async def meet(client: ModelClient) -> CallUsage:
    """Find out what a server can do, unless that is known, and return what it cost.

    A server that cannot be reached is left to the run, which says so; one that is too slow is not asked again.
    """
    tally = Tally()
    if client.where is None or client.endpoint is None or client.memory.facts.probed:
        return tally.usage
    contact = _Contact(client, tally)
    try:
        async with asyncio.timeout(DEADLINE_S):
            for part in (contact.look_up, contact.show, contact.look_up_loaded, contact.offer_tool):
                await part()
        contact.learn("it was asked what it can do", probed=True)
    except TimeoutError:
        contact.learn(f"it took longer than {DEADLINE_S:g} s to say what it can do", probed=True)
    except ModelError as error:
        _log.info("%s was not asked what it can do: %s", client.title, error)
    return tally.usage


class _Contact:
    """Sends the requests, and adds what they show to the client's memory."""

    def __init__(self, client: ModelClient, tally: Tally) -> None:
        self._client, self._tally = client, tally
        thinking = client.profile.thinking
        self._own = Switch("the profile's switch", thinking.off_body, thinking.off_prompt)
        self._off = self._own if thinking.can else AS_IT_IS  # what the run sends where it does not think

    def learn(self, line: str, **facts: Any) -> None:  # noqa: ANN401 - the types of the facts
        """Add facts to the client's memory."""
        self._client.lessons.learn(self._client.memory.facts.with_changes(**facts), line)

    async def look_up(self) -> None:
        """Read what the server itself says: its version and its context."""
        assert self._client.endpoint is not None  # noqa: S101 - checked by the caller
        try:
            found = await take_inventory(self._client.endpoint)
        except ServerError:  # it may list nothing, and answer all the same
            return
        model = next((model for model in found.models if model.name == self._client.name), None)
        known: dict[str, Any] = {"kind": found.kind, "version": found.version}
        if model is not None and model.context_tokens is not None:
            known["context_tokens"] = model.context_tokens
        if model is not None and model.sees is False:
            known["images"] = 0
        if any(value is not None for value in known.values()):
            self.learn(
                f"the server is {found.kind or 'of an unknown kind'} {found.version or ''}".rstrip(), **known
            )

    async def look_up_loaded(self) -> None:
        """Read it again if the context is unknown: Ollama and LM Studio tell that of models which are loaded."""
        if self._client.memory.facts.context_tokens is None:
            await self.look_up()

    async def show(self) -> None:
        """Show two pictures, or one, and see whether the model thinks unasked."""
        if self._client.memory.facts.images == 0:
            return
        pictures = 0
        for count in (_TWO, 1):
            try:
                reply = await self._ask(user(*[picture()] * count, QUESTION), self._off)
                pictures = count
                break
            except ServerError as error:
                if self._client.memory.facts.images == 0 or not _is_refusal(error):
                    raise
        if not pictures:
            raise ModelError("it refuses pictures")
        if pictures < _TWO and self._client.memory.facts.images is None:
            self.learn("the server takes one picture in a request", images=1)
        counts = reply.usage_metadata is not None and reply.usage_metadata["input_tokens"] > 0
        self.learn(f"it {'reports' if counts else 'does not report'} tokens", counts_tokens=counts)
        if _thinks(reply):
            reply = await self._switch_off() or reply
        if WORD.casefold() not in reply.text.casefold() and counts and not await self._grows(pictures):
            _log.warning("%s does not seem to see pictures; its answers may be guesses", self._client.title)

    async def _switch_off(self) -> AIMessage | None:
        """Find what switches thinking off; return the reply without a thought, or None."""
        for switch in self._switches():
            if set(switch.body) & set(self._client.memory.facts.parameters):
                continue
            reply = await self._ask(user(picture(), QUESTION), switch)
            thinks = has_thought(reply) if switch is BUDGET_OFF else _thinks(reply)
            if set(switch.body) & set(self._client.memory.facts.parameters) or thinks:
                continue
            self._off = switch
            self.learn(f"it thinks unless told not to, by {switch.label}", thinks=True, off=switch)
            return reply
        self.learn("it thinks, and nothing switches that off", thinks=True)
        return None

    def _switches(self) -> Iterator[Switch]:
        """Yield what may switch thinking off, the profile's own switch first, without what was sent already.

        A profile that knows of a budget has it set in each request of a run.
        """
        sent = [(self._off.body, self._off.prompt), ({}, None)]
        budget = () if self._client.profile.thinking.budget_field else (BUDGET_OFF,)
        for switch in (self._own, *OFF, *budget):
            if (switch.body, switch.prompt) not in sent:
                sent.append((switch.body, switch.prompt))
                yield switch

    async def _grows(self, pictures: int) -> bool:
        """Tell whether a picture makes the prompt longer."""
        with_it = read_reply(
            await self._ask(user(*[picture()] * pictures, QUESTION), self._off)
        ).prompt_tokens
        without = read_reply(await self._ask(user(QUESTION), self._off)).prompt_tokens
        return with_it is None or without is None or with_it > without

    async def offer_tool(self) -> None:
        """Require a call, if the profile wants calls: a refusal is learned by the client, silence here."""
        profile = self._client.profile
        if profile.tool_calls != "native" or "tools" in self._client.memory.facts.refused:
            return
        choice = {"type": "function", "function": {"name": "note"}}
        reply = await self._ask(
            user('Note the word "kiwi" by calling `note`.'),
            self._off,
            tools=[tool(strict=False)],
            tool_choice=choice,
        )
        refused = self._client.memory.facts.refused
        called = reply.tool_calls or reply.invalid_tool_calls
        if not called and "tools" not in refused and not is_lost_in_thought(reply):
            self.learn("it calls no tools; they are described in words", refused=(*refused, "tools"))

    async def _ask(self, message: Message, switch: Switch, **fields: Any) -> AIMessage:  # noqa: ANN401 - those of `chat`
        body: Mapping[str, Any] = switch.body
        messages = with_prompt(switch.prompt, [message]) if switch.prompt else [message]
        options = {} if "temperature" in self._client.memory.facts.parameters else {"temperature": 0.0}
        return await self._client.chat(
            convert_to_messages(messages), self._tally, frames=0, body=body, options=options, **fields
        )


def _thinks(reply: AIMessage) -> bool:
    thought, _ = split_thought(reply.text)
    counted = read_reply(reply).thinking_tokens
    return bool(thought or thought_in(reply) or counted) or is_lost_in_thought(reply)


def _is_refusal(error: ServerError) -> bool:
    return error.status is not None and error.status < 500 and error.status not in {401, 403, 404, 429}
