"""Inputs of the probes: drawn pictures, a short clip, a tool, a schema, and messages."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from vidagent.images import jpeg, label, mp4

Part = dict[str, Any]
Message = dict[str, Any]

WORD = "KIWI"
"""The word in the picture, and the only word that the schema and the tool allow."""
DECOY = "banana"
"""A word that the prompt requests and the schema forbids: only a constrained reply differs from it."""
CHOICE = WORD.casefold()
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"word": {"type": "string", "enum": [CHOICE]}},
    "required": ["word"],
    "additionalProperties": False,
}
CLIP_S = 2.0
_CLIP_FPS = 8
_SIDE_PX = 224
"""A multiple of the patch sizes 14, 16, 28 and 32, and large enough for models with a minimum size."""


def user(*parts: str | Part) -> Message:
    """Return a user's message of texts and other parts."""
    if len(parts) == 1 and isinstance(parts[0], str):
        return {"role": "user", "content": parts[0]}
    return {
        "role": "user",
        "content": [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts],
    }


def system(text: str) -> Message:
    """Return a system message."""
    return {"role": "system", "content": text}


def assistant(text: str) -> Message:
    """Return an earlier reply of the model."""
    return {"role": "assistant", "content": text}


def picture(text: str = WORD, **beside: str) -> Part:
    """Return a picture showing a text.

    Args:
        text: The text in it.
        beside: Further fields of the part, such as `uuid`.
    """
    return {"type": "image_url", "image_url": {"url": _url("image/jpeg", [_drawn(text)])}, **beside}


def picture_wh() -> tuple[int, int]:
    """Return the size of all these pictures."""
    return _SIDE_PX, _SIDE_PX


def clip() -> Part:
    """Return a two-second mp4 with numbered frames."""
    return _video(_clip())


def frames(count: int) -> Part:
    """Return a video as a list of numbered JPEGs."""
    return _video(_url("video/jpeg", [_drawn(str(number)) for number in range(count)]))


def tool(*, strict: bool) -> dict[str, Any]:
    """Return a function with one argument that has one legal value."""
    function: dict[str, Any] = {
        "name": "note",
        "description": "Note a word.",
        "parameters": SCHEMA,
    }
    return {"type": "function", "function": function | ({"strict": True} if strict else {})}


@cache
def _clip() -> str:
    counted = [_drawn(str(number)) for number in range(int(CLIP_S * _CLIP_FPS))]
    return _url("video/mp4", [mp4.encode(counted, 1 / _CLIP_FPS)])


@cache
def _drawn(text: str) -> bytes:
    sheet = np.full((_SIDE_PX, _SIDE_PX, 3), label.BACKGROUND, np.uint8)
    written = label.draw(text, height_px=_SIDE_PX // 3, max_width_px=_SIDE_PX)
    top, left = (_SIDE_PX - written.shape[0]) // 2, (_SIDE_PX - written.shape[1]) // 2
    sheet[top : top + written.shape[0], left : left + written.shape[1]] = written
    return jpeg.encode(sheet)


def _video(url: str) -> Part:
    return {"type": "video_url", "video_url": {"url": url}}


def _url(kind: str, pieces: Sequence[bytes]) -> str:
    return f"data:{kind};base64," + ",".join(base64.b64encode(piece).decode("ascii") for piece in pieces)
