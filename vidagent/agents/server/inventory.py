"""What a server is and which models it has, with what each can do as far as the server says.

Read: `GET /v1/models` of any server, and beside it `/version` of vLLM, `/api/version`, `/api/show` and `/api/ps` of
Ollama, `/props` of llama.cpp and `/api/v0/models` of LM Studio (their documentation of 2026-11).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint, ServedModel

_OLLAMA_OWNER = "library"
_KINDS = {
    "vllm": "vLLM",
    _OLLAMA_OWNER: "Ollama",
    "llamacpp": "llama.cpp",
    "organization_owner": "LM Studio",
    "sglang": "SGLang",
}
"""Kinds of servers by the `owned_by` of their models."""


def owner_of(kind: str | None) -> str | None:
    """Return the owner of the models of a kind of server, by which its profile is found; None if it has none."""
    return next((owner for owner, name in _KINDS.items() if name == kind), None)


@dataclass(frozen=True, slots=True)
class Inventory:
    """A server and its models.

    Args:
        where: Its base URL.
        models: Its models, in its order.
        kind: What it is, such as `Ollama`, or None if it cannot be identified.
        version: Its version, or None.
    """

    where: str
    models: tuple[ServedModel, ...]
    kind: str | None = None
    version: str | None = None


async def take_inventory(endpoint: Endpoint) -> Inventory:
    """List a server's models, and what each can do where the server says it.

    Args:
        endpoint: The server.

    Raises:
        ServerError: If it cannot be reached, refuses the key, or sends no valid list.
    """
    models = await endpoint.models()
    kind = next((_KINDS[model.owner] for model in models if model.owner in _KINDS), None)
    found = Inventory(endpoint.where, tuple(models), kind)
    reader = {
        "vLLM": _vllm,
        None: _unnamed,
        "Ollama": _ollama,
        "llama.cpp": _llamacpp,
        "LM Studio": _lmstudio,
    }.get(kind)
    if reader is None:
        return found
    try:
        return await reader(endpoint, found)
    except ServerError:  # the list is enough to go on with
        return found


async def _unnamed(endpoint: Endpoint, found: Inventory) -> Inventory:
    """Identify a server by what only it has: the owner of Ollama's models is the place they were pulled from."""
    asked = await _vllm(endpoint, found)
    if asked.kind is None and "models" in _mapping(await endpoint.lookup("/api/ps")):
        return await _ollama(endpoint, dataclasses.replace(found, kind="Ollama"))
    return asked


async def _vllm(endpoint: Endpoint, found: Inventory) -> Inventory:
    version = await endpoint.version()
    return dataclasses.replace(found, kind="vLLM" if version else found.kind, version=version)


async def _ollama(endpoint: Endpoint, found: Inventory) -> Inventory:
    version = _mapping(await endpoint.lookup("/api/version")).get("version")
    running = _mapping(await endpoint.lookup("/api/ps")).get("models")
    loaded = {
        str(item.get("name")): item.get("context_length") for item in _mappings(running)
    }  # its context is set when it is loaded, and longer prompts are cut off without an error
    models = []
    for model in found.models:
        shown = _mapping(await endpoint.lookup("/api/show", {"model": model.name}))
        can = shown.get("capabilities")
        known: dict[str, Any] = {"owner": _OLLAMA_OWNER}  # by which the server's profile is found
        if isinstance(can, list):
            known |= {"sees": "vision" in can, "calls_tools": "tools" in can}
        context = loaded.get(model.name)
        if isinstance(context, int):
            known["context_tokens"] = context
        models.append(dataclasses.replace(model, **known))
    return dataclasses.replace(found, models=tuple(models), version=_text(version))


async def _llamacpp(endpoint: Endpoint, found: Inventory) -> Inventory:
    props = _mapping(await endpoint.lookup("/props"))
    context = _mapping(props.get("default_generation_settings")).get("n_ctx")
    sees = _mapping(props.get("modalities")).get("vision")
    known: dict[str, Any] = {
        name: value
        for name, value, kind in (("context_tokens", context, int), ("sees", sees, bool))
        if isinstance(value, kind)
    }
    models = tuple(dataclasses.replace(model, **known) for model in found.models)  # it serves one model
    return dataclasses.replace(found, models=models, version=_text(props.get("build_info")))


async def _lmstudio(endpoint: Endpoint, found: Inventory) -> Inventory:
    listed = _mappings(_mapping(await endpoint.lookup("/api/v0/models")).get("data"))
    by_id = {str(item.get("id")): item for item in listed}
    models = []
    for model in found.models:
        item = by_id.get(model.name, {})
        if item.get("type") == "embeddings":
            continue
        known: dict[str, Any] = {"sees": item["type"] == "vlm"} if "type" in item else {}
        if isinstance(context := item.get("loaded_context_length"), int):
            known["context_tokens"] = context
        models.append(dataclasses.replace(model, **known))
    return dataclasses.replace(found, models=tuple(models))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
