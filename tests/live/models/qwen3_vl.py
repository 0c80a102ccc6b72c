"""A tiny Qwen3-VL with random weights: images, videos with times, tools and thinking in its chat template."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from tests.live.models import shape
from tests.live.models.words import Words

_PATCH = 16
MARKS = {
    "image": "<|image_pad|>",
    "video": "<|video_pad|>",
    "vision_start": "<|vision_start|>",
    "vision_end": "<|vision_end|>",
}
ROPE = {
    "rope_type": "default",
    "rope_theta": 1e6,
    "mrope_section": [8, 4, 4],
    "mrope_interleaved": True,
}
VISION = {
    **shape.tower(_PATCH),
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "num_position_embeddings": 2304,
}


def make(folder: Path) -> None:
    """Write the model, its tokenizer and its processors."""
    words = Words()
    write_readers(folder, words)
    torch.manual_seed(0)
    Qwen3VLForConditionalGeneration(_config(words)).float().save_pretrained(folder)
    shape.write_generation(folder, words)


def write_readers(folder: Path, words: Words) -> None:
    """Write the tokenizer of this family, and its processors of images and videos."""
    words.save(folder, "Qwen2Tokenizer", bos_token=None, added_tokens_decoder=words.added())
    words.save_pieces(folder)
    kind = {"processor_class": "Qwen3VLProcessor"}
    image = {"image_processor_type": "Qwen2VLImageProcessorFast", **kind}
    video = {
        "video_processor_type": "Qwen3VLVideoProcessor",
        "min_frames": 4,
        "max_frames": 768,
        "return_metadata": False,
        **kind,
    }
    shape.write_processors(folder, _PATCH, image, video)


def _config(words: Words) -> Qwen3VLConfig:
    config = Qwen3VLConfig(
        text_config={**shape.text(words), "rope_parameters": ROPE, "tie_word_embeddings": True},
        vision_config={**VISION, "deepstack_visual_indexes": [0]},
        **shape.numbers(words, MARKS),
        tie_word_embeddings=True,
        dtype="float32",
    )
    config.architectures = ["Qwen3VLForConditionalGeneration"]
    return config
