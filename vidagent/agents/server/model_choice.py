"""Choose the model: the requested one, else one that a server on this machine has, else the embedded `signals`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import re
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from vidagent.agents.client.client import ModelClient
from vidagent.agents.profiles import loader
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.server.connection import ServerError, public_url
from vidagent.agents.server.endpoint import Endpoint, ServedModel
from vidagent.agents.server.facts import ServerFacts
from vidagent.agents.server.inventory import Inventory, owner_of, take_inventory
from vidagent.agents.server.known_servers import ServerMemory
from vidagent.config import Settings
from vidagent.errors import ModelError, UsageError
from vidagent.video.cache.video_cache import default_folder

T = TypeVar("T")

EMBEDDED = "signals"
LOCAL_URLS = (
    "http://127.0.0.1:8000/v1",
    "http://127.0.0.1:11434/v1",
    "http://127.0.0.1:8080/v1",
    "http://127.0.0.1:1234/v1",
)
"""Where vLLM, Ollama, llama.cpp and LM Studio listen by default."""
_LOCAL_WAIT_S = 2.0
"""A port where nobody listens refuses at once; a busy machine may take a second to list its models."""
_WAIT_S = 10.0
_SEES = re.compile(
    r"vl\b|vl-|vl:|vision|omni|llava|pixtral|gpt-|gemini|claude|molmo|internvl|minicpm-v|moondream"
)
"""Parts of the names of models that take pictures, for servers that do not say which do."""
_OTHER_USE = re.compile(r"embed|rerank|whisper|tts|guard|moderation|bge-|asr")
_OWN_SERVER = "vidagent"
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Available:
    """A model that can be used.

    Args:
        model: Its name.
        where: The server's base URL, or None if it is embedded.
        profile: The profile for it.
        chosen: Whether it would answer a question.
        sees: Whether it takes pictures, as the server says or as was found out, or None if that is not known.
        calls_tools: Whether it calls tools, likewise.
        context_tokens: Longest prompt and reply together, likewise.
        server: What serves it, such as `Ollama`, or None.
    """

    model: str
    where: str | None
    profile: str
    chosen: bool
    sees: bool | None = None
    calls_tools: bool | None = None
    context_tokens: int | None = None
    server: str | None = None


def choose(settings: Settings) -> ModelClient:
    """Return the client of the model that the settings select.

    Raises:
        ModelError: If the requested server cannot be reached or serves no model, or a model is named and there is no
            server that has it.
        UsageError: If the settings name a missing profile, or an engine without a model or its packages.
    """
    if settings.engine != "server":
        return _in_process(settings)
    if settings.model == EMBEDDED:
        return _embedded(settings)
    if settings.base_url is not None and settings.model is not None:
        return _served(settings.base_url, named_model(settings.base_url, settings.model, settings), settings)
    if settings.base_url is not None:
        server = _inventory(settings.base_url, settings)
        listed = _usable(server)
        if not listed:
            raise _serves_none(settings.base_url)
        return _served(settings.base_url, listed[0], settings, server.version, listed[1:])
    found = [(server, model) for server in _local() for model in _usable(server)]
    if settings.model is not None:
        found = [(server, model) for server, model in found if model.name == settings.model]
        if not found:
            raise ModelError(
                f"model {settings.model!r} needs a server, and none that has it answers on 127.0.0.1 at "
                f"{_local_ports()}; give its base URL (--base-url or VIDAGENT_BASE_URL)"
            )
    if not found:
        return _embedded(settings)
    found.sort(key=lambda pair: _rank(pair[1]))
    (server, model), *others = found
    return _served(server.where, model, settings, server.version, [other for _, other in others])


def describe(client: ModelClient) -> str:
    """Return one line about which model answers, and why."""
    if client.where is not None:
        return f"model {client.name} at {client.where} (profile {client.profile.name}){_beside(client)}"
    if client.name != EMBEDDED:
        return f"model {client.name} in this process (profile {client.profile.name})"
    return (
        f"model {client.name}, embedded: reads text, codes, cuts, motion and colours; "
        "for other questions connect a VLM with --base-url"
    )


def available(settings: Settings) -> list[Available]:
    """List the usable models: those of the requested or detected servers, and the embedded one.

    Raises:
        ModelError: If a requested server cannot be reached.
    """
    asked = [_inventory(settings.base_url, settings)] if settings.base_url else []
    local = [server for server in _local() if all(server.where != other.where for other in asked)]
    listed = [(server, model) for server in [*asked, *local] for model in _usable(server)]
    candidates = [pair for pair in listed if not asked or pair[0] is asked[0]]
    names = [model.name for _, model in sorted(candidates, key=lambda pair: _rank(pair[1]))]
    chosen = settings.model or (names[0] if names else EMBEDDED)
    found: list[Available] = []
    for server, model in listed:
        is_chosen = model.name == chosen and all(not other.chosen for other in found)
        found.append(_listed(model, server, settings, chosen=is_chosen))
    embedded = profile_for(EMBEDDED, settings)
    return [*found, Available(EMBEDDED, None, embedded.name, chosen == EMBEDDED)]


def _listed(model: ServedModel, server: Inventory, settings: Settings, *, chosen: bool) -> Available:
    """Describe a model by what its server says; by what was found out, where it says nothing."""
    facts = memory_of(server.where, model, settings, server.version).facts
    sees, calls_tools = model.sees, model.calls_tools
    if facts.probed:
        sees = facts.images != 0 if sees is None else sees
        calls_tools = "tools" not in facts.refused if calls_tools is None else calls_tools
    return Available(
        model.name,
        server.where,
        profile_for(model.name, settings, server.where, model.owner).name,
        chosen,
        sees,
        calls_tools,
        facts.context_tokens,
        server.kind,
    )


def profile_for(
    model: str, settings: Settings, where: str | None = None, owner: str | None = None
) -> Profile:
    """Return the profile for a model, on a server if one is given.

    Raises:
        UsageError: If the settings name a missing profile.
    """
    profile = loader.load(settings.profile) if settings.profile else loader.match(model, where, owner)
    if settings.reply_seconds is None:
        return profile
    return dataclasses.replace(profile, timeout_s=settings.reply_seconds)


def first_model(url: str, settings: Settings) -> str:
    """Return the model of a server that a question would go to.

    Raises:
        ModelError: If the server cannot be reached or serves no model.
    """
    listed = _usable(_inventory(url, settings))
    if not listed:
        raise _serves_none(url)
    return listed[0].name


def local_url() -> str:
    """Return the base URL of the first server on this machine that has a model; the first place if there is none."""
    return next((server.where for server in _local() if _usable(server)), LOCAL_URLS[0])


def key_for(settings: Settings) -> str | None:
    """Return the API key: it goes to the base URL of the settings, and never to a server that was merely found."""
    return settings.api_key.get_secret_value() if settings.api_key and settings.base_url else None


def named_model(url: str, name: str, settings: Settings) -> ServedModel:
    """Return a model that is named, with what its server is known to be: its profile goes by that.

    A server that does not answer at once is left to the question, which says so.
    """
    model = ServedModel(name)
    facts = memory_of(url, model, settings).facts
    if facts.probed:
        return dataclasses.replace(model, owner=owner_of(facts.kind))
    try:
        listed = _inventory(url, settings, wait_s=_LOCAL_WAIT_S).models
    except ServerError:
        return model
    return next((other for other in listed if other.name == name), model)


def memory_of(url: str, model: ServedModel, settings: Settings, version: str | None = None) -> ServerMemory:
    """Return what is known of a model on a server; what was known of another version of the server is forgotten."""
    memory = ServerMemory.kept(settings.cache_dir or default_folder(), public_url(url), model.name)
    if version is not None and memory.facts.version not in {None, version}:
        memory.facts = ServerFacts()
    if model.context_tokens is not None:
        memory.facts = memory.facts.with_changes(context_tokens=model.context_tokens)
    return memory


def _served(
    url: str,
    model: ServedModel,
    settings: Settings,
    version: str | None = None,
    others: Sequence[ServedModel] = (),
) -> ModelClient:
    from vidagent.agents.client.chat_model import (
        connect,  # takes a second to import, which the embedded model avoids
    )

    client = ModelClient(
        connect(url, model.name, api_key=key_for(settings)),
        profile_for(model.name, settings, url, model.owner),
        memory=memory_of(url, model, settings, version),
    )
    client.others = tuple(other.name for other in others)
    return client


def _in_process(settings: Settings) -> ModelClient:
    from vidagent.agents.engines.base import EngineCounter
    from vidagent.agents.engines.loading import (
        Weights,
        engine,
        fitted,
    )  # LangChain's models, which `--help` does not need

    if settings.model is None or settings.model == EMBEDDED:
        raise UsageError(
            f"engine {settings.engine} needs a model: its folder, or its name on the hub (--model)"
        )
    if settings.base_url is not None:
        raise UsageError(f"engine {settings.engine} runs in this process: give it no base URL")
    profile = profile_for(settings.model, settings)
    chat = engine(settings.engine, settings.model, profile, Weights.of(settings))
    chat.ready()
    return ModelClient(chat, fitted(profile, settings.engine), EngineCounter(chat))


def _embedded(settings: Settings) -> ModelClient:
    from vidagent.agents.signals.model import ChatSignals  # imports the classical vision code

    return ModelClient(ChatSignals(), profile_for(EMBEDDED, settings))


def _beside(client: ModelClient) -> str:
    """Name the other models, and how to choose one."""
    if not client.others:
        return ""
    named = ", ".join(client.others[:_NAMED])
    more = f" and {len(client.others) - _NAMED} more" if len(client.others) > _NAMED else ""
    return f"; there are also {named}{more} (--model NAME, or `vidagent models use NAME`)"


def _usable(server: Inventory) -> list[ServedModel]:
    """Return the models that may look at a video, those that take pictures first; never vidagent's own server."""
    models = [
        model
        for model in server.models
        if model.owner != _OWN_SERVER and not _OTHER_USE.search(model.name.casefold())
    ]
    return sorted(models, key=_rank)


def _rank(model: ServedModel) -> int:
    """Return 0 for a model that takes pictures, 1 for one of which it is not known, 2 for one that does not."""
    if model.sees is not None:
        return 0 if model.sees else 2
    name = f"{model.name} {model.root or ''}".casefold()
    return 0 if _SEES.search(name) or loader.match(model.name).matches else 1


def _serves_none(url: str) -> ModelError:
    return ModelError(f"the model server at {public_url(url)} serves no model; name one (--model)")


def _local_ports() -> str:
    return ", ".join(url.rpartition(":")[2].partition("/")[0] for url in LOCAL_URLS)


def _local() -> list[Inventory]:
    """Return the model servers on this machine; something else that listens there is passed over."""

    async def look(url: str) -> Inventory | None:
        try:
            return await take_inventory(Endpoint(url, timeout_s=_LOCAL_WAIT_S))
        except ServerError:
            return None

    async def look_everywhere() -> list[Inventory]:
        found = await asyncio.gather(*map(look, LOCAL_URLS))
        return [server for server in found if server is not None]

    return _run(look_everywhere())


def _inventory(url: str, settings: Settings, *, wait_s: float = _WAIT_S) -> Inventory:
    """Return a server's models."""
    return _run(take_inventory(Endpoint(url, key_for(settings), timeout_s=wait_s)))


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # a notebook, whose event loop is already running
        return pool.submit(asyncio.run, work).result()
