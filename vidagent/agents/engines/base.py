"""Base of the engines in this process: messages into prompts, completions into messages, one thread at a time."""

# ruff: noqa: ANN401  (the signatures of LangChain's hooks)
from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from vidagent.agents.parsing.reply_parser import UnreadableError, parse_calls, split_thought
from vidagent.agents.prompting.messages import parts_of
from vidagent.agents.server.endpoint import Endpoint
from vidagent.errors import ModelError, UsageError, VidagentError


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request in the form that an engine takes.

    Args:
        messages: In OpenAI's format; media are parts `image_url`, `video_url`, and `video` with `(frames, metadata)`.
        tools: Schemas of the tools on offer, for the chat template.
    """

    messages: Sequence[dict[str, Any]]
    tools: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine generated.

    Args:
        text: The text, with the marks of thoughts and calls.
        prompt_tokens: Tokens of the prompt, media included.
        completion_tokens: Tokens generated.
        finish_reason: `stop` or `length`.
        stop_reason: The stop text that ended it, if any.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one call.

    Args:
        sampling: `temperature`, `max_tokens`, `stop` and the like.
        body: Further fields of a server's request, such as `response_format`.
        left: Set when the caller no longer waits for the reply.
    """

    sampling: Mapping[str, Any]
    body: Mapping[str, Any] = field(default_factory=dict)
    left: threading.Event = field(default_factory=threading.Event)

    @property
    def template(self) -> dict[str, Any]:
        """Arguments of the chat template: thinking on or off, and whether the last message is continued."""
        names = ("add_generation_prompt", "continue_final_message")
        marks = {name: self.body[name] for name in names if name in self.body}
        return {"add_generation_prompt": True, **marks, **self.body.get("chat_template_kwargs", {})}

    @property
    def frames(self) -> Mapping[str, Any]:
        """How to read the frames of videos: `frames_indices` and `fps` of listed ones, or how to sample a file."""
        sampling: Mapping[str, Any] = self.body.get("media_io_kwargs", {}).get("video", {})
        return sampling


class ChatEngine(BaseChatModel):
    """A chat model in this process; `answer_all` takes many prompts at once."""

    model_name: str
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @abstractmethod
    def _complete(self, prompts: Sequence[Prompt], options: Options) -> list[Completion]:
        """Generate for all prompts together."""

    @abstractmethod
    def _tokenizer(self) -> Any:
        """Return the model's tokenizer."""

    @abstractmethod
    def _load(self) -> Any:
        """Load the model, once."""

    def ready(self) -> None:
        """Load the model unless it is loaded; otherwise the first question loads it, on its own time.

        Raises:
            UsageError: If a package is missing.
            ModelError: If the model cannot be found or loaded.
        """
        with self._lock:
            self._load()

    def tokens_of(self, text: str) -> list[int]:
        """Return the tokens of a text as the model reads it."""
        with self._lock:
            return list(self._tokenizer().encode(text, add_special_tokens=False))

    def text_of(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens."""
        with self._lock:
            return str(self._tokenizer().decode(list(tokens)))

    def answer_all(self, prompts: Sequence[Sequence[BaseMessage]], **options: Any) -> list[AIMessage]:
        """Answer many prompts in one batch, in their order.

        Raises:
            ModelError: If the model cannot be loaded or fails.
            UsageError: If a package is missing, or an option is not one of the engine's.
        """
        tools = [dict(tool) for tool in options.pop("tools", None) or ()]
        body = options.pop("extra_body", None) or {}
        options.pop("tool_choice", None)  # an engine forces no call; a schema constrains the reply
        left = options.pop("left", None) or threading.Event()
        sampling = {key: value for key, value in options.items() if value is not None}
        requests = [Prompt(_openai_messages(messages), tools) for messages in prompts]
        try:
            with self._lock:
                completions = self._complete(requests, Options(sampling, body, left))
                return [_message(completion, tools) for completion in completions]
        except VidagentError:
            raise
        except Exception as error:  # whatever the library raises becomes one clear line
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"model {self.model_name!r} failed: {type(error).__name__}: {reason}") from error

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools through the chat template."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        [message] = self.answer_all([messages], stop=stop, **kwargs)
        info = dict(message.response_metadata)
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        kwargs.pop("run_manager", None)
        stop = kwargs.pop("stop", args[0] if args else None)
        left = threading.Event()
        try:
            return await asyncio.to_thread(self._generate, messages, stop, None, left=left, **kwargs)
        except asyncio.CancelledError:
            left.set()
            raise


class EngineCounter(Endpoint):
    """Counts and cuts texts as `Endpoint` does, with an engine's tokenizer.

    Args:
        chat: The engine.
    """

    def __init__(self, chat: ChatEngine) -> None:
        """Wrap an engine; nothing is loaded yet."""
        super().__init__("engine://", model=chat.model_name)
        self._chat = chat

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> object:
        fields = body or {}
        if path == "/tokenize" and "prompt" in fields:
            tokens = await asyncio.to_thread(self._chat.tokens_of, fields["prompt"])
            return {"tokens": tokens, "count": len(tokens)}
        if path == "/detokenize":
            return {"prompt": await asyncio.to_thread(self._chat.text_of, fields["tokens"])}
        return None


def require(module: str, package: str) -> None:
    """Check that a package is installed, before anything is loaded.

    Raises:
        UsageError: If it is missing.
    """
    if find_spec(module) is None:
        raise UsageError(f"this needs the package {module}: pip install '{package}'")


def check_sampling(options: Mapping[str, Any], legal: Sequence[str]) -> dict[str, Any]:
    """Return the sampling options.

    Raises:
        UsageError: If one is unknown.
    """
    if unknown := sorted(set(options) - set(legal)):
        raise UsageError(f"no option {unknown[0]!r} in this engine; there are {', '.join(sorted(legal))}")
    return dict(options)


def _openai_messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Convert messages to OpenAI's format; their parts have it already."""
    converted = []
    for message in messages:
        [plain] = convert_to_openai_messages([message.model_copy(update={"content": message.text})])
        plain["content"] = message.text if isinstance(message.content, str) else parts_of(message)
        converted.append(plain)
    return converted


def _message(completion: Completion, tools: Sequence[Mapping[str, Any]]) -> AIMessage:
    thought, text = split_thought(completion.text)
    message = AIMessage(
        text,
        additional_kwargs={"reasoning_content": thought} if thought else {},
        response_metadata={"finish_reason": completion.finish_reason, "stop_reason": completion.stop_reason},
        usage_metadata=UsageMetadata(
            input_tokens=completion.prompt_tokens,
            output_tokens=completion.completion_tokens,
            total_tokens=completion.prompt_tokens + completion.completion_tokens,
        ),
    )
    if tools:
        try:
            message.tool_calls = parse_calls(message, [tool["function"]["name"] for tool in tools])
        except UnreadableError:  # a reply in words, which the caller reads
            return message
    return message
