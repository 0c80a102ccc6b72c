"""A server that found out for itself how long a context fits into its memory."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.first_runs import ask
from tests.live.serving import QWEN
from vidagent.agents.profiles.loader import load
from vidagent.agents.server.endpoint import Endpoint
from vidagent.agents.server.inventory import take_inventory

pytestmark = [pytest.mark.vllm, pytest.mark.network]

BLOCKS, BLOCK_TOKENS = 64, 128
"""Of the cache: vLLM keeps one of them back."""


def test_what_fits_is_reported_and_kept_to(kitchen, clip, tmp_path):
    flag = f"--max-model-len={load('qwen3-vl').serve.flags['max-model-len']}"
    with kitchen.serve(QWEN, flag, f"--num-gpu-blocks-override={BLOCKS}") as server:
        [model] = asyncio.run(take_inventory(Endpoint(server.url))).models
        end = ask(0, clip("h264").path, server.url, tmp_path)
    assert model.context_tokens == (BLOCKS - 1) * BLOCK_TOKENS
    assert end.typed, end
    assert "too long" not in end.said
