"""What a video costs in prompt tokens where the server prunes those that show what the frame before did (EVS)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from tests.live.server import Server

PICTURE = ("<|video_pad|>", "<image>")
"""Tokens that stand for a part of a picture in the prompts of Qwen3-VL and Nemotron VL."""


@dataclass(frozen=True)
class Cost:
    """Tokens of one request with a video.

    Args:
        prompt: All of the prompt, by the server's count.
        video: Those of the video, the times beside its frames included.
        pictures: Those of its pictures alone.
        counted: All of the prompt, as `/tokenize` told before.
    """

    prompt: int
    video: int
    pictures: int
    counted: int


def cost(server: Server, path: Path) -> Cost:
    """Ask about a clip, sampled by the server at 2 fps, and return what the prompt cost.

    The text stands before the video: with a Qwen3-VL that prunes, the CPU build ends at a video that comes first.
    """
    url = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
    content = [
        {"type": "text", "text": "What happens in this video?"},
        {"type": "video_url", "video_url": {"url": url}},
    ]
    messages = [{"role": "user", "content": content}]
    reply = server.raw({"messages": messages, "max_tokens": 1})
    assert "usage" in reply, reply
    usage = reply["usage"]
    tokens = server.tokens(messages)
    prompt = server.detokenize(tokens)
    video = usage["prompt_tokens_details"]["multimodal_tokens"]["video"]
    return Cost(usage["prompt_tokens"], video, sum(map(prompt.count, PICTURE)), len(tokens))
