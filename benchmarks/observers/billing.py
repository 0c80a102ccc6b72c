"""A model with its bill: what each request cost, and the longest chain of requests one after another."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.scripted_server import parts, texts

FRAME_TOKENS = 256
"""Prompt tokens of a picture, as the default profile reckons them."""
_CHARACTERS = 4
"""Characters of text to a token."""


class Billed:
    """Wraps a model's script and counts what a server would charge.

    Args:
        model: Answers a request's body.
        delay_s: Seconds before each reply, so that requests made side by side are seen to be.

    Attributes:
        calls: Requests.
        rounds: Longest chain of requests of which each began after the one before it had ended.
        frames: Pictures sent.
        tokens: Prompt tokens.
    """

    def __init__(self, model: Callable[[dict[str, Any]], dict[str, Any]], delay_s: float = 0.0) -> None:
        """Start with an empty bill."""
        self.calls = self.rounds = self.frames = self.tokens = 0
        self._model, self._delay_s = model, delay_s
        self._lock = threading.Lock()

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request, with its usage."""
        with self._lock:
            round_ = self.rounds + 1
            reply = self._model(body)
            pictures = sum(part["type"] == "image_url" for part in parts(body))
            text = texts(body) + json.dumps(body.get("tools", []))
            prompt = len(text) // _CHARACTERS + FRAME_TOKENS * pictures
            completion = len(json.dumps(reply["choices"])) // _CHARACTERS
            self.calls += 1
            self.frames += pictures
            self.tokens += prompt
        time.sleep(self._delay_s)
        with self._lock:
            self.rounds = max(self.rounds, round_)
        counts = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        return {**reply, "usage": counts}
