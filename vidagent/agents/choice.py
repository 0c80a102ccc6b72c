"""Which model answers: the one asked for, else a server on this machine, else the embedded `signals`."""

from __future__ import annotations

import dataclasses
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

from vidagent.agents import profiles
from vidagent.agents.client import ModelClient
from vidagent.agents.profile_schema import Profile
from vidagent.agents.server import is_loopback, public_url
from vidagent.config import Settings
from vidagent.errors import ModelError

__all__ = ["EMBEDDED", "LOCAL_URL", "Available", "available", "choose", "describe"]

EMBEDDED = "signals"
LOCAL_URL = "http://127.0.0.1:8000/v1"
_LOCAL_WAIT_S = 0.3
_WAIT_S = 10.0
_LIST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Available:
    """A model that can be asked.

    Args:
        model: Its name.
        where: The server's base URL, or None if it is embedded.
        profile: The profile it would be used with.
        chosen: Whether a question would be put to it.
    """

    model: str
    where: str | None
    profile: str
    chosen: bool


def choose(settings: Settings) -> ModelClient:
    """Return the client of the model that the settings lead to.

    Raises:
        ModelError: If the server asked for cannot be reached or serves no model, or a model is named and
            there is no server.
        UsageError: If the settings name a profile that is not there.
    """
    if settings.base_url is not None:
        model = settings.model or _first(settings.base_url, settings)
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
    """Say in one line which model answers, and why."""
    if client.where is not None:
        return f"model {client.name} at {client.where} (profile {client.profile.name})"
    return (
        f"model {client.name}, embedded: reads text, codes, cuts, motion and colours; "
        "for other questions connect a VLM with --base-url"
    )


def available(settings: Settings) -> list[Available]:
    """List the models within reach: those of the server asked for or found, and the embedded one.

    Raises:
        ModelError: If a server is asked for and cannot be reached.
    """
    url = settings.base_url or LOCAL_URL
    served = _listed(url, _WAIT_S, settings) if settings.base_url else _local_models(settings)
    wanted = settings.model or (served[0] if served else EMBEDDED)
    names = [(name, public_url(url)) for name in served] + [(EMBEDDED, None)]
    return [Available(name, where, _profile(name, settings).name, name == wanted) for name, where in names]


def _served(url: str, model: str, settings: Settings) -> ModelClient:
    from vidagent.agents.chat import connect  # a second of imports that the embedded model does without

    key = settings.api_key.get_secret_value() if settings.api_key else None
    return ModelClient(connect(url, model, api_key=key), _profile(model, settings))


def _embedded(settings: Settings) -> ModelClient:
    from vidagent.agents.signals.model import ChatSignals  # brings in the classical vision

    return ModelClient(ChatSignals(), _profile(EMBEDDED, settings))


def _profile(model: str, settings: Settings) -> Profile:
    profile = profiles.load(settings.profile) if settings.profile else profiles.match(model)
    if settings.reply_seconds is None:
        return profile
    return dataclasses.replace(profile, timeout_s=settings.reply_seconds)


def _first(url: str, settings: Settings) -> str:
    listed = _listed(url, _WAIT_S, settings)
    if not listed:
        raise ModelError(f"the model server at {public_url(url)} serves no model; name one (--model)")
    return listed[0]


def _local_models(settings: Settings) -> list[str]:
    """Return what a server on this machine serves; whatever else may listen there is passed over."""
    try:
        return _listed(LOCAL_URL, _LOCAL_WAIT_S, settings)
    except ModelError:
        return []


def _listed(url: str, wait_s: float, settings: Settings) -> list[str]:
    """Ask a server which models it has (`GET /v1/models`)."""
    where = public_url(url)
    request = urllib.request.Request(f"{url}/models", headers={"Accept": "application/json"})  # noqa: S310
    if settings.api_key is not None:
        request.add_header("Authorization", f"Bearer {settings.api_key.get_secret_value()}")
    try:
        with _opener(url).open(request, timeout=wait_s) as reply:
            data = json.loads(reply.read(_LIST_BYTES))
        return [str(item["id"]) for item in data["data"]]
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in {401, 403}:
            line = f"the model server at {where} refused the API key ({error.code}); set VIDAGENT_API_KEY"
            raise ModelError(line) from None
        raise ModelError(f"{where}/models answered {error.code}; is the base URL right?") from None
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise ModelError(f"no model server answers at {where}: {reason}") from None
    except (ValueError, KeyError, TypeError):
        line = f"{where}/models is not a list of models; is the base URL right, such as {LOCAL_URL}?"
        raise ModelError(line) from None


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Reach servers on this machine past any proxy."""
    proxies: dict[str, str] | None = {} if is_loopback(url) else None
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
