"""The model of a batch: connected once, shared by all questions, on one server or on several.

Of several servers, the least loaded is asked first, and one that fails is left alone for a while.
"""

# ruff: noqa: ANN401  (the signatures of LangChain's hooks)
from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from vidagent.agents.client import chat_model
from vidagent.agents.client.client import ModelClient
from vidagent.agents.direct.vlm import VLM
from vidagent.agents.recording.request_key import ChatProxy
from vidagent.agents.server import model_choice
from vidagent.agents.server.connection import ServerError, public_url
from vidagent.config import Settings
from vidagent.errors import ModelError
from vidagent.serve.batch.setup import Setup

_FIRST_REST_S = 1.0
_LONGEST_REST_S = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchModel:
    """One model, for the agent and for direct questions.

    Args:
        client: Client of the agent.
        vlm: Client of direct questions; None for the embedded model.
        description: Its name and address, in a line.
    """

    client: ModelClient
    vlm: VLM | None
    description: str


def connect(setup: Setup) -> BatchModel:
    """Find the model that the setup leads to.

    Raises:
        ModelError: If no server can be reached where one is needed to know the model, or none serves one.
        UsageError: If the settings name a profile that is not there.
    """
    settings = setup.settings
    urls = list(setup.base_urls) or ([settings.base_url] if settings.base_url else [])
    urls_named = bool(urls)
    if not urls:
        chosen = model_choice.choose(settings)
        if chosen.where is None:
            return BatchModel(chosen, None, model_choice.describe(chosen))
        urls, name = [chosen.where], chosen.name
    else:
        name = settings.model or _first_model(urls, settings)
    key = settings.api_key.get_secret_value() if settings.api_key and urls_named else None
    balanced = BalancedChat.over([chat_model.connect(url, name, api_key=key) for url in urls], setup.calls)
    served = model_choice.named_model(urls[0], name, settings)
    profile = model_choice.profile_for(name, settings, urls[0], served.owner)
    others = f" and {len(urls) - 1} more" if len(urls) > 1 else ""
    memory = model_choice.memory_of(urls[0], served, settings)
    client = ModelClient(balanced, profile, memory=memory)
    description = model_choice.describe(client).replace(" (profile", f"{others} (profile")
    return BatchModel(client, VLM(balanced, profile, concurrency=setup.concurrency), description)


def _first_model(urls: list[str], settings: Settings) -> str:
    """Return the first model of the first server that answers."""
    first_error: ModelError | None = None
    for url in urls:
        try:
            return model_choice.first_model(url, settings)
        except ModelError as error:
            first_error = first_error or error
    raise first_error or ModelError("no server was named")


@dataclass
class _Server:
    """One server, and how it does.

    Args:
        chat: Its chat model.
        calls: Requests it is answering.
        failures: How often it failed since it last replied.
        rests_until_s: `time.monotonic` up to which it is left alone.
    """

    chat: BaseChatModel
    calls: int = 0
    failures: int = 0
    rests_until_s: float = 0.0

    @property
    def where(self) -> str:
        """Its address, for people."""
        return public_url(str(getattr(self.chat, "openai_api_base", None) or "this process"))

    def failed(self, error: ServerError) -> None:
        """Leave it alone for a while, twice as long each time."""
        self.failures += 1
        rest_s = max(error.wait_s, min(_FIRST_REST_S * 2 ** (self.failures - 1), _LONGEST_REST_S))
        self.rests_until_s = time.monotonic() + rest_s
        _log.warning("%s; it is left alone for %g s", error, rest_s)


class BalancedChat(ChatProxy):
    """Puts each request to one of several chat models, with a limit on how many are under way.

    A request that a server fails, or has no room for, goes to the others before the error shows; so does every
    other one until the server has rested. A request that a server rejects as invalid is not tried elsewhere.

    Args:
        chats: One for each server; all serve the same model.
        most_calls: Most requests under way, over all servers.
    """

    chats: list[BaseChatModel]
    most_calls: int
    _servers: list[_Server] = PrivateAttr(default_factory=list)
    _slots: asyncio.Semaphore = PrivateAttr()

    @classmethod
    def over(cls, chats: Sequence[BaseChatModel], most_calls: int) -> BalancedChat:
        """Stand for chat models of one name, under the address of the first."""
        first = chats[0]
        return cls(
            chats=list(chats),
            most_calls=most_calls,
            model_name=str(getattr(first, "model_name", "")),
            openai_api_base=getattr(first, "openai_api_base", None),
        )

    @property
    def openai_api_key(self) -> Any:
        """The key of the first server, whose tokenizer is asked."""
        return getattr(self.chats[0], "openai_api_key", None)

    def model_post_init(self, context: Any, /) -> None:
        """Start with all servers at rest."""
        super().model_post_init(context)
        self._servers = [_Server(chat) for chat in self.chats]
        self._slots = asyncio.Semaphore(self.most_calls)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        tried: list[_Server] = []
        async with self._slots:
            while True:
                server = self._next(tried)
                tried.append(server)
                try:
                    async with _counted(server):
                        chat, options = _bound(server.chat, stop, kwargs)
                        reply = await chat.ainvoke(messages, **options)
                except ServerError as error:
                    if not _is_servers(error):
                        raise
                    if len(self._servers) > 1:
                        server.failed(error)
                    if len(tried) == len(self._servers):
                        raise
                else:
                    server.failures = 0
                    return ChatResult(generations=[ChatGeneration(message=reply)])

    def _next(self, tried: Sequence[_Server]) -> _Server:
        """Return the server to ask: one that rests only if all others were tried."""
        now_s = time.monotonic()
        left = [server for server in self._servers if server not in tried]
        return min(left, key=lambda one: (max(0.0, one.rests_until_s - now_s), one.calls))


@asynccontextmanager
async def _counted(server: _Server) -> AsyncIterator[None]:
    server.calls += 1
    try:
        yield
    finally:
        server.calls -= 1


def _is_servers(error: ServerError) -> bool:
    """Tell whether another server may do better: this one is away, or failed, and not for the request's sake."""
    return error.retried or error.status is None or error.status in {401, 403}


def _bound(chat: Any, stop: list[str] | None, kwargs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    options = {key: value for key, value in kwargs.items() if key not in {"offered", "binding"}}
    if stop is not None:
        options["stop"] = stop
    return (chat.bind_tools(kwargs["offered"], **kwargs["binding"]) if "offered" in kwargs else chat), options
