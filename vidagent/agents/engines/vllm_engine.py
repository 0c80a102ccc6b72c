"""A chat model over `vllm.LLM`, without a server."""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from typing import Any

from pydantic import Field, PrivateAttr

from vidagent.agents.engines.base import ChatEngine, Completion, Options, Prompt, check_sampling, require
from vidagent.agents.engines.media import is_listed, media_of, placeholders
from vidagent.errors import ModelError

_SAMPLING = ("temperature", "top_p", "max_tokens", "stop", "seed")
_BODY = ("top_k", "min_p", "repetition_penalty", "thinking_token_budget")
_MOST_TOKENS = 1024


class ChatVllm(ChatEngine):
    """Loads the model once, in `ready` or at the first question; `arguments` go to `vllm.LLM`."""

    arguments: dict[str, Any] = Field(default_factory=dict)
    _llm: Any = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "vllm"

    def _complete(self, prompts: Sequence[Prompt], options: Options) -> list[Completion]:
        llm, sampling = self._load(), _sampling(options)
        kwargs = options.body.get("mm_processor_kwargs")
        template = options.template
        if any(_needs_frames_here(prompt, options) for prompt in prompts):
            made = [_tensors(llm, prompt, options) for prompt in prompts]
            replies = llm.generate(made, sampling, use_tqdm=False)
        else:
            marks = {
                k: template.pop(k)
                for k in ("add_generation_prompt", "continue_final_message")
                if k in template
            }
            replies = llm.chat(
                [list(prompt.messages) for prompt in prompts],
                sampling,
                use_tqdm=False,
                tools=list(prompts[0].tools) or None,
                chat_template_kwargs=template,
                mm_processor_kwargs=kwargs,
                **marks,
            )
        return [_read(reply) for reply in replies]

    def _load(self) -> Any:  # noqa: ANN401 - vllm.LLM
        """Return the engine.

        Raises:
            UsageError: If vLLM is missing.
            ModelError: If the model cannot be found or loaded.
        """
        if self._llm is None:
            require("vllm", "vidagent[vllm]")
            if self.arguments.get("quantization") == "bitsandbytes":
                require("bitsandbytes", "bitsandbytes>=0.45")
            os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # stdout is for answers only
            from vllm import LLM

            try:
                self._llm = LLM(self.model_name, **self.arguments)
            except (OSError, ValueError, RuntimeError) as error:
                reason = " ".join(str(error).split())[:300]
                raise ModelError(f"model {self.model_name!r} cannot be loaded: {reason}") from error
            # Python joins child processes at exit, and the engine's process ends only when it is shut down.
            atexit.register(self._llm.llm_engine.engine_core.shutdown)
        return self._llm

    def _tokenizer(self) -> Any:  # noqa: ANN401 - a tokenizer of transformers
        return self._load().get_tokenizer()


def _sampling(options: Options) -> Any:  # noqa: ANN401 - vllm.SamplingParams
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    given = {"max_tokens": _MOST_TOKENS, **check_sampling(options.sampling, _SAMPLING)}
    given |= {name: options.body[name] for name in _BODY if name in options.body}
    if shape := options.body.get("response_format", {}).get("json_schema"):
        given["structured_outputs"] = StructuredOutputsParams(json=shape["schema"])
    if choice := options.body.get("structured_outputs"):
        given["structured_outputs"] = StructuredOutputsParams(**choice)
    return SamplingParams(**given)


def _needs_frames_here(prompt: Prompt, options: Options) -> bool:
    """Tell whether a prompt has a video with chosen frames; `LLM.chat` samples every video as it was configured to."""
    parts = (
        part
        for message in prompt.messages
        if isinstance(message["content"], list)
        for part in message["content"]
    )
    return any(
        part["type"] == "video"
        or (part["type"] == "video_url" and _frames_chosen(part["video_url"]["url"], options))
        for part in parts
    )


def _frames_chosen(url: str, options: Options) -> bool:
    return is_listed(url) or (url.startswith("file:") and bool(options.frames))


def _tensors(llm: Any, prompt: Prompt, options: Options) -> dict[str, Any]:  # noqa: ANN401 - a library that is an extra
    """Build a prompt with frames chosen here, as arrays with their metadata."""
    images, videos = media_of(prompt.messages, options.frames)
    text = llm.get_tokenizer().apply_chat_template(
        placeholders(prompt.messages), tools=list(prompt.tools) or None, tokenize=False, **options.template
    )
    media = {"image": images, "video": videos}
    kwargs = options.body.get("mm_processor_kwargs")
    given = {name: items for name, items in media.items() if items}
    return {"prompt": text, "multi_modal_data": given, **({"mm_processor_kwargs": kwargs} if kwargs else {})}


def _read(reply: Any) -> Completion:  # noqa: ANN401 - vllm.RequestOutput
    [made] = reply.outputs
    stop = made.stop_reason if isinstance(made.stop_reason, str) else None
    finish = "length" if made.finish_reason == "length" else "stop"
    return Completion(made.text, len(reply.prompt_token_ids), len(made.token_ids), finish, stop)
