"""A model in the shape of LLaVA-NeXT-Video, tiny or of its size: images, and videos whose frames have no times.

Only what describes it is written; the server draws its weights (`--load-format dummy`), as it does not find
those that transformers writes today under the names it expects.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextVideoConfig

from tests.live.models import shape
from tests.live.models.words import MOST_POSITIONS, Words, write_json

_IMAGE, _VIDEO = "<image>", "<video>"


@dataclass(frozen=True)
class Size:
    """How large it is.

    Args:
        side: Of a picture, in pixels.
        vision: Of the part that reads pictures: width, width between, layers, heads.
        text: Of the language model, likewise.
    """

    side: int
    vision: tuple[int, int, int, int]
    text: tuple[int, int, int, int]

    @property
    def grids(self) -> list[list[int]]:
        """How a large picture may be cut up."""
        return [[self.side, 2 * self.side], [2 * self.side, self.side], [2 * self.side, 2 * self.side]]


TINY = Size(224, (64, 128, 3, 2), (64, 128, 2, 2))
FULL = Size(336, (1024, 4096, 24, 16), (4096, 11008, 32, 32))
"""As llava-hf/LLaVA-NeXT-Video-7B-hf: CLIP ViT-L/14 at 336 pixels, and Vicuna 7B."""


def make(folder: Path, size: Size = TINY) -> None:
    """Write the model, its tokenizer and its processors."""
    words = Words((_IMAGE, _VIDEO), image=f"{_IMAGE}\n", video=f"{_VIDEO}\n")
    marks = {"image_token": _IMAGE, "video_token": _VIDEO}
    words.save(folder, **marks, extra_special_tokens=marks)
    _write_processors(folder, marks, size)
    _config(words, size).save_pretrained(folder)
    shape.write_generation(folder, words)


def _write_processors(folder: Path, marks: dict[str, str], size: Size) -> None:
    common: dict[str, Any] = {
        "crop_size": {"height": size.side, "width": size.side},
        "size": {"shortest_edge": size.side},
        "resample": 3,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "do_convert_rgb": True,
        "processor_class": "LlavaNextVideoProcessor",
    }
    image = {"image_processor_type": "LlavaNextImageProcessor", "image_grid_pinpoints": size.grids}
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


def _config(words: Words, size: Size) -> LlavaNextVideoConfig:
    vision = CLIPVisionConfig(
        **_widths(size.vision), image_size=size.side, patch_size=14, projection_dim=size.vision[0]
    )
    text = LlamaConfig(
        **_widths(size.text),
        vocab_size=words.size,
        num_key_value_heads=size.text[3],
        head_dim=size.text[0] // size.text[3],
        max_position_embeddings=MOST_POSITIONS,
        **shape.ends(words),
    )
    config = LlavaNextVideoConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=words.id(_IMAGE),
        video_token_index=words.id(_VIDEO),
        image_grid_pinpoints=size.grids,
        spatial_pool_stride=2,
        vision_feature_layer=-2,
    )
    config.architectures = ["LlavaNextVideoForConditionalGeneration"]
    return config


def _widths(numbers: tuple[int, int, int, int]) -> dict[str, int]:
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    return dict(zip(names, numbers, strict=True))
