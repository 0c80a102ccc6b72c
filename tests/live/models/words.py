"""A tokenizer and a chat template in Qwen's manner, made on the spot from texts that every Python has."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

MOST_POSITIONS = 32768
END, PAD = "<|im_end|>", "<|endoftext|>"
SPECIAL = (PAD, "<|im_start|>", END, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
SPOKEN = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
"""Marks that stay in the text: the server's parsers look for them there."""

_VOCABULARY = 2048
_TEXTS = 60
_CALL = '{"name": "clip", "arguments": {"start_s": 1.5, "end_s": 3.0, "question": "What happens?"}}'
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_ASKED_TO_THINK = "{%- elif enable_thinking is defined and enable_thinking is true -%}"
_IMAGE, _VIDEO = (f"<|vision_start|><|{kind}_pad|><|vision_end|>" for kind in ("image", "video"))


class Words:
    """A tokenizer with its chat template.

    Args:
        special: Marks of the model's own, beside Qwen's.
        image: What stands for an image in a prompt.
        video: What stands for a video.
        spoken: Marks of the model's own that stay in the text.
        thinks: Whether the template begins a thought unless it is told not to.

    Attributes:
        template: The chat template.
    """

    def __init__(
        self,
        special: Sequence[str] = (),
        image: str = _IMAGE,
        video: str = _VIDEO,
        spoken: Sequence[str] = (),
        *,
        thinks: bool = False,
    ) -> None:
        """Train the tokenizer: byte pairs, each digit a token of its own."""
        self.special = (*SPECIAL, *special)
        self._spoken = (*SPOKEN, *spoken)
        self._tokenizer = _trained(self.special, self._spoken)
        template = Path(__file__).with_name("chat_template.jinja").read_text()
        self.template = template.replace(_IMAGE, image).replace(_VIDEO, video)
        if thinks:
            self.template = self.template.replace(_ASKED_TO_THINK, "{%- else -%}")

    @property
    def size(self) -> int:
        """Tokens in the vocabulary, rounded up to 64s as models have it."""
        return -(-self._tokenizer.get_vocab_size() // 64) * 64

    def id(self, token: str) -> int:
        """Return the number of a token."""
        return int(self._tokenizer.token_to_id(token))

    def save(self, folder: Path, kind: str = "PreTrainedTokenizerFast", **fields: object) -> None:
        """Write the tokenizer of some class, its settings and the template."""
        self._tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "chat_template.jinja").write_text(self.template)
        settings = {
            "tokenizer_class": kind,
            "model_max_length": MOST_POSITIONS,
            "eos_token": END,
            "pad_token": PAD,
            "clean_up_tokenization_spaces": False,
            "chat_template": self.template,
        }
        write_json(folder / "tokenizer_config.json", {**settings, **fields})

    @property
    def marks(self) -> tuple[str, ...]:
        """The tokens that are no pieces of text."""
        return (*self.special, *self._spoken)

    def added(self) -> dict[str, dict[str, object]]:
        """Describe the added tokens as Qwen's tokenizer wants them."""
        form = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
        return {
            str(self.id(mark)): {"content": mark, **form, "special": mark not in self._spoken}
            for mark in self.marks
        }

    def pieces(self) -> tuple[dict[str, int], list[str]]:
        """Return the vocabulary, its marks included, and the merges."""
        model = json.loads(self._tokenizer.to_str())["model"]
        merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
        return {**model["vocab"], **{mark: self.id(mark) for mark in self.marks}}, merges

    def save_pieces(self, folder: Path) -> None:
        """Write the vocabulary and the merges as files of their own, which Qwen's tokenizer reads."""
        vocabulary, merges = self.pieces()
        plain = {token: number for token, number in vocabulary.items() if token not in self.marks}
        write_json(folder / "vocab.json", plain)
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a file of settings."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")


def _trained(special: Sequence[str], spoken: Sequence[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY - len(special) - len(spoken),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in special])
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in spoken])
    return tokenizer


def _texts() -> Iterator[str]:
    """Yield texts to train on: Python's own library, and calls as the planner writes them."""
    library = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    for file in library[:_TEXTS]:
        yield file.read_text("utf-8", errors="ignore")
    yield from [_CALL] * 50
