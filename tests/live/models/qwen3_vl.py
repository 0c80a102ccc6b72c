"""A tiny Qwen3-VL with random weights: images, videos with times, tools and thinking in its chat template."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import GenerationConfig, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from tests.live.models.words import END, MOST_POSITIONS, PAD, Words, write_json

TOKEN_PIXELS = 32 * 32
"""Pixels of one image token: 2 x 2 patches of 16 x 16."""

_IMAGE_TOKENS = (4, 256)
_VIDEO_TOKENS = (4, 4096)


def make(folder: Path) -> None:
    """Write the model, its tokenizer and its processors."""
    words = Words()
    words.save(folder, "Qwen2Tokenizer", bos_token=None, added_tokens_decoder=words.added())
    words.save_pieces(folder)
    _write_processors(folder)
    torch.manual_seed(0)
    Qwen3VLForConditionalGeneration(_config(words)).float().save_pretrained(folder)
    ends = [words.id(END), words.id(PAD)]
    GenerationConfig(
        eos_token_id=ends, pad_token_id=words.id(PAD), do_sample=True, temperature=1.0
    ).save_pretrained(folder)


def _write_processors(folder: Path) -> None:
    common = {
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "processor_class": "Qwen3VLProcessor",
    }
    image = {"image_processor_type": "Qwen2VLImageProcessorFast", "size": _size(_IMAGE_TOKENS)}
    write_json(folder / "preprocessor_config.json", {**common, **image})
    video = {
        "video_processor_type": "Qwen3VLVideoProcessor",
        "size": _size(_VIDEO_TOKENS),
        "fps": 2,
        "min_frames": 4,
        "max_frames": 768,
        "do_sample_frames": True,
        "return_metadata": False,
    }
    write_json(folder / "video_preprocessor_config.json", {**common, **video})


def _size(tokens: tuple[int, int]) -> dict[str, int]:
    """Say in pixels how few and how many tokens an image or a whole video may take."""
    fewest, most = tokens
    return {"shortest_edge": fewest * TOKEN_PIXELS, "longest_edge": most * TOKEN_PIXELS}


def _config(words: Words) -> Qwen3VLConfig:
    text = {
        "vocab_size": words.size,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "max_position_embeddings": MOST_POSITIONS,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e6,
            "mrope_section": [8, 4, 4],
            "mrope_interleaved": True,
        },
        "bos_token_id": words.id(PAD),
        "eos_token_id": words.id(END),
        "pad_token_id": words.id(PAD),
    }
    vision = {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 2,
        "out_hidden_size": 64,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [0],
    }
    marks = {"image": "<|image_pad|>", "video": "<|video_pad|>"}
    edges = {"start": "<|vision_start|>", "end": "<|vision_end|>"}
    config = Qwen3VLConfig(
        text_config={**text, "tie_word_embeddings": True},
        vision_config=vision,
        **{f"{kind}_token_id": words.id(mark) for kind, mark in marks.items()},
        **{f"vision_{kind}_token_id": words.id(mark) for kind, mark in edges.items()},
        tie_word_embeddings=True,
        dtype="float32",
    )
    config.architectures = ["Qwen3VLForConditionalGeneration"]
    return config
