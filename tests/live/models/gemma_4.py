"""A model in the shape of Gemma 4 without sound: pooled patches, thoughts in a channel, calls in its own marks.

Only what describes it is written; the server draws its weights (`--load-format dummy`).
"""

from __future__ import annotations

from pathlib import Path

from transformers import Gemma4Config

from tests.live.models import shape
from tests.live.models.words import Words, write_json

_MARKS = {
    "image_token": "<|image|>",
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "audio_token": "<|audio|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
}
_SPECIAL = (*_MARKS.values(), "<|video|>", "<|turn>", "<turn|>")
_SPOKEN = ("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", '<|"|>')
_SOFT_TOKENS = 70
"""Most tokens of a picture: the fewest that the processor takes."""


def make(folder: Path) -> None:
    """Write the model's description, its tokenizer and its processors."""
    words = Words(_SPECIAL, image="<|image|>", video="<|video|>", spoken=_SPOKEN)
    words.save(folder, extra_special_tokens=_MARKS)
    _write_processors(folder)
    _config(words).save_pretrained(folder)
    shape.write_generation(folder, words)


def _write_processors(folder: Path) -> None:
    common = {"patch_size": 16, "pooling_kernel_size": 3, "max_soft_tokens": _SOFT_TOKENS}
    parts = {
        "image_processor": {**common, "image_processor_type": "Gemma4ImageProcessor"},
        "video_processor": {**common, "video_processor_type": "Gemma4VideoProcessor"},
        "feature_extractor": {"feature_extractor_type": "Gemma4AudioFeatureExtractor"},
    }
    write_json(
        folder / "processor_config.json",
        {**parts, "processor_class": "Gemma4Processor", "image_seq_length": _SOFT_TOKENS},
    )


def _config(words: Words) -> Gemma4Config:
    text = {
        **shape.text(words),
        "vocab_size_per_layer_input": words.size,
        "hidden_size_per_layer_input": 0,
        "layer_types": ["sliding_attention", "full_attention"],
        "global_head_dim": shape.WIDTH // shape.HEADS,
    }
    vision = {
        **shape.LAYER,
        "num_hidden_layers": shape.LAYERS,
        "num_key_value_heads": shape.HEADS,
        "head_dim": shape.WIDTH // shape.HEADS,
        "default_output_length": _SOFT_TOKENS,
    }
    config = Gemma4Config(
        text_config=text,
        vision_config=vision,
        image_token_id=words.id("<|image|>"),
        video_token_id=words.id("<|video|>"),
        boi_token_id=words.id("<|image>"),
        eoi_token_id=words.id("<image|>"),
        audio_token_id=words.id("<|audio|>"),
        boa_token_id=words.id("<|audio>"),
        eoa_token_index=words.id("<audio|>"),
        dtype="float32",
    )
    config.architectures = ["Gemma4ForConditionalGeneration"]
    return config
