"""A model for llama.cpp in two GGUF files with random weights: a text model in LLaMA's shape, and a vision tower.

Files as llama.cpp's own converter writes them (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md); the vision
tower is in Gemma 3's shape, which takes every picture at one size: 16 tokens each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType
from numpy.typing import NDArray

from tests.live.models.shape import FORWARD, HEADS, LAYERS, WIDTH
from tests.live.models.words import END, MOST_POSITIONS, PAD, Words

TEXT, VISION = "text.gguf", "vision.gguf"
_SIDE, _PATCH = 128, 8


class _Weights:
    """Random tensors written to a file, by name and shape; norms are ones."""

    def __init__(self, writer: GGUFWriter) -> None:
        self._writer, self._random = writer, np.random.default_rng(0)

    def add(self, name: str, *shape: int, bias: int = 0) -> None:
        """Add a weight, rows first, and a bias of this length if there is one."""
        drawn: NDArray[np.float32] = self._random.normal(0, 0.05, shape).astype(np.float32)
        self._writer.add_tensor(f"{name}.weight", drawn if len(shape) > 1 else np.ones(shape, np.float32))
        if bias:
            self._writer.add_tensor(f"{name}.bias", np.zeros(bias, np.float32))


def make(folder: Path) -> None:
    """Write both files."""
    words = Words(thinks=True)
    _write_text(folder / TEXT, words)
    _write_vision(folder / VISION)


def _write_text(path: Path, words: Words) -> None:
    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(MOST_POSITIONS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    _write_words(writer, words)
    weights = _Weights(writer)
    weights.add("token_embd", words.size, WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        weights.add(f"{block}.attn_norm", WIDTH)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights.add(f"{block}.{part}", WIDTH, WIDTH)
        weights.add(f"{block}.ffn_norm", WIDTH)
        weights.add(f"{block}.ffn_gate", FORWARD, WIDTH)
        weights.add(f"{block}.ffn_up", FORWARD, WIDTH)
        weights.add(f"{block}.ffn_down", WIDTH, FORWARD)
    weights.add("output_norm", WIDTH)
    weights.add("output", words.size, WIDTH)
    _close(writer)


def _write_words(writer: GGUFWriter, words: Words) -> None:
    vocabulary, merges = words.pieces()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    filler = [f"<|unused_{number}|>" for number in range(words.size - len(tokens))]
    kinds = [TokenType.CONTROL if token in words.marks else TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*tokens, *filler])
    writer.add_token_types([*kinds, *[TokenType.UNUSED] * len(filler)])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(words.id(END))
    writer.add_pad_token_id(words.id(PAD))
    writer.add_add_bos_token(False)
    writer.add_chat_template(words.template)


def _write_vision(path: Path) -> None:
    writer = GGUFWriter(path, "clip")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("gemma3")
    writer.add_vision_image_size(_SIDE)
    writer.add_vision_patch_size(_PATCH)
    writer.add_vision_embedding_length(WIDTH)
    writer.add_vision_feed_forward_length(FORWARD)
    writer.add_vision_block_count(LAYERS)
    writer.add_vision_head_count(HEADS)
    writer.add_vision_projection_dim(WIDTH)
    writer.add_vision_attention_layernorm_eps(1e-6)
    writer.add_vision_image_mean([0.5] * 3)
    writer.add_vision_image_std([0.5] * 3)
    writer.add_vision_use_gelu(True)
    weights = _Weights(writer)
    weights.add("v.patch_embd", WIDTH, 3, _PATCH, _PATCH, bias=WIDTH)
    weights.add("v.position_embd", (_SIDE // _PATCH) ** 2, WIDTH)
    for layer in range(LAYERS):
        block = f"v.blk.{layer}"
        for norm in ("ln1", "ln2"):
            weights.add(f"{block}.{norm}", WIDTH, bias=WIDTH)
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            weights.add(f"{block}.{part}", WIDTH, WIDTH, bias=WIDTH)
        weights.add(f"{block}.ffn_up", FORWARD, WIDTH, bias=FORWARD)
        weights.add(f"{block}.ffn_down", WIDTH, FORWARD, bias=WIDTH)
    weights.add("v.post_ln", WIDTH, bias=WIDTH)
    weights.add("mm.input_projection", WIDTH, WIDTH)
    weights.add("mm.soft_emb_norm", WIDTH)
    _close(writer)


def _close(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
