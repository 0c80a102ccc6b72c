"""Whole questions put to a model with random weights through the command line: nonsense, but typed and in budget."""

from __future__ import annotations

import pytest

from benchmarks.typed_ends import ask
from tests.media.make import CLIPS

pytestmark = [pytest.mark.vllm, pytest.mark.network]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return CLIPS["h264"](tmp_path_factory.mktemp("clips")).path


@pytest.mark.parametrize("number", range(4))
def test_every_run_ends_typed_and_inside_its_budgets(tiny_server, video, tmp_path, number):
    end = ask(number, str(video), tiny_server.url, tmp_path)
    assert end.typed, end
    assert end.kept, end
    assert end.answer is not None
    assert end.answer["usage"]["model_calls"] > 0
