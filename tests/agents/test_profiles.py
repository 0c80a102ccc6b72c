"""Model profiles: which fits a model, what they inherit, and what a bad one says."""

import pytest

from vidagent.agents import profiles
from vidagent.errors import UsageError


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("nvidia/nemotron-nano-12b-v2-vl", "nemotron-nano-12b-v2-vl"),
        ("nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-FP8", "nemotron-nano-12b-v2-vl"),
        ("nvidia/NVIDIA-Nemotron-Nano-VL-12B-V2-NVFP4-QAD", "nemotron-nano-12b-v2-vl"),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl"),
        ("Qwen/Qwen3-VL-30B-A3B-Thinking-FP8", "qwen3-vl-thinking"),
        ("signals", "signals"),
        ("gpt-7", "default"),
    ],
)
def test_a_model_finds_its_profile(model, name):
    assert profiles.match(model).name == name


@pytest.mark.parametrize("name", profiles.names())
def test_every_profile_is_whole(name):
    profile = profiles.load(name)
    assert profile.name == name
    assert set(profile.completion_tokens) == {"plan", "look", "verify", "compose"}
    room = profile.context_tokens - max(profile.completion_tokens.values())
    assert max(profile.frames_per_call, profile.overview_frames) * profile.frame_tokens < room


def test_signals_takes_small_looks():
    signals = profiles.load("signals")
    assert (signals.frames_per_call, signals.overview_frames, signals.structured) == (24, 48, "prompt")
    assert not signals.thinking.can


def test_tables_are_laid_over_the_default_key_by_key(tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text("[completion_tokens]\nlook = 77\n[thinking]\ncan = true")
    mine, default = profiles.load(str(own)), profiles.load("default")
    assert mine.name == "mine"
    assert mine.completion_tokens == {**default.completion_tokens, "look": 77}
    assert mine.thinking.can
    assert mine.thinking.steps == default.thinking.steps
    assert mine.frames_per_call == default.frames_per_call


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("frames = 8", "profile bad: frames: "),
        ("[thinking]\ncolour = 1", "profile bad: thinking.colour: "),
        ("frames_per_call = 0", "frames_per_call: input should be greater than or equal to 1, got 0"),
        ('structured = "xml"', "structured: "),
        ("= 3", "is not TOML"),
    ],
)
def test_a_bad_profile_is_a_usage_error(tmp_path, text, words):
    own = tmp_path / "bad.toml"
    own.write_text(text)
    with pytest.raises(UsageError) as caught:
        profiles.load(str(own))
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["gpt-7", "/no/such/file.toml"])
def test_no_such_profile(name):
    with pytest.raises(UsageError, match=name):
        profiles.load(name)
