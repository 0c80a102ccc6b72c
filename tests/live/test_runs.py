"""Whole questions put to a model with random weights through the command line: nonsense, but typed and in budget."""

from __future__ import annotations

import pytest

from benchmarks.typed_ends import ask

pytestmark = [pytest.mark.vllm, pytest.mark.network]


@pytest.mark.parametrize("number", range(4))
def test_every_run_ends_typed_and_inside_its_budgets(tiny_server, clip, tmp_path, number):
    end = ask(number, str(clip("h264").path), tiny_server.url, tmp_path)
    assert end.typed, end
    assert end.kept, end
    assert end.answer is not None
    assert end.answer["usage"]["model_calls"] > 0
