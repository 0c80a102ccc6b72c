"""A scripted embedding server: pictures by their mean colour, texts by the colours and words that they name.

It takes pictures in one form, as real servers do, and refuses the others.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Literal

import numpy as np

from tests.scripted_server import Raw, Reply, refusal
from vidagent.images import jpeg

Form = Literal["chat", "objects", "urls"]
COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 200, 40),
    "blue": (30, 50, 220),
    "yellow": (230, 220, 40),
    "violet": (150, 40, 210),
    "orange": (250, 140, 20),
    "teal": (20, 160, 160),
    "white": (245, 245, 245),
    "black": (10, 10, 10),
    "grey": (128, 128, 128),
}
DIMS = 96
_WIDTH = 60.0


class EmbeddingScript:
    """The replies of `/v1/embeddings`.

    Attributes:
        form: The form in which it takes pictures.
        pictures: How many pictures came.
        texts: The texts that came.
        bodies: All requests.
    """

    def __init__(self, form: Form = "chat") -> None:
        self.form: Form = form
        self.pictures = 0
        self.texts: list[str] = []
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, body: dict[str, Any]) -> Reply:
        self.bodies.append(body)
        if "messages" in body:
            if self.form != "chat":
                return refusal(400, "messages: extra fields are not permitted")
            [part] = body["messages"][0]["content"]
            return self._reply([part["image_url"]["url"]])
        if self.form != "objects" and any(isinstance(one, dict) for one in body["input"]):
            return refusal(422, "input: a list of texts is expected")
        return self._reply([one["image"] if isinstance(one, dict) else one for one in body["input"]])

    def _reply(self, inputs: list[str]) -> Reply:
        rows = [{"index": number, "embedding": self._vector(one)} for number, one in enumerate(inputs)]
        return Raw({"object": "list", "data": rows[::-1], "model": "colours"})

    def _vector(self, one: str) -> list[float]:
        if not one.startswith("data:image/"):
            self.texts.append(one)
            return text_vector(one).tolist()
        self.pictures += 1
        picture = jpeg.decode(base64.b64decode(one.partition(",")[2]))
        return colour_vector(picture.reshape(-1, 3).mean(axis=0)).tolist()


def colour_vector(rgb: np.ndarray) -> np.ndarray:
    """Return a vector that is near those of like colours: soft membership in each of a fixed set of colours."""
    palette = np.random.default_rng(5).uniform(0, 255, (DIMS, 3))
    return np.exp(-(((palette - rgb) / _WIDTH) ** 2).sum(axis=1))


def text_vector(text: str) -> np.ndarray:
    """Return the vector of the colours that a text names, else one of its own."""
    named = [np.array(rgb) for name, rgb in COLOURS.items() if name in text.casefold()]
    if "#" in text:  # an exact colour, such as #a0b1c2
        digits = text.partition("#")[2][:6]
        named = [np.array([int(digits[place : place + 2], 16) for place in (0, 2, 4)])]
    if named:
        return np.mean([colour_vector(rgb) for rgb in named], axis=0)
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
    return np.random.default_rng(seed).uniform(0, 0.05, DIMS)
