"""Model profiles: which fits a model, what they inherit, and what a bad one says."""

import pytest

from vidagent import config
from vidagent.agents.profiles import loader
from vidagent.agents.server import model_choice
from vidagent.errors import UsageError


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("nvidia/nemotron-nano-12b-v2-vl", "nim"),
        ("nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-FP8", "nemotron-nano-12b-v2-vl"),
        ("nvidia/NVIDIA-Nemotron-Nano-VL-12B-V2-NVFP4-QAD", "nemotron-nano-12b-v2-vl"),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl"),
        ("Qwen/Qwen3-VL-30B-A3B-Thinking-FP8", "qwen3-vl-thinking"),
        ("nvidia/Nemotron-3-Nano-Omni-30B-A3B-Reasoning-NVFP4", "nemotron-3-nano-omni"),
        ("llava-hf/LLaVA-NeXT-Video-7B-hf", "llava-next-video-7b"),
        ("tiny", "tiny"),
        ("signals", "signals"),
        ("acme/see-1", "default"),
    ],
)
def test_a_model_finds_its_profile(model, name):
    assert loader.match(model).name == name


@pytest.mark.parametrize("name", loader.names())
def test_every_profile_is_whole(name):
    profile = loader.load(name)
    assert profile.name == name
    assert set(profile.completion_tokens) == {"route", "plan", "look", "verify", "compose"}
    room = profile.context_tokens - max(profile.completion_tokens.values())
    assert max(profile.frames_per_call, profile.overview_frames) * profile.frame_tokens < room


@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("nemotron-nano-12b-v2-vl", ["bf16", "fp8", "nvfp4"]),
        ("nemotron-3-nano-omni", ["bf16", "fp8", "nvfp4"]),
        ("qwen3-vl", ["8b", "4b", "2b", "32b-fp8", "30b-a3b"]),
        ("qwen3-vl-thinking", ["8b", "30b-a3b"]),
        ("llava-next-video-7b", ["7b"]),
        ("nim", ["nemotron-nano-12b-v2-vl"]),
    ],
)
def test_the_models_of_a_profile_lead_back_to_it(name, variants):
    serve = loader.load(name).serve
    assert list(serve.variants) == variants
    assert [loader.match(variant.model).name for variant in serve.variants.values()] == [name] * len(variants)


SERVED = [
    name for name in loader.names() if (p := loader.load(name)).serve.variants and p.serve.runner == "vllm"
]


@pytest.mark.parametrize("name", SERVED)
def test_a_server_takes_what_its_profile_sends(name):
    profile = loader.load(name)
    flags, media, thinking = profile.serve.flags, profile.media, profile.thinking
    assert flags["max-model-len"] in {-1, profile.context_tokens}  # what fits, which the server reports
    assert flags["trust-request-mm-kwargs"] is True
    assert media.per_request
    video = flags["media-io-kwargs"]["video"]
    assert (video["fps"], video["num_frames"]) == (media.video_fps, media.video_frames)
    as_images = {"look", "overview"} - {shown for shown, form in media.forms.items() if form != "images"}
    most = {"look": profile.frames_per_call, "overview": profile.overview_frames}
    assert all(most[shown] <= flags["limit-mm-per-prompt"]["image"] for shown in as_images)
    assert bool(thinking.budget_field) == ("reasoning-parser" in flags)
    calls = {"enable-auto-tool-choice", "tool-call-parser"} <= set(flags)
    assert calls == (profile.tool_calls == "native")
    assert "allowed-local-media-path" not in flags


@pytest.mark.parametrize("name", loader.names())
def test_thoughts_fit_into_replies(name):
    profile = loader.load(name)
    allotted = profile.thinking.tokens
    assert set(allotted) == set(profile.completion_tokens) - {"route"}
    if profile.thinking.can:
        assert all(2 * tokens <= profile.completion_tokens[step] for step, tokens in allotted.items())


def test_nemotron_thinks_over_images_only():
    for name in ("nemotron-nano-12b-v2-vl", "nim"):
        profile = loader.load(name)
        assert not profile.thinking.with_video
        assert not profile.plan_sees_overview
        assert all(profile.media.forms.get(step, "images") == "images" for step in profile.thinking.steps)


def test_the_limits_of_nim():
    media = loader.load("nim").media
    assert (media.sampling, media.video_frames, media.never_above_own) == ("one", 128, True)
    assert not media.image_ids
    assert "frames" not in media.forms.values()
    assert loader.load("nim").thinking.budget_field is None


def test_signals_takes_small_looks():
    signals = loader.load("signals")
    assert (signals.frames_per_call, signals.overview_frames, signals.structured) == (24, 48, "prompt")
    assert not signals.thinking.can


def test_tables_are_laid_over_the_default_key_by_key(tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text("[completion_tokens]\nlook = 77\n[thinking]\ncan = true")
    mine, default = loader.load(str(own)), loader.load("default")
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
        ('[serve]\nrunner = "podman"', "profile bad: serve.runner: "),
        ("[serve.variants.big]\nflags = {}", "profile bad: serve.variants.big.model: "),
        ('[media]\nforms = { look = "gif" }', "profile bad: media.forms.look: "),
        ("= 3", "is not TOML"),
    ],
)
def test_a_bad_profile_is_a_usage_error(tmp_path, text, words):
    own = tmp_path / "bad.toml"
    own.write_text(text)
    with pytest.raises(UsageError) as caught:
        loader.load(str(own))
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["gpt-7", "/no/such/file.toml"])
def test_no_such_profile(name):
    with pytest.raises(UsageError, match=name):
        loader.load(name)


def test_the_users_own_profile_is_used_for_any_model(tmp_path, monkeypatch):
    own = tmp_path / "mine.toml"
    own.write_text(
        "frames_per_call = 7\n[media]\nvideo_frames = 9\n[serve.variants.only]\nmodel = 'acme/see-1'"
    )
    monkeypatch.setenv("VIDAGENT_PROFILE", str(own))
    used = model_choice.choose(config.load(model="signals")).profile
    assert (used.name, used.frames_per_call, used.media.video_frames) == ("mine", 7, 9)
    assert used.serve.variants["only"].model == "acme/see-1"
    assert used.serve.flags == loader.load("default").serve.flags


@pytest.mark.parametrize("name", ["qwen3-vl", "qwen3-vl-thinking", "tiny"])
def test_a_video_for_qwen3_vl_is_not_sampled_again(name):
    assert loader.load(name).media.video_processor == {"do_sample_frames": False}
