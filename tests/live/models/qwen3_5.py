"""A model in the shape of Qwen3.5: linear and full attention in turn, and it thinks unless told not to.

Only what describes it is written; the server draws its weights (`--load-format dummy`).
"""

from __future__ import annotations

from pathlib import Path

from transformers import Qwen3_5Config

from tests.live.models import qwen3_vl, shape
from tests.live.models.words import Words


def make(folder: Path) -> None:
    """Write the model's description, its tokenizer and its processors."""
    words = Words(thinks=True)
    qwen3_vl.write_readers(folder, words)
    _config(words).save_pretrained(folder)
    shape.write_generation(folder, words)


def _config(words: Words) -> Qwen3_5Config:
    text = {
        **shape.text(words),
        "layer_types": ["linear_attention", "full_attention"],
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_num_key_heads": 1,
        "linear_num_value_heads": 2,
        "rope_parameters": {**qwen3_vl.ROPE, "partial_rotary_factor": 1.0},
    }
    config = Qwen3_5Config(
        text_config=text,
        vision_config=qwen3_vl.VISION,
        **shape.numbers(words, qwen3_vl.MARKS),
        dtype="float32",
    )
    config.architectures = ["Qwen3_5ForConditionalGeneration"]
    return config
