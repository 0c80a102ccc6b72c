"""The examples that need a model, put to real vLLM with tiny models, whose words mean nothing."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from tests.examples.scripts import load
from vidagent.images import jpeg

pytestmark = [pytest.mark.vllm, pytest.mark.network]

TINY = {
    "dtype": "bfloat16",
    "load_format": "dummy",
    "max_model_len": 16384,
    "max_num_seqs": 4,
    "enforce_eager": True,
    "skip_mm_profiling": True,
    "enable_prefix_caching": False,
}
FRAMES = {"8fps_max128frames": 64, "2fps": 16, "16frames": 16}
"""Of a clip of 8 s."""


@pytest.fixture(scope="module")
def files(clip, tmp_path_factory):
    """Return an image and a video, in a folder that the servers may read."""
    folder = tmp_path_factory.mktemp("media")
    noise = np.random.default_rng(3).integers(0, 255, (270, 480, 3), dtype=np.uint8)
    (folder / "photo.jpg").write_bytes(jpeg.encode(noise))
    return folder / "photo.jpg", clip("h264").path


def test_nemotron_offline(kitchen, files):
    model = kitchen.environment / "models" / "nemotron-vl"
    flags = ("--model", str(model), "--max-tokens", "6", "--pruning", "0", "--arguments", json.dumps(TINY))
    ended = kitchen.run("examples/nemotron_vllm_offline.py", *map(str, files), *flags)
    assert ended.returncode == 0, ended.stderr[-3000:]
    said = re.findall(r"^(\w+) \((\d+) \+ (\d+) tokens\): ", ended.stdout, re.MULTILINE)
    prompt = {name: int(tokens) for name, tokens, _ in said}
    assert list(prompt) == ["image", "video", *FRAMES]
    assert all(0 < int(made) <= 6 for _, _, made in said)
    a_frame = (prompt["8fps_max128frames"] - prompt["2fps"]) / (64 - 16)
    assert a_frame > 1
    assert prompt["2fps"] == prompt["16frames"] == prompt["video"]  # vLLM itself takes 2 a second
    sampled = re.findall(r"^(\w+): \((\d+), .*\), 0\.00 to 7\.96 s$", ended.stdout, re.MULTILINE)
    assert {name: int(frames) for name, frames in sampled} == FRAMES


def test_the_requests_of_nim(nemotron_server, files, capsys):
    urls = ("--image-url", files[0].as_uri(), "--video-url", files[1].as_uri())
    flags = ("--base-url", nemotron_server.url, "--max-tokens", "6", *urls)
    code = load("nim_requests").main([*map(str, files), *flags])
    out = capsys.readouterr().out
    assert code == 0, out
    rows = re.findall(r"^(\w[\w, /]*?) +(\d+) +(\d+)  ", out, re.MULTILINE)
    prompt = {name: int(tokens) for name, tokens, _ in rows}
    assert prompt["image, URL"] == prompt["image, base64"] == prompt["streamed"] == prompt["langchain"]
    assert prompt["image, 3 tiles"] < prompt["image, URL"]
    assert prompt["video, 1 fps"] < prompt["video, 16 frames"]
    assert prompt["text alone"] < prompt["image, 3 tiles"]


@pytest.mark.parametrize("shown", [False, True], ids=["text", "image"])
def test_a_thinking_budget(tiny_server, files, capsys, shown):
    images = [str(files[0])] if shown else []
    flags = ("--thinking-tokens", "16", "--max-tokens", "64", "--temperature", "1")
    arguments = ("What is 2+2?", *images, "--base-url", tiny_server.url, *flags)
    assert load("thinking_budget").main(arguments) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["requests"] == 2
    assert 0 < made["thinking_tokens"] <= 16
    assert made["reasoning_content"].endswith(".")
    assert made["completion_tokens"] <= 64
    assert made["prompt_tokens"] > (200 if shown else 0)
