"""LLaVA-NeXT-Video in this process: an image, a video, and both in one batch.

    python examples/llava_next_video.py picture.jpg talk.mp4 --model llava-hf/LLaVA-NeXT-Video-7B-hf

Needs `pip install '.[transformers]'`; `--four-bit` needs bitsandbytes and `--flash-attention` flash-attn, both
with CUDA.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage

from vidagent.agents.engines.media import read_video
from vidagent.agents.engines.transformers_engine import ChatTransformers

FRAMES = 8


def main() -> None:
    """Ask about the image and the video, each alone and both together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--model", default="llava-hf/LLaVA-NeXT-Video-7B-hf")
    parser.add_argument("--dtype", default="float16", choices=["auto", "float16", "bfloat16", "float32"])
    parser.add_argument("--four-bit", action="store_true")
    parser.add_argument("--flash-attention", action="store_true")
    parser.add_argument("--max-tokens", type=int, default=100)
    given = parser.parse_args()
    chat = ChatTransformers(
        model_name=given.model,
        dtype=given.dtype,
        four_bit=given.four_bit,
        attention="flash_attention_2" if given.flash_attention else None,
    )
    image = {"type": "image_url", "image_url": {"url": given.image.resolve().as_uri()}}
    video = {"type": "video", "video": read_video(given.video, num_frames=FRAMES)}
    asked = {
        "image": [_asks("What are these?", image)],
        "video": [_asks("Why is this video funny?", video)],
        "image and video": [_asks("What is shown in this image and video?", image, video)],
    }
    replies = chat.answer_all(list(asked.values()), max_tokens=given.max_tokens, temperature=0)
    for name, reply in zip(asked, replies, strict=True):
        print(f"{name}: {reply.text}")


def _asks(question: str, *media: dict[str, Any]) -> HumanMessage:
    return HumanMessage([{"type": "text", "text": question}, *media])


if __name__ == "__main__":
    main()
