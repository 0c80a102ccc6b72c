"""The code that comes with the tiny Nemotron VL: the server imports it from the model's folder to read its settings."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig
from transformers.models.nemotron_h import NemotronHConfig


class RadioConfig(PretrainedConfig):
    """The vision tower's settings."""

    model_type = "tiny_radio"


class NemotronVLConfig(PretrainedConfig):
    """The model's settings: those of the vision tower and of the text model in it."""

    model_type = "NemotronH_Nano_VL_V2"
    is_composition = True

    def __init__(
        self,
        vision_config: dict[str, Any] | PretrainedConfig | None = None,
        llm_config: dict[str, Any] | None = None,
        text_config: dict[str, Any] | PretrainedConfig | None = None,
        **fields: Any,
    ) -> None:
        """Read the parts, each given as a dict or made already."""
        text = llm_config or text_config or {}
        vision = vision_config or {}
        self.vision_config = vision if isinstance(vision, PretrainedConfig) else RadioConfig(**vision)
        self.text_config = text if isinstance(text, PretrainedConfig) else NemotronHConfig(**text)
        super().__init__(**fields)

    def get_text_config(self, *_: object, **__: object) -> PretrainedConfig:
        """Return the text model's settings."""
        return self.text_config
