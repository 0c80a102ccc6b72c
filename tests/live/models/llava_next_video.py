"""A model in the shape of LLaVA-NeXT-Video: images, and videos whose frames have no times.

Only what describes it is written; the server draws its weights (`--load-format dummy`), as it does not find
those that transformers writes today under the names it expects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaNextVideoConfig,
)

from tests.live.models.words import END, MOST_POSITIONS, PAD, Words, write_json

_IMAGE, _VIDEO = "<image>", "<video>"
_SIDE = 224
_GRIDS = [[_SIDE, 2 * _SIDE], [2 * _SIDE, _SIDE], [2 * _SIDE, 2 * _SIDE]]


def make(folder: Path) -> None:
    """Write the model, its tokenizer and its processors."""
    words = Words((_IMAGE, _VIDEO), image=f"{_IMAGE}\n", video=f"{_VIDEO}\n")
    marks = {"image_token": _IMAGE, "video_token": _VIDEO}
    words.save(folder, **marks, extra_special_tokens=marks)
    _write_processors(folder, marks)
    _config(words).save_pretrained(folder)
    GenerationConfig(
        eos_token_id=words.id(END), pad_token_id=words.id(PAD), do_sample=True, temperature=1.0
    ).save_pretrained(folder)


def _write_processors(folder: Path, marks: dict[str, str]) -> None:
    common: dict[str, Any] = {
        "crop_size": {"height": _SIDE, "width": _SIDE},
        "size": {"shortest_edge": _SIDE},
        "resample": 3,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "do_convert_rgb": True,
        "processor_class": "LlavaNextVideoProcessor",
    }
    image = {"image_processor_type": "LlavaNextImageProcessor", "image_grid_pinpoints": _GRIDS}
    write_json(folder / "preprocessor_config.json", {**common, **image})
    video = {"video_processor_type": "LlavaNextVideoVideoProcessor"}
    write_json(folder / "video_preprocessor_config.json", {**common, **video})
    both = {
        "processor_class": "LlavaNextVideoProcessor",
        "patch_size": 14,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
    }
    write_json(folder / "processor_config.json", {**both, **marks})


def _config(words: Words) -> LlavaNextVideoConfig:
    vision = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=_SIDE,
        patch_size=14,
        projection_dim=64,
    )
    text = LlamaConfig(
        vocab_size=words.size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=MOST_POSITIONS,
        bos_token_id=words.id(PAD),
        eos_token_id=words.id(END),
        pad_token_id=words.id(PAD),
    )
    config = LlavaNextVideoConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=words.id(_IMAGE),
        video_token_index=words.id(_VIDEO),
        image_grid_pinpoints=_GRIDS,
        spatial_pool_stride=2,
        vision_feature_layer=-2,
    )
    config.architectures = ["LlavaNextVideoForConditionalGeneration"]
    return config
