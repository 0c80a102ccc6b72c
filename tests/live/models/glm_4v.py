"""A model in the shape of GLM-4.6V-Flash: it thinks unless told not to, and its video frames have times to 0.1 s.

Only what describes it is written; the server draws its weights (`--load-format dummy`).
"""

from __future__ import annotations

from pathlib import Path

from transformers import Glm4vConfig

from tests.live.models import shape
from tests.live.models.words import Words, write_json

_MARKS = {
    "image": "<|image|>",
    "video": "<|video|>",
    "image_start": "<|begin_of_image|>",
    "image_end": "<|end_of_image|>",
    "video_start": "<|begin_of_video|>",
    "video_end": "<|end_of_video|>",
}
_PATCH = 14


def make(folder: Path) -> None:
    """Write the model's description, its tokenizer and its processors."""
    shown = {kind: f"<|begin_of_{kind}|><|{kind}|><|end_of_{kind}|>" for kind in ("image", "video")}
    words = Words((*_MARKS.values(), "<|observation|>"), **shown, thinks=True)
    words.save(folder, extra_special_tokens={"image_token": "<|image|>", "video_token": "<|video|>"})
    kind = {"processor_class": "Glm46VProcessor"}
    image = {"image_processor_type": "Glm46VImageProcessor", **kind}
    video = {"video_processor_type": "Glm46VVideoProcessor", "num_frames": 16, **kind}
    shape.write_processors(folder, _PATCH, image, video)
    write_json(folder / "processor_config.json", kind)
    _config(words).save_pretrained(folder)
    shape.write_generation(folder, words)


def _config(words: Words) -> Glm4vConfig:
    text = {
        **shape.text(words),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e4,
            "partial_rotary_factor": 0.5,
            "mrope_section": [4, 2, 2],
        },
    }
    vision = {**shape.tower(_PATCH), "image_size": 336}
    config = Glm4vConfig(
        text_config=text,
        vision_config=vision,
        **shape.numbers(words, _MARKS),
        dtype="float32",
    )
    config.architectures = ["Glm4vForConditionalGeneration"]
    return config
