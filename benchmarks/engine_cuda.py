"""The engine `transformers` on a GPU: are replies what they are on the CPU, and what does a look cost?

`python -m benchmarks.engine_cuda MODELS [--four-bit]` from the repository root, MODELS being the folder of tiny models
that `make test-vllm` makes; needs torch with CUDA, and no network. First, tiny models with random weights: the prompts
they are given on the GPU in each type of number, against those on the CPU, and how far their greedy replies agree; then
a whole question. Then a model of the shape and size of LLaVA-NeXT-Video-7B, also with random weights, which are drawn
here: seconds of a look by number of frames, one by one and four at once, and the memory it takes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from langchain_core.messages import HumanMessage
from transformers.utils.logging import disable_progress_bar

import vidagent
from tests.live.engine_room import weighed
from tests.live.models import llava_next_video
from tests.media.make import encode
from vidagent.agents.engines.media import read_video
from vidagent.agents.engines.transformers_engine import ChatTransformers
from vidagent.types import Budget

TINY = ("qwen3-vl", "llava-next-video")
TYPES = ("float32", "float16", "bfloat16")
REPLY = 64
GREEDY = {"temperature": 0.0}


def question(film: Path, frames: int) -> list[HumanMessage]:
    """Return a question about some frames of a video."""
    shown = {"type": "video", "video": read_video(film, num_frames=frames)}
    return [HumanMessage([shown, {"type": "text", "text": "What is it?"}])]


def agreeing(one: str, other: str) -> int:
    """Return how many characters two texts have in common from the start."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def compare(folder: Path, film: Path) -> None:
    """Print a row for each type of number."""
    cpu = ChatTransformers(model_name=str(folder), device="cpu", dtype="float32")
    asked = question(film, 8)
    (expected,) = cpu.answer_all([asked], max_tokens=REPLY, **GREEDY)
    for name in TYPES:
        chat = ChatTransformers(model_name=str(folder), device="cuda", dtype=name)
        (reply,) = chat.answer_all([asked], max_tokens=REPLY, **GREEDY)
        pair = chat.answer_all([asked, question(film, 4)], max_tokens=REPLY, **GREEDY)
        tokens = [one.usage_metadata["input_tokens"] for one in (expected, reply, pair[0])]
        same = agreeing(expected.text, reply.text)
        print(
            f"| {folder.name} | {name} | {tokens[0]} | {tokens[1]} | {tokens[2]} "
            f"| {same} of {len(expected.text)} | {agreeing(reply.text, pair[0].text)} of {len(reply.text)} |",
            flush=True,
        )


def run(folder: Path, film: Path, profile: str) -> None:
    """Ask a whole question."""
    os.environ["VIDAGENT_PROFILE"] = profile
    began = time.perf_counter()
    budget = Budget(steps=1, model_calls=3, completion_tokens=400)
    answer = vidagent.analyze_video(
        film, "When is it red?", engine="transformers", model=str(folder), budget=budget
    )
    used = answer.usage
    print(
        f"{folder.name}: {answer.status}, {used.model_calls} calls, {used.prompt_tokens} prompt tokens, "
        f"{used.frames_sent} frames, {time.perf_counter() - began:.1f} s",
        flush=True,
    )


def made(folder: Path) -> Path:
    """Draw the weights of the model of full size, and keep them."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    folder.mkdir()
    llava_next_video.make(folder, llava_next_video.FULL)
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = AutoModelForImageTextToText.from_config(
            AutoConfig.from_pretrained(folder), dtype=torch.bfloat16
        )
    model.save_pretrained(folder)
    del model
    torch.cuda.empty_cache()
    return folder


def measure(folder: Path, film: Path, *, four_bit: bool, times: int = 5) -> None:
    """Print what looks cost."""
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    chat = ChatTransformers(model_name=str(folder), four_bit=four_bit)
    chat.ready()
    took_s = time.perf_counter() - began
    kind = "4 bits" if four_bit else "bfloat16"
    print(f"{kind}: loaded in {took_s:.1f} s, {torch.cuda.memory_allocated() / 2**30:.1f} GiB", flush=True)
    print("| frames | at once | prompt tokens | s, median | s, least and most | tokens a second | peak GiB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for frames, at_once in ((8, 1), (16, 1), (32, 1), (8, 4)):
        asked: Any = [question(film, frames)] * at_once
        torch.cuda.reset_peak_memory_stats()
        seconds = []
        for _ in range(times + 1):
            began = time.perf_counter()
            replies = chat.answer_all(asked, max_tokens=REPLY, **GREEDY)
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
        seconds = seconds[1:]  # the first one warms up
        middle = statistics.median(seconds)
        tokens = sum(one.usage_metadata["output_tokens"] for one in replies)
        print(
            f"| {frames} | {at_once} | {replies[0].usage_metadata['input_tokens']} | {middle:.2f} "
            f"| {min(seconds):.2f}, {max(seconds):.2f} | {tokens / middle:.0f} "
            f"| {torch.cuda.max_memory_allocated() / 2**30:.1f} |",
            flush=True,
        )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path)
    parser.add_argument("--four-bit", action="store_true", help="only the model of full size, in four bits")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no GPU that torch can use")
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    print(
        f"{torch.cuda.get_device_name()}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}"
    )
    disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(sys.stdout):
        folder = Path(scratch)
        os.environ["VIDAGENT_CACHE_DIR"] = str(folder / "cache")
        film = folder / "clip.mp4"
        encode(film)
        if not asked.four_bit:
            tiny = [weighed(asked.models / name, folder) for name in TINY]
            print(
                "| model | type | prompt on the CPU | on the GPU | beside another | as on the CPU | as alone |"
            )
            print("|---|---|---|---|---|---|---|", flush=True)
            for model in tiny:
                compare(model, film)
            for model, profile in zip(tiny, ("tiny", "llava-next-video-7b"), strict=True):
                run(model, film, profile)
        began = time.perf_counter()
        full = made(folder / "full")
        print(f"drawn and kept in {time.perf_counter() - began:.0f} s", flush=True)
        measure(full, film, four_bit=asked.four_bit)


if __name__ == "__main__":
    main()
