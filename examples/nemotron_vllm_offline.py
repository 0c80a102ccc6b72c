"""Nemotron Nano 12B v2 VL by `vllm.LLM`, without a server: an image, a video by its path, and frames sampled here.

    python examples/nemotron_vllm_offline.py photo.jpg talk.mp4

Needs `pip install '.[vllm]'`. vLLM samples a video by its path itself (`media_io_kwargs`); own samples go in as
arrays, with metadata from which the model is told their times. Of a video's tokens the share `--pruning` is left out
(EVS). Further arguments of `vllm.LLM` are JSON: `--arguments '{"tensor_parallel_size": 2}'`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage

from vidagent.agents.engines.media import read_video
from vidagent.agents.engines.vllm_engine import ChatVllm

MODEL = "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16"
SAMPLES: dict[str, dict[str, Any]] = {
    "8fps_max128frames": {"fps": 8, "max_frames": 128},
    "2fps": {"fps": 2},
    "16frames": {"num_frames": 16},
}


def loaded(given: argparse.Namespace) -> ChatVllm:
    """Return the model; it may read the folders of the two files, and is loaded at the first question."""
    os.environ.setdefault("VLLM_VIDEO_LOADER_BACKEND", "opencv")
    folder = os.path.commonpath([given.image.resolve().parent, given.video.resolve().parent])
    usual = {
        "trust_remote_code": True,
        "max_model_len": 2**17,
        "allowed_local_media_path": folder,
        "video_pruning_rate": given.pruning,
        "media_io_kwargs": {"video": {"fps": 2, "num_frames": 128}},
        "limit_mm_per_prompt": {"image": 1, "video": 1},
    }
    return ChatVllm(model_name=given.model, arguments={**usual, **given.arguments})


def asks(question: str, shown: dict[str, Any]) -> list[HumanMessage]:
    """Return a prompt about an image or a video."""
    return [HumanMessage([{"type": "text", "text": question}, shown])]


def main(arguments: Sequence[str]) -> None:
    """Ask about the image, the video, and each sample of it, these as one batch."""
    parser = argparse.ArgumentParser(description="Nemotron Nano 12B v2 VL by vllm.LLM, without a server.")
    parser.add_argument("image", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--tiles", type=int, default=12, help="most tiles of the image (%(default)s)")
    parser.add_argument("--pruning", type=float, default=0.75, help="0 leaves nothing out (%(default)s)")
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--arguments", type=json.loads, default={}, metavar="JSON")
    given = parser.parse_args(arguments)
    chat, how = loaded(given), {"max_tokens": given.max_tokens, "temperature": 0}

    picture = {"type": "image_url", "image_url": {"url": given.image.resolve().as_uri()}}
    tiled = {"mm_processor_kwargs": {"max_num_tiles": given.tiles}}
    film = {"type": "video_url", "video_url": {"url": given.video.resolve().as_uri()}}
    [seen] = chat.answer_all([asks("Describe the image.", picture)], extra_body=tiled, **how)
    [shown] = chat.answer_all([asks("Describe the video.", film)], **how)
    tell("image", seen)
    tell("video", shown)

    samples = {name: read_video(given.video, **sampling) for name, sampling in SAMPLES.items()}
    prompts = [asks("Describe the video.", {"type": "video", "video": one}) for one in samples.values()]
    for (name, (frames, about)), reply in zip(samples.items(), chat.answer_all(prompts, **how), strict=True):
        times_s = [number / about["fps"] for number in about["frames_indices"]]
        print(f"\n{name}: {frames.shape}, {times_s[0]:.2f} to {times_s[-1]:.2f} s")
        tell(name, reply)


def tell(name: str, reply: AIMessage) -> None:
    """Print a reply, and what its prompt and itself took."""
    used = reply.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
    print(f"{name} ({used['input_tokens']} + {used['output_tokens']} tokens): {reply.text}")


if __name__ == "__main__":
    main(sys.argv[1:])
