"""Hold a thought to a budget in two phases, as the `ThinkingBudgetClient` of vLLM's guide to Nemotron does.

    python examples/thinking_budget.py "What is 2+2?" --thinking-tokens 32 --max-tokens 512
    python examples/thinking_budget.py "How many planks are there?" photo.jpg --thinking-tokens 256

The first request generates the thought alone, at most its budget; a thought that is cut gets a full stop. The second
continues the same message with the reply, the images kept. The server counts: no tokenizer is needed here.
Prints the thought, the reply, why it ended and what both cost as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

from vidagent import VidagentError, config
from vidagent.agents.client.chat_model import connect
from vidagent.agents.direct import VLM, image
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.server import model_choice
from vidagent.agents.server.endpoint import Endpoint

SYSTEM = "You are a helpful assistant. /think"
"""Nemotron Nano thinks where its system prompt says so."""


def two_phase(profile: Profile) -> Profile:
    """Return the profile for a model that thinks on a server that keeps no budget; the prompt is the caller's."""
    thinking = dataclasses.replace(
        profile.thinking, can=True, two_phase=True, budget_field=None, on_prompt=None
    )
    return dataclasses.replace(profile, thinking=thinking)


async def think(given: argparse.Namespace) -> dict[str, Any]:
    """Ask once, in two requests, and return what NVIDIA's client returns, and the cost."""
    settings = config.load(model=given.model, profile=given.profile)
    base_url = given.base_url or model_choice.local_url()
    key = settings.api_key.get_secret_value() if settings.api_key else None
    model = settings.model or model_choice.first_model(base_url, settings)
    vlm = VLM(
        connect(base_url, model, api_key=key),
        two_phase(model_choice.profile_for(model, settings)),
        endpoint=Endpoint(base_url, key, model=model),
    )
    reply = await vlm.ask(
        given.question,
        *map(image, given.images),
        system=given.system,
        max_tokens=given.max_tokens,
        thinking_tokens=given.thinking_tokens,
        temperature=given.temperature,
    )
    return {
        "reasoning_content": reply.thought,
        "content": reply.text,
        "finish_reason": reply.finish_reason,
        "thinking_tokens": reply.usage.thinking_tokens,
        "completion_tokens": reply.usage.completion_tokens,
        "prompt_tokens": reply.usage.prompt_tokens,
        "requests": reply.usage.requests,
    }


def main(arguments: Sequence[str]) -> int:
    """Ask, print, and return the exit code."""
    parser = argparse.ArgumentParser(description="Hold a thought to a budget in two phases.")
    parser.add_argument("question")
    parser.add_argument("images", nargs="*", metavar="FILE|URL")
    parser.add_argument("--base-url", help="the server's base URL; the first on this machine with a model")
    parser.add_argument("--model", help="the model's name; the first that the server lists")
    parser.add_argument("--profile", help="a model profile by name, or the path of a .toml file")
    parser.add_argument("--system", default=SYSTEM, help="the system prompt (%(default)s)")
    parser.add_argument("--thinking-tokens", type=int, default=512, help="the budget (%(default)s)")
    parser.add_argument("--max-tokens", type=int, default=1024, help="of thought and reply (%(default)s)")
    parser.add_argument("--temperature", type=float, default=0.6)
    try:
        made = asyncio.run(think(parser.parse_args(arguments)))
    except VidagentError as error:
        print(f"thinking_budget: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(made, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
