"""The offline example puts to `vllm.LLM` what the guide to Nemotron on vLLM does; vLLM itself is a stand-in here."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from tests.examples.scripts import load
from tests.media.code import read_code
from tests.media.make import CLIPS
from vidagent.images import jpeg

example = load("nemotron_vllm_offline")


class FakeLlm:
    """Notes what it is given, and replies with the number of the prompt."""

    made: ClassVar[list[FakeLlm]] = []

    def __init__(self, model, **arguments):
        self.model, self.arguments, self.chats, self.generated = model, arguments, [], []
        self.llm_engine = SimpleNamespace(engine_core=SimpleNamespace(shutdown=lambda: None))
        FakeLlm.made.append(self)

    def get_tokenizer(self):
        return SimpleNamespace(apply_chat_template=lambda messages, **_: repr(messages))

    def chat(self, prompts, sampling, **options):
        self.chats.append((prompts, sampling, options))
        return [_output(number) for number, _ in enumerate(prompts)]

    def generate(self, prompts, sampling, **_):
        self.generated.append((prompts, sampling))
        return [_output(number) for number, _ in enumerate(prompts)]


def _output(number):
    made = SimpleNamespace(text=f"reply {number}", token_ids=[1, 2], finish_reason="stop", stop_reason=None)
    return SimpleNamespace(outputs=[made], prompt_token_ids=[0] * 9)


@pytest.fixture
def llm(monkeypatch):
    """Put a stand-in in the place of vLLM; return those made of it."""
    fake, params = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    fake.__spec__ = ModuleSpec("vllm", None)
    fake.LLM, fake.SamplingParams = FakeLlm, dict
    params.StructuredOutputsParams = dict
    monkeypatch.setitem(sys.modules, "vllm", fake)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", params)
    monkeypatch.setattr(FakeLlm, "made", [])
    return FakeLlm.made


@pytest.fixture
def files(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(jpeg.encode(np.full((16, 16, 3), 90, np.uint8)))
    return tmp_path / "photo.jpg", CLIPS["h264"](tmp_path).path


def run(files, *flags):
    return example.main([*map(str, files), *flags])


def test_the_model_is_loaded_once_as_the_guide_says(llm, files):
    run(files, "--arguments", '{"max_model_len": 4096, "dtype": "bfloat16"}')
    [made] = llm
    assert made.model == "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16"
    assert made.arguments == {
        "trust_remote_code": True,
        "max_model_len": 4096,
        "allowed_local_media_path": str(files[0].parent),
        "video_pruning_rate": 0.75,
        "media_io_kwargs": {"video": {"fps": 2, "num_frames": 128}},
        "limit_mm_per_prompt": {"image": 1, "video": 1},
        "dtype": "bfloat16",
    }


def test_paths_are_left_to_vllm(llm, files):
    run(files, "--tiles", "6")
    [[[[image]], _, options], [[[video]], sampling, _]] = llm[0].chats
    assert image["content"] == [
        {"type": "text", "text": "Describe the image."},
        {"type": "image_url", "image_url": {"url": files[0].as_uri()}},
    ]
    assert options["mm_processor_kwargs"] == {"max_num_tiles": 6}
    assert video["content"] == [
        {"type": "text", "text": "Describe the video."},
        {"type": "video_url", "video_url": {"url": files[1].as_uri()}},
    ]
    assert sampling == {"max_tokens": 1024, "temperature": 0}


def test_samples_are_one_batch_of_arrays_with_their_times(llm, files, capsys):
    run(files)
    [[prompts, _]] = llm[0].generated
    films = [film for prompt in prompts for film in prompt["multi_modal_data"]["video"]]
    taken = [[read_code(frame).number for frame in frames] for frames, _ in films]
    assert [len(numbers) for numbers in taken] == [64, 16, 16]
    assert taken[2] == taken[1] == [round(number * 199 / 15) for number in range(16)]
    for numbers, (_, about) in zip(taken, films, strict=True):
        told = [index / about["fps"] for index in about["frames_indices"]]
        assert told == pytest.approx([number / 25 for number in numbers])
    assert all("{'type': 'video'}" in prompt["prompt"] for prompt in prompts)
    assert capsys.readouterr().out.splitlines() == [
        "image (9 + 2 tokens): reply 0",
        "video (9 + 2 tokens): reply 0",
        "",
        "8fps_max128frames: (64, 180, 320, 3), 0.00 to 7.96 s",
        "8fps_max128frames (9 + 2 tokens): reply 0",
        "",
        "2fps: (16, 180, 320, 3), 0.00 to 7.96 s",
        "2fps (9 + 2 tokens): reply 1",
        "",
        "16frames: (16, 180, 320, 3), 0.00 to 7.96 s",
        "16frames (9 + 2 tokens): reply 2",
    ]
