"""Load model profiles: the TOML files in `profiles/`, or a file of the user's own.

A profile contains only its differences from `default.toml`. Tables override the default's key by key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from vidagent.agents.profiles.schema import Profile
from vidagent.errors import UsageError

_WHOLE = ("on_body", "off_body")


@cache
def names() -> tuple[str, ...]:
    """Return the names of the profiles that come with vidagent, sorted."""
    folder = resources.files("vidagent.agents.profiles")
    return tuple(sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".toml")))


@cache
def load(name: str) -> Profile:
    """Read a profile by its name, or from a TOML file of the user's own.

    Raises:
        UsageError: If there is no such profile, or it has unknown keys or bad values.
    """
    values = _values(name)
    if name != "default":
        values = _over(_values("default"), values)
    return _build(Path(name).stem if name.endswith(".toml") else name, values)


@cache
def match(model_id: str, where: str | None = None, owner: str | None = None) -> Profile:
    """Return the profile that fits a model, and the server that has it.

    The longest pattern that matches the model's id decides, else it is `default`. The profile of a server, found by
    its address or by the owner it gives its models, is laid over it.

    Args:
        model_id: The model's id.
        where: The server's base URL.
        owner: The `owned_by` of the model.
    """
    found = [
        (len(pattern), name)
        for name in names()
        for pattern in load(name).matches
        if fnmatch(model_id.casefold(), pattern.casefold())
    ]
    model = max(found)[1] if found else "default"
    server = _server(where, owner)
    if server is None or server == model:
        return load(model)
    values = _over(_over(_values("default"), _values(model)), _values(server))
    return _build(server if model == "default" else f"{model}+{server}", values)


def _server(where: str | None, owner: str | None) -> str | None:
    """Return the name of the profile for a server, or None if there is none for it."""
    parts = urlsplit(where or "")
    addresses = {parts.hostname, f"{parts.hostname}:{parts.port}"} if parts.hostname else set()
    for name in names():
        profile = load(name)
        if owner is not None and owner in profile.owners:
            return name
        if any(fnmatch(str(address), pattern) for pattern in profile.hosts for address in addresses):
            return name
    return None


def _values(name: str) -> dict[str, Any]:
    """Return what a profile's file says.

    Raises:
        UsageError: If there is no such profile, or it is not TOML.
    """
    if name in names():
        text = resources.files("vidagent.agents.profiles").joinpath(f"{name}.toml").read_text("utf-8")
    elif name.endswith(".toml"):
        text = _own(Path(name))
    else:
        raise UsageError(
            f"no profile {name!r}; there are {', '.join(names())}, or give the path of a .toml file"
        )
    return _parse(text, name)


def _own(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"profile {path} cannot be read: {error}") from None


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"profile {name} is not TOML: {error}") from None


def _over(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `values` over `base`, table by table; a switch replaces another as a whole."""
    merged = dict(base)
    for key, value in values.items():
        old = merged.get(key)
        tables = isinstance(old, dict) and isinstance(value, dict) and key not in _WHOLE
        merged[key] = _over(dict(old or {}), value) if tables else value
    return merged


def _build(name: str, values: Mapping[str, Any]) -> Profile:
    try:
        return TypeAdapter(Profile).validate_python({**values, "name": name})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'].lower()}, got {item['input']!r}"
            for item in error.errors()
        )
        raise UsageError(f"profile {name}: {wrong}") from None
