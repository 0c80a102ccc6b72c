"""A model in the shape of Nemotron Nano VL V2: a RADIO-like vision tower over a hybrid of Mamba and attention.

Only what describes it is written; the server draws its weights (`--load-format dummy`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.live.models import shape
from tests.live.models.words import Words, write_json

_CODE = "nemotron_configuration"
_KIND = "NemotronH_Nano_VL_V2"
_SPECIAL = (
    "<image>",
    "<img>",
    "</img>",
    "<video>",
    "<so_start>",
    "<so_end>",
    "<so_embedding>",
    "<SPECIAL_10>",
    "<SPECIAL_11>",
    "<SPECIAL_12>",
)
_LAYERS = {"M": "mamba", "*": "attention", "-": "mlp"}
_PATTERN = "M-*-"


def make(folder: Path) -> None:
    """Write the model's description, the code that reads it, and its tokenizer."""
    words = Words(_SPECIAL, image="<image>", video="<video>")
    words.save(folder)
    shutil.copy(Path(__file__).with_name(f"{_CODE}.py"), folder)
    vision = {
        "args": {"model": "vit_small_patch16_224"},
        "patch_size": 16,
        "preferred_resolution": [128, 128],
    }
    config = {
        "architectures": [_KIND],
        "model_type": _KIND,
        "auto_map": {"AutoConfig": f"{_CODE}.NemotronVLConfig"},
        "llm_config": _text(words),
        "vision_config": vision,
        "force_image_size": 128,
        "patch_size": 16,
        "downsample_ratio": 0.5,
        "template": "",
        "ps_version": "v2",
        "image_tag_type": "internvl",
        "use_thumbnail": True,
        "norm_mean": [0.5] * 3,
        "norm_std": [0.5] * 3,
        "vit_hidden_size": 384,
        "projector_hidden_size": 128,
        "dtype": "bfloat16",
        **shape.ends(words),
    }
    write_json(folder / "config.json", config)
    shape.write_generation(folder, words)


def _text(words: Words) -> dict[str, object]:
    return {
        **shape.text(words),
        "model_type": "nemotron_h",
        "architectures": ["NemotronHForCausalLM"],
        "hybrid_override_pattern": _PATTERN,
        "num_hidden_layers": len(_PATTERN),
        "layers_block_type": [_LAYERS[layer] for layer in _PATTERN],
        "mlp_hidden_act": "relu2",
        "ssm_state_size": 16,
        "mamba_num_heads": 4,
        "mamba_head_dim": 32,
        "n_groups": 1,
        "conv_kernel": 4,
        "expand": 2,
        "chunk_size": 128,
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-5,
        "layer_norm_epsilon": 1e-5,
        "dtype": "bfloat16",
    }
