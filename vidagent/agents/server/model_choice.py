"""Choose the model: the requested one, else that of a server on this machine, else the embedded `signals`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
from dataclasses import dataclass

from vidagent.agents.client.client import ModelClient
from vidagent.agents.profiles import loader
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.server.connection import public_url
from vidagent.agents.server.endpoint import Endpoint
from vidagent.config import Settings
from vidagent.errors import ModelError, UsageError

EMBEDDED = "signals"
LOCAL_URL = "http://127.0.0.1:8000/v1"
_LOCAL_WAIT_S = 0.3
_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Available:
    """A model that can be used.

    Args:
        model: Its name.
        where: The server's base URL, or None if it is embedded.
        profile: The profile for it.
        chosen: Whether it would answer a question.
    """

    model: str
    where: str | None
    profile: str
    chosen: bool


def choose(settings: Settings) -> ModelClient:
    """Return the client of the model that the settings select.

    Raises:
        ModelError: If the requested server cannot be reached or serves no model, or a model is named and there is no
            server.
        UsageError: If the settings name a missing profile, or an engine without a model or its packages.
    """
    if settings.engine != "server":
        return _in_process(settings)
    if settings.base_url is not None:
        model = settings.model or first_model(settings.base_url, settings)
        return _served(settings.base_url, model, settings)
    if settings.model == EMBEDDED:
        return _embedded(settings)
    listed = _local_models(settings)
    if listed:
        return _served(LOCAL_URL, settings.model or listed[0], settings)
    if settings.model is not None:
        raise ModelError(
            f"model {settings.model!r} needs a server, and none answers on {LOCAL_URL}; "
            "give its base URL (--base-url or VIDAGENT_BASE_URL)"
        )
    return _embedded(settings)


def describe(client: ModelClient) -> str:
    """Return one line about which model answers, and why."""
    if client.where is not None:
        return f"model {client.name} at {client.where} (profile {client.profile.name})"
    if client.name != EMBEDDED:
        return f"model {client.name} in this process (profile {client.profile.name})"
    return (
        f"model {client.name}, embedded: reads text, codes, cuts, motion and colours; "
        "for other questions connect a VLM with --base-url"
    )


def available(settings: Settings) -> list[Available]:
    """List the usable models: those of the requested or detected server, and the embedded one.

    Raises:
        ModelError: If a requested server cannot be reached.
    """
    url = settings.base_url or LOCAL_URL
    served = _listed(url, _WAIT_S, settings) if settings.base_url else _local_models(settings)
    chosen = settings.model or (served[0] if served else EMBEDDED)
    names = [(name, public_url(url)) for name in served] + [(EMBEDDED, None)]
    return [Available(name, where, profile_for(name, settings).name, name == chosen) for name, where in names]


def profile_for(model: str, settings: Settings) -> Profile:
    """Return the profile for a model.

    Raises:
        UsageError: If the settings name a missing profile.
    """
    profile = loader.load(settings.profile) if settings.profile else loader.match(model)
    if settings.reply_seconds is None:
        return profile
    return dataclasses.replace(profile, timeout_s=settings.reply_seconds)


def _served(url: str, model: str, settings: Settings) -> ModelClient:
    from vidagent.agents.client.chat_model import (
        connect,  # takes a second to import, which the embedded model avoids
    )

    key = settings.api_key.get_secret_value() if settings.api_key else None
    return ModelClient(connect(url, model, api_key=key), profile_for(model, settings))


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


def first_model(url: str, settings: Settings) -> str:
    """Return the first model that a server lists.

    Raises:
        ModelError: If the server cannot be reached or serves no model.
    """
    listed = _listed(url, _WAIT_S, settings)
    if not listed:
        raise ModelError(f"the model server at {public_url(url)} serves no model; name one (--model)")
    return listed[0]


def _local_models(settings: Settings) -> list[str]:
    """Return the models of a server on this machine; none if no model server listens there."""
    try:
        return _listed(LOCAL_URL, _LOCAL_WAIT_S, settings)
    except ModelError:
        return []


def _listed(url: str, wait_s: float, settings: Settings) -> list[str]:
    """Request a server's list of models."""
    key = settings.api_key.get_secret_value() if settings.api_key else None
    endpoint = Endpoint(url, key, timeout_s=wait_s)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return [model.name for model in asyncio.run(endpoint.models())]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # a notebook, whose event loop is already running
        return [model.name for model in pool.submit(asyncio.run, endpoint.models()).result()]
