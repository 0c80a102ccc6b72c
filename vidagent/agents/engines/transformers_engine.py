"""A chat model over transformers' image-text-to-text models, such as LLaVA-NeXT-Video."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from pydantic import PrivateAttr

from vidagent.agents.engines.base import ChatEngine, Completion, Options, Prompt, check_sampling, require
from vidagent.agents.engines.media import media_of, placeholders
from vidagent.config import Attention, Dtype
from vidagent.errors import ModelError, UsageError

_SAMPLING = ("temperature", "top_p", "max_tokens", "stop", "seed")
_MOST_TOKENS = 512
_FLASH = "flash_attention_2"


class ChatTransformers(ChatEngine):
    """Loads the model once, in `ready` or at the first question."""

    device: str = "auto"
    dtype: Dtype | Literal["auto"] = "auto"
    four_bit: bool = False
    attention: Attention | None = None
    _loaded: tuple[Any, Any] | None = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "transformers"

    def _complete(self, prompts: Sequence[Prompt], options: Options) -> list[Completion]:
        sampling = check_sampling(options.sampling, _SAMPLING)
        model, processor = self._load()
        import torch

        try:
            inputs = _inputs(processor, prompts, options).to(model.device, model.dtype)
        except ValueError:  # some processors, LLaVA's for one, take videos of as many frames together only
            if len(prompts) == 1:
                raise
            return [one for prompt in prompts for one in self._complete([prompt], options)]
        if sampling.get("seed") is not None:
            torch.manual_seed(sampling["seed"])
        most = sampling.get("max_tokens", _MOST_TOKENS)
        given: dict[str, Any] = {"max_new_tokens": most, **_generation(sampling)}
        given["stopping_criteria"] = [_stop_when_set(options.left)]
        stops = [sampling["stop"]] if isinstance(sampling.get("stop"), str) else sampling.get("stop")
        if stops:
            given |= {"stop_strings": stops, "tokenizer": processor.tokenizer}
        with torch.inference_mode():
            made = model.generate(**inputs, **given)
        width = inputs["input_ids"].shape[1]
        rows = zip(made[:, width:], inputs["attention_mask"], strict=True)
        ends = _end_tokens(model, processor.tokenizer)
        return [_read(processor.tokenizer, row, int(mask.sum()), ends, stops or ()) for row, mask in rows]

    def _tokenizer(self) -> Any:  # noqa: ANN401 - a tokenizer of transformers
        return self._load()[1].tokenizer

    def _load(self) -> tuple[Any, Any]:
        """Return model and processor.

        Raises:
            UsageError: If a package or a GPU is missing.
            ModelError: If the model cannot be found or loaded.
        """
        if self._loaded is None:
            self._require_packages()
            import torch
            from transformers import AutoModelForImageTextToText, AutoProcessor

            device = self.device
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            self._require_gpu(device)
            options = self._options()
            try:
                processor = AutoProcessor.from_pretrained(self.model_name, padding_side="left")
                model = AutoModelForImageTextToText.from_pretrained(self.model_name, **options)
                if not self.four_bit:  # a quantized model is on the GPU already
                    model = model.to(device)
            except (OSError, ValueError, RuntimeError) as error:  # RuntimeError also for too little memory
                reason = " ".join(str(error).split())[:300]
                raise ModelError(f"model {self.model_name!r} cannot be loaded: {reason}") from error
            self._loaded = model.eval(), processor
        return self._loaded

    def _options(self) -> dict[str, Any]:
        """Return the arguments that load the model."""
        import torch
        from transformers import BitsAndBytesConfig

        options: dict[str, Any] = {"dtype": self.dtype}
        if self.four_bit:
            compute = (
                torch.float16 if self.dtype == "float16" else torch.bfloat16
            )  # the default, float32, is slower
            options["quantization_config"] = BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute
            )
        if self.attention is not None:
            options["attn_implementation"] = self.attention
        return options

    def _require_packages(self) -> None:
        packages = [("torch", "vidagent[transformers]"), ("transformers", "vidagent[transformers]")]
        packages += [("bitsandbytes", "vidagent[quantized]")] * self.four_bit
        packages += [("flash_attn", "flash-attn")] * (self.attention == _FLASH)
        for module, package in packages:
            require(module, package)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # it warns when a decoder process is forked

    def _require_gpu(self, device: str) -> None:
        what = "4-bit weights" if self.four_bit else _FLASH if self.attention == _FLASH else None
        if what is not None and not device.startswith("cuda"):
            raise UsageError(f"{what}: this needs a GPU with CUDA, and the model would run on {device}")


def _inputs(processor: Any, prompts: Sequence[Prompt], options: Options) -> Any:  # noqa: ANN401 - a library that is an extra
    texts, images, videos, metadata = [], [], [], []
    for prompt in prompts:
        pictures, films = media_of(prompt.messages, options.frames)
        tools = {"tools": list(prompt.tools)} if prompt.tools else {}
        texts.append(
            processor.apply_chat_template(placeholders(prompt.messages), **tools, **options.template)
        )
        images += pictures
        videos += [frames for frames, _ in films]
        metadata += [{k: v for k, v in about.items() if k != "do_sample_frames"} for _, about in films]
    given: dict[str, Any] = {"images": images} if images else {}
    if videos:
        given |= {"videos": videos, "video_metadata": metadata, "do_sample_frames": False}
    return processor(text=texts, padding=True, return_tensors="pt", **given)


def _stop_when_set(left: threading.Event) -> Callable[[Any, Any], Any]:
    """Return a criterion that stops generating all rows once the caller no longer waits for them."""
    return lambda ids, _: ids.new_full(ids.shape[:1], left.is_set()).bool()


def _generation(sampling: Mapping[str, Any]) -> dict[str, Any]:
    if "temperature" not in sampling:
        return {}  # the model's own settings
    if sampling["temperature"] == 0:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    return {"do_sample": True, **{key: sampling[key] for key in ("temperature", "top_p") if key in sampling}}


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:  # noqa: ANN401 - a library that is an extra
    """Return the tokens that end a reply; a model may have several."""
    ends = model.generation_config.eos_token_id
    if ends is None:
        ends = tokenizer.eos_token_id
    return frozenset(ends if isinstance(ends, list) else [ends])


def _read(
    tokenizer: Any,  # noqa: ANN401 - a library that is an extra
    row: Any,  # noqa: ANN401 - a library that is an extra
    prompt_tokens: int,
    ends: Collection[int],
    stops: Sequence[str],
) -> Completion:
    """Decode one row up to its end, without the padding of the batch and the stop text."""
    tokens = row.tolist()
    end = next((place for place, token in enumerate(tokens) if token in ends), None)
    reply = tokens if end is None else tokens[:end]
    while reply and reply[-1] == tokenizer.pad_token_id:  # a batch is padded after a stop text, too
        reply.pop()
    text = tokenizer.decode(reply, skip_special_tokens=True)
    stop = next((mark for mark in stops if mark in text), None)
    if stop is not None:
        return Completion(text[: text.index(stop)], prompt_tokens, len(reply), "stop", stop)
    if end is None:
        return Completion(text, prompt_tokens, len(reply), "length")
    return Completion(text, prompt_tokens, len(reply) + 1, "stop")
