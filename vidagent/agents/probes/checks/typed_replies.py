"""Probes of typed replies: constrained to a schema, and to a list of choices."""

from __future__ import annotations

import json

from vidagent.agents.probes.context import ProbeContext, ProbeReply
from vidagent.agents.probes.finding import Outcome, no, unknown, yes
from vidagent.agents.probes.fixtures import CHOICE, DECOY, SCHEMA, user


async def json_schema(context: ProbeContext) -> Outcome:
    """Ask for a value that the schema forbids, with OpenAI's `response_format`."""
    shape = {"name": "noted", "schema": SCHEMA, "strict": True}
    body = {"response_format": {"type": "json_schema", "json_schema": shape}}
    request = f'Reply with this JSON object and nothing else: {{"word": "{DECOY}"}}'
    reply = await context.ask_whole(user(request), body=body)
    return _bound(reply, _parsed(reply.text) == {"word": CHOICE})


async def structured_outputs(context: ProbeContext) -> Outcome:
    """Ask for a word that is not among the choices, with vLLM's `structured_outputs`."""
    body = {"structured_outputs": {"choice": [CHOICE]}}
    reply = await context.ask_whole(user(f"Reply with the single word: {DECOY}"), body=body)
    return _bound(reply, reply.text == CHOICE)


def _bound(reply: ProbeReply, legal: bool) -> Outcome:
    if legal:
        return yes("held, though the prompt asks for another word")
    if reply.cut:
        return unknown(f"the reply was cut before its end: {reply.excerpt()}")
    return no(f"taken, but the reply was {reply.excerpt()}")


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
