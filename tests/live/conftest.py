"""The servers that the live tests ask: real vLLM, tiny models with random weights, one start for the session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.live.server import Server
from tests.live.serving import LLAVA, NEMOTRON, QWEN, Kitchen

ENVIRONMENT = Path(os.environ.get("VIDAGENT_TEST_VLLM_VENV", ".venv-vllm"))
URL = os.environ.get("VIDAGENT_TEST_VLLM_URL", "")
"""A server of the tiny Qwen3-VL that runs already; its model is called as ours."""


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    """Return where servers are made, for tests that need flags of their own: `with kitchen.serve(QWEN, …)`."""
    environment = ROOT / ENVIRONMENT
    if not (environment / "models" / "made").is_file():
        # It is 4 GB, and not part of `make test`.
        pytest.skip(f"no vLLM in {ENVIRONMENT}: `make test-vllm` installs it")
    return Kitchen(environment, tmp_path_factory.mktemp("vllm"), tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def tiny_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Serve the tiny Qwen3-VL: tools, thinking, images, videos with times."""
    if URL:
        yield Server(URL.removesuffix("/").removesuffix("/v1"), QWEN.name)
        return
    with request.getfixturevalue("kitchen").serve(QWEN) as server:
        yield server


@pytest.fixture(scope="session")
def nemotron_server(kitchen: Kitchen) -> Iterator[Server]:
    """Serve the tiny Nemotron VL: tiled images, videos with times, no parsers."""
    with kitchen.serve(NEMOTRON) as server:
        yield server


@pytest.fixture(scope="session")
def llava_server(kitchen: Kitchen) -> Iterator[Server]:
    """Serve the tiny LLaVA-NeXT-Video: images, and videos without times."""
    with kitchen.serve(LLAVA) as server:
        yield server
