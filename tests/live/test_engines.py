"""Models in process, by transformers and by `vllm.LLM`, each loaded once in vLLM's environment."""

from __future__ import annotations

import json

import pytest

from tests.live.engine_room import THOUGHT, TOKENS

pytestmark = pytest.mark.vllm

CASES = (
    ("transformers", "qwen3-vl", "tiny"),
    ("transformers", "llava-next-video", "llava-next-video-7b"),
    ("vllm", "qwen3-vl", "tiny"),
)
CARELESS = 1
"""Tokens by which a thought may be longer when it is read again: the full stop that ends a cut one."""


@pytest.fixture(scope="module", params=CASES, ids=["-".join(case[:2]) for case in CASES])
def done(request, kitchen, tmp_path_factory):
    name, model, profile = request.param
    folder = str(kitchen.environment / "models" / model)
    room = str(tmp_path_factory.mktemp("room"))
    command = ("-m", "tests.live.engine_room", name, folder, profile, room)
    ended = kitchen.run(*command, VIDAGENT_PROFILE=profile)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return {"profile": profile, **json.loads(ended.stdout.splitlines()[-1])}


def test_pictures_and_videos_reach_the_model(done):
    text = done["text"][0]
    image, frames = done["image"][0] - text, done["frames"][0] - text
    assert image > 0
    assert frames > 0
    assert done["both"][0] == text + image + frames
    assert done["path"][0] == done["frames"][0]  # both have four frames
    assert all(0 < done[name][1] <= TOKENS for name in ("text", "image", "frames", "path", "both"))


def test_a_batch_counts_each_prompt_alone(done):
    assert [prompt for prompt, _ in done["batch"]] == [done["image"][0], done["frames"][0]]


def test_videos_of_a_batch_may_have_unlike_numbers_of_frames(done):
    assert [prompt for prompt, _ in done["uneven"]] == [done["frames"][0], done["fewer"][0]]


def test_tools_stand_in_the_prompt(done):
    assert done["tools"][0] > done["text"][0]


def test_a_thought_keeps_its_budget_and_pictures_stay(done):
    made = done["budget"]
    if done["profile"] != "tiny":
        assert len(made["prompts"]) == 1  # LLaVA does not reason: one request, no thought
        assert made["thought"] == 0
        return
    assert made["made"][0] <= THOUGHT
    assert 0 < made["thought"] <= THOUGHT + CARELESS
    assert made["prompts"][1] > made["prompts"][0]


def test_a_whole_question_ends_typed(done):
    assert done["run"]["status"] in {"answered", "not_found", "partial"}
    assert 0 < done["run"]["calls"] <= 3
    assert done["run"]["prompt_tokens"] > 0


def test_generating_is_stopped_on_its_own_device(done):
    if "stops" in done:  # vLLM has no such criterion
        assert done["stops"] == {"told": [[False, False], [True, True]], "device": "meta"}


@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_a_model_that_is_not_there_is_one_line(kitchen, tmp_path, name):
    from tests.media.make import encode

    encode(tmp_path / "clip.mp4")
    asked = ("ask", str(tmp_path / "clip.mp4"), "When?", "--engine", name, "--model", str(tmp_path / "none"))
    ended = kitchen.run("-m", "vidagent", *asked)
    assert ended.returncode == 4
    assert "cannot be loaded" in ended.stderr
    assert "Traceback" not in ended.stderr
