"""The schema of an answer's data: checked, in the form in which it is offered to the planner, and the leaves of data.

A leaf is a value that is no object and no list. Each is a claim of its own, named by its JSON Pointer (RFC 6901).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from langchain_core.utils.json_schema import dereference_refs
from pydantic import BaseModel
from referencing import Registry

from vidagent.errors import UsageError

Schema = dict[str, Any]
SchemaLike = Mapping[str, Any] | type[BaseModel] | str | os.PathLike[str]
"""JSON Schema, a pydantic model, or the path of a file with JSON Schema."""
Leaf = str | float | bool | None

MAX_CHARACTERS = 20_000
"""Longest schema, as JSON: it is part of each request to the planner."""
_MOST_FILE_BYTES = 1_000_000
"""Longest file with a schema, indents included."""
_MOST_NODES = 5_000
MOST_LEAVES = 200
_MAPS, _LISTS = ("properties", "patternProperties"), ("anyOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties")
_STRUCTURED = {*_MAPS, *_LISTS, *_SINGLE}
_LARGE = {"object", "array"}


def read_schema(schema: object) -> Schema:
    """Return a schema without references, from JSON Schema (draft 2020-12), the path of one, or a pydantic model.

    Raises:
        UsageError: If it is none of these; the message names the place and the reason.
    """
    if isinstance(schema, str | os.PathLike):
        return _from_file(Path(schema))
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        schema = schema.model_json_schema()
    if not isinstance(schema, Mapping):
        raise UsageError(f"a schema is JSON Schema (an object) or a pydantic model, got {schema!r:.80}")
    try:
        if (length := len(json.dumps(schema))) > MAX_CHARACTERS:
            raise UsageError(f"a schema has at most {MAX_CHARACTERS:,} characters, got {length:,}")
        if (size := _size(schema, schema, {})) > _MOST_NODES:
            raise UsageError(
                f"a schema has at most {_MOST_NODES:,} nodes with its references put in, got {size:,}"
            )
        Draft202012Validator.check_schema(schema)
        whole: Schema = dereference_refs(dict(schema), skip_keys=[])
    except SchemaError as error:
        raise UsageError(f"the schema is wrong at {error.json_path}: {error.message:.300}") from None
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"the schema cannot be used: {error.args[0] if error.args else error}") from None
    return {
        key: value for key, value in whole.items() if key not in {"$defs", "definitions", "$schema", "$id"}
    }


def _size(node: object, root: object, known: dict[str, int]) -> int:
    """Count the nodes of a schema with its references put in, which may double at each of many levels.

    Raises:
        ValueError: If it has a dynamic reference, which is not put in, and may name any address.
    """
    if isinstance(node, list):
        return sum(_size(one, root, known) for one in node)
    if not isinstance(node, Mapping):
        return 1
    size = 1 + sum(_size(one, root, known) for one in node.values())
    if isinstance(node.get("$dynamicRef"), str):
        raise ValueError(
            f"it has $dynamicRef {node['$dynamicRef']!r:.80}; references are $ref to a place in it"
        )
    reference = node.get("$ref")
    if isinstance(reference, str) and reference not in known:
        known[reference] = 0  # within itself, a reference is put in once
        place = root
        for key in parts_of(reference):
            place = place.get(key, {}) if isinstance(place, Mapping) else {}
        known[reference] = _size(place, root, known)
    return size + (known[reference] if isinstance(reference, str) else 0)


def _from_file(path: Path) -> Schema:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_FILE_BYTES + 1)
        if len(text) > _MOST_FILE_BYTES:
            raise UsageError(f"the file of a schema has at most {_MOST_FILE_BYTES:,} bytes, got more")
        return read_schema(json.loads(text.decode("utf-8")))
    except OSError as error:
        raise UsageError(f"the schema {str(path)!r} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # not UTF-8, or not JSON: it says in which line and column
        raise UsageError(f"the schema {str(path)!r} is not JSON: {error}") from None
    except RecursionError:
        raise UsageError(f"{path}: the schema cannot be used: it is nested too deeply") from None
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def offered(schema: Any) -> Any:  # noqa: ANN401 - a schema, or true or false
    """Return a schema in which each leaf may be null, for what was not seen."""
    if not isinstance(schema, dict):
        return schema
    found = {
        ("anyOf" if key == "oneOf" else key): value for key, value in schema.items()
    }  # null fits each of them
    for key in _MAPS:
        if key in found:
            found[key] = {name: offered(one) for name, one in found[key].items()}
    for key in _LISTS:
        if key in found:
            found[key] = [offered(one) for one in found[key]]
    for key in _SINGLE:
        if key in found:
            found[key] = offered(found[key])
    kinds = found.get("type", [])
    if _STRUCTURED & found.keys() or _LARGE & set([kinds] if isinstance(kinds, str) else kinds) or not found:
        return found
    about = {"description": found.pop("description")} if "description" in found else {}
    return {**about, "anyOf": [found, {"type": "null"}]}


def faults(schema: Schema, data: object) -> dict[str, str]:
    """Return where data does not follow a schema in which leaves may be null, by JSON Pointer, and why."""
    checker = Draft202012Validator(
        offered(schema),
        registry=Registry(),  # fetches nothing
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    found: dict[str, str] = {}
    for error in checker.iter_errors(data):
        found.setdefault(pointer_of(error.absolute_path), f"{_telling(error).message:.200}")
    if (number := sum(1 for _ in leaves(data))) > MOST_LEAVES:
        found.setdefault("", f"it has {number} values, and at most {MOST_LEAVES} can be checked")
    return found


def _telling(error: ValidationError) -> ValidationError:
    """Return what is wrong by the alternative that was meant: the first that has the right type."""
    while error.context:
        error = min(error.context, key=lambda one: one.validator == "type")
    return error


def leaves(data: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Leaf]]:
    """Yield the JSON Pointer and the value of each leaf."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from leaves(value, (*path, place))
    elif data is None or isinstance(data, str | int | float | bool):
        yield pointer_of(path), data


def proved(data: object, told: Mapping[str, Leaf], path: tuple[str | int, ...] = ()) -> Any:  # noqa: ANN401 - JSON
    """Return data in which only these leaves have a value, the others are null."""
    if isinstance(data, dict):
        return {key: proved(value, told, (*path, key)) for key, value in data.items()}
    if isinstance(data, list):
        return [proved(value, told, (*path, place)) for place, value in enumerate(data)]
    return told.get(pointer_of(path))


def empty(schema: Any) -> Any:  # noqa: ANN401 - a schema, and JSON
    """Return data in which nothing is known: the objects of a schema with null for each leaf, and empty lists."""
    if not isinstance(schema, dict):
        return None
    if "properties" in schema:
        return {name: empty(one) for name, one in schema["properties"].items()}
    return [] if schema.get("type") == "array" else {} if schema.get("type") == "object" else None


def label_of(schema: Schema, pointer: str) -> str:
    """Return the name of a leaf in words, such as `goals 1 minute (in which it fell)`."""
    words, place = [], schema
    for key in parts_of(pointer):
        inside = (
            place.get("properties", {}).get(key) or place.get("items") or place.get("additionalProperties")
        )
        place = inside if isinstance(inside, dict) else {}
        words.append(str(int(key) + 1) if key.isdigit() else key.replace("_", " "))
    about = " ".join(str(place.get("description", "")).split()).rstrip(".")
    return f"{' '.join(words) or 'value'}{f' ({about})' if about else ''}"


def value_text(value: Leaf) -> str:
    """Return a value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def pointer_of(path: Any) -> str:  # noqa: ANN401 - keys and indices
    """Return the JSON Pointer of a path."""
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in path)


def parts_of(pointer: str) -> list[str]:
    """Return the keys and indices of a JSON Pointer."""
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
