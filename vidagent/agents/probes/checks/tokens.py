"""Probes of token counts: the usage report, the prefix cache, and the tokenizer."""

from __future__ import annotations

import uuid

from vidagent.agents.probes.context import QUESTION, ProbeContext
from vidagent.agents.probes.finding import Outcome, no, unknown, yes
from vidagent.agents.probes.fixtures import user
from vidagent.agents.profiles.thinking_switch import Switch

_SENTENCES = 240
"""About 2,600 tokens: longer than the largest block of a prefix cache."""
_CONTEXT_SHARE = 40


async def usage(context: ProbeContext) -> Outcome:
    """Check which counts come with a reply."""
    reply = await context.ask(user(QUESTION), switch=context.on)
    counts = {
        "prompt": bool(reply.prompt_tokens),
        "completion": bool(reply.completion_tokens),
        "cached": reply.cached_tokens is not None,
        "thinking": reply.thinking_tokens is not None,
    }
    there = [name for name, given in counts.items() if given]
    missing = [name for name, given in counts.items() if not given]
    text = f"counted: {', '.join(there) or 'nothing'}" + (f"; not {', '.join(missing)}" if missing else "")
    return (yes if counts["prompt"] and counts["completion"] else no)(text, **counts)


async def prefix_cache(context: ProbeContext) -> Outcome:
    """Send one long prompt twice."""
    sentences = min(_SENTENCES, (context.context_tokens or 8192) // _CONTEXT_SHARE)
    prompt = f"{uuid.uuid4().hex}: " + "The quick brown fox jumps over the lazy dog. " * sentences
    for _ in range(2):
        reply = await context.ask(user(prompt), tokens=1)
    if reply.cached_tokens is None:
        return unknown("not reported (vLLM needs --enable-prompt-tokens-details)", reported=False)
    text = f"{reply.cached_tokens:,} of {reply.prompt_tokens or 0:,} tokens the second time"
    return (yes if reply.cached_tokens else no)(text, tokens=reply.cached_tokens)


async def tokenizer(context: ProbeContext) -> Outcome:
    """Count a text, and a whole prompt as the server counted it."""
    count = await context.endpoint.tokenize("one two three")
    if count is None:
        return no("no /tokenize: thoughts are counted by usage, or estimated")
    question = user(QUESTION)
    whole = await context.endpoint.tokenize_messages([question])
    billed = (await context.ask(question, tokens=1, switch=Switch())).prompt_tokens
    if whole is None:
        return yes("texts, not whole prompts")
    return yes(f"texts and whole prompts: {whole} tokens" + (f", billed {billed}" if billed != whole else ""))
