"""Efficient video sampling: the server is started with a rate, and a clip costs that much less."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.pruning import cost
from tests.live.rates import RATES, encode
from tests.live.serving import NEMOTRON, QWEN, Kitchen

pytestmark = [pytest.mark.vllm, pytest.mark.network, pytest.mark.slow]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("pruning") / "clip.mp4", RATES["25"])


@pytest.mark.parametrize(("shape", "name"), [(QWEN, "tiny_server"), (NEMOTRON, "nemotron_server")])
def test_three_quarters_of_the_picture_tokens_are_saved(shape, name, clip, kitchen: Kitchen, request):
    whole = cost(request.getfixturevalue(name), clip)
    with kitchen.serve(shape, "--video-pruning-rate=0.75") as server:
        pruned = cost(server, clip)
    assert whole.pictures > 900
    assert pruned.pictures == whole.pictures / 4
    assert whole.prompt - pruned.prompt == whole.video - pruned.video == whole.pictures - pruned.pictures
    assert (whole.counted, pruned.counted) == (whole.prompt, pruned.prompt)
