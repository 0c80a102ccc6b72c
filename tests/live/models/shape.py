"""What the tiny models share: their sizes, the numbers of their marks, and the files beside their weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.live.models.words import END, MOST_POSITIONS, PAD, Words, write_json

WIDTH, FORWARD, LAYERS, HEADS = 64, 128, 2, 2
LAYER = {"hidden_size": WIDTH, "intermediate_size": FORWARD, "num_attention_heads": HEADS}
"""A layer of a text model or of a vision tower."""

_TOWER = {"depth": LAYERS, "hidden_size": WIDTH, "intermediate_size": FORWARD, "num_heads": HEADS}
_MERGED = 2
"""A token is so many patches wide and high."""

_IMAGE_TOKENS, _VIDEO_TOKENS = (4, 256), (4, 4096)
"""Fewest and most of a picture, and of a whole video."""


def ends(words: Words) -> dict[str, int]:
    """Return the numbers of the marks at which texts begin, end and are filled up."""
    return {"bos_token_id": words.id(PAD), "eos_token_id": words.id(END), "pad_token_id": words.id(PAD)}


def text(words: Words) -> dict[str, object]:
    """Describe the text model."""
    return {
        **LAYER,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": 1,
        "head_dim": WIDTH // HEADS,
        "max_position_embeddings": MOST_POSITIONS,
        "vocab_size": words.size,
        **ends(words),
    }


def tower(patch_size: int) -> dict[str, object]:
    """Describe the vision tower of Qwen's and GLM's models."""
    return {**_TOWER, "out_hidden_size": WIDTH, "patch_size": patch_size}


def numbers(words: Words, marks: Mapping[str, str]) -> dict[str, int]:
    """Return the number of each mark under the name that a model's description has for it: `<name>_token_id`."""
    return {f"{name}_token_id": words.id(mark) for name, mark in marks.items()}


def write_processors(
    folder: Path, patch_size: int, image: Mapping[str, object], video: Mapping[str, object]
) -> None:
    """Write how the models with that tower make pictures and videos ready.

    Args:
        folder: The model's folder.
        patch_size: Side of a patch, in pixels.
        image: Settings of pictures alone.
        video: Settings of videos alone.
    """
    both = {
        "patch_size": patch_size,
        "temporal_patch_size": 2,
        "merge_size": _MERGED,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    pixels = (_MERGED * patch_size) ** 2
    write_json(folder / "preprocessor_config.json", {**both, "size": _size(_IMAGE_TOKENS, pixels), **image})
    write_json(
        folder / "video_preprocessor_config.json",
        {**both, "size": _size(_VIDEO_TOKENS, pixels), "do_sample_frames": True, "fps": 2, **video},
    )


def _size(tokens: tuple[int, int], pixels: int) -> dict[str, int]:
    """Say in pixels how few and how many tokens may be taken."""
    fewest, most = tokens
    return {"shortest_edge": fewest * pixels, "longest_edge": most * pixels}


def write_generation(folder: Path, words: Words) -> None:
    """Write how the model samples: anything, until the end of its turn."""
    last = [words.id(END), words.id(PAD)]
    generation = {"eos_token_id": last, "pad_token_id": words.id(PAD), "temperature": 1.0, "do_sample": True}
    write_json(folder / "generation_config.json", generation)
