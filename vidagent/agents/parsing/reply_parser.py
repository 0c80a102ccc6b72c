"""Parse model output leniently: thoughts, JSON, function calls and typed replies."""

from __future__ import annotations

import ast
import json
import math
import re
import sys
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any, TypeVar

from langchain_core.messages import AIMessage, ToolCall
from pydantic import BaseModel, ValidationError

from vidagent.agents.parsing.cut_texts import whole_texts
from vidagent.agents.prompting.control_tokens import unmarked
from vidagent.agents.prompting.replies import Judgement, Observation
from vidagent.text import repair_surrogates

T = TypeVar("T", bound=BaseModel)

_THOUGHT = re.compile(r"<think(?:ing)?>")
_THOUGHT_END = re.compile(r"</think(?:ing)?>")
_TAGGED = re.compile(r"<(tool_call|toolcall|function_call)>(.*?)(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_FUNCTION = re.compile(r"<function=([\w.-]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([\w.-]+)>")
_PARAMETER_END = "</parameter>"
_LARGEST = int(sys.float_info.max)
_MOST_CHARS = 10_000
"""Longest text of a reply that is stored, more than any may have."""
_LIST_KEYS = ("calls", "tool_calls")
_NAME_KEYS = ("name", "tool", "tool_name", "function_name", "function", "action")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "action_input", "tool_input")
_TRAILING_COMMA = re.compile(r",\s*([}\]])")
_PYTHON_CONSTANTS = {"true": "True", "false": "False", "null": "None"}
_SEARCHED_CHARS = 200_000
_MOST_WORK = 4 * _SEARCHED_CHARS
"""Most characters that are read in search for JSON in a text, each time that they are."""
_MOST_STARTS = 50
"""Most places in a text at which to look for it."""
_CUTS = 4
"""How often the end of truncated JSON is cut back until it can be read."""
_MOST_DEPTH = 100
_PYTHON_CHARS = 20_000
"""Longest text that is read as Python writes it: its parser takes long, and lets nobody else run meanwhile."""
_MOST_ITEMS = 1000
"""Most items of a list in a reply: twice as many as any may have."""
_MOST_CALLS = 64
_OPENING = re.compile(r"[{\[]")
_BRACKET_OR_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?P<end>"?)|[{}\[\]()]', re.DOTALL)
_CLOSERS = {"{": "}", "[": "]", "(": ")"}


class UnreadableError(ValueError):
    """A reply that cannot be used; the message says why, for the model to read."""


class CutTextError(UnreadableError):
    """A reply with a text that was cut off.

    Args:
        reply: The reply, whose texts end with the last sentence before the cut.
    """

    def __init__(self, reply: BaseModel) -> None:
        """Say what to do about it."""
        super().__init__(
            "a text in it reached its limit and was cut off; say the same more briefly, to the end"
        )
        self.reply = reply


def split_thought(text: str) -> tuple[str, str]:
    """Split a text with `<think>…</think>`, complete or cut at either end, into the thought and the rest.

    In a text that is JSON, such marks are quoted.
    """
    if "think" in text and text.lstrip()[:1] in {"{", "["} and _strict_json(text) is not None:
        return "", text.strip()
    if "<think" not in text:
        tail = _THOUGHT_END.search(text) if "</think" in text else None
        return (text[: tail.start()].strip(), text[tail.end() :].strip()) if tail else ("", text.strip())
    thoughts, rest, position = [], [], 0
    while (opening := _THOUGHT.search(text, position)) is not None:
        closing = _THOUGHT_END.search(text, opening.end())
        rest.append(text[position : opening.start()])
        thoughts.append(text[opening.end() : closing.start() if closing else len(text)].strip())
        position = closing.end() if closing else len(text)
    return "\n".join(thoughts), "".join([*rest, text[position:]]).strip()


def json_values(text: str) -> Iterator[object]:
    """Yield the JSON objects and lists in a text, outermost first.

    Accepts code fences, surrounding prose, trailing commas, Python's quotes and constants, and a truncated end. A text
    that is too long to search, and is not one object, is read only at its beginning. The work is linear in the text's
    length, whatever it holds. A text that is itself one JSON string is read as what is in that.
    """
    inner = _strict_json(text) if text.lstrip().startswith('"') else None
    text = inner if isinstance(inner, str) else text
    if len(text) > _SEARCHED_CHARS:
        outermost = _strict_json(text[text.find("{") : text.rfind("}") + 1])
        if outermost is not None:
            yield outermost
            return
    text = text[:_SEARCHED_CHARS]
    position, work = 0, _MOST_WORK
    while work > 0 and (opening := _OPENING.search(text, position)) is not None:
        start = opening.start()
        end, closers = bracketed(text, start)
        work -= _MOST_WORK // _MOST_STARTS + (end - start) * (1 + _CUTS if closers else 1)
        value = None
        if closers is not None:
            value = _lenient_json(text[start:end]) if not closers else _cut_off_json(text[start:end])
        if value is None:
            position = start + 1
        else:
            yield value
            position = end


def bracketed(text: str, start: int) -> tuple[int, str | None]:
    """Return where the bracket at `start` closes, and the missing closers (`""` if none).

    They are None where brackets are nested too deep to be read.
    """
    stack: list[str] = []
    for mark in _BRACKET_OR_STRING.finditer(text, start):
        char = mark[0][0]
        if char == '"':
            if not mark["end"]:
                return len(text), '"' + "".join(reversed(stack))
        elif char in _CLOSERS:
            stack.append(_CLOSERS[char])
            if len(stack) > _MOST_DEPTH:
                return mark.start(), None
        elif stack:
            stack.pop()
            if not stack:
                return mark.end(), ""
    return len(text), "".join(reversed(stack))


def _strict_json(text: str) -> object:
    """Parse JSON; return None if it is invalid."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _lenient_json(text: str) -> object:
    """Parse JSON, also with trailing commas or in Python's spelling; return None if it is invalid."""
    for attempt in (text, _TRAILING_COMMA.sub(r"\1", text)):
        value = _strict_json(attempt)
        if value is not None:
            return value
    if len(text) > _PYTHON_CHARS:
        return None
    python = re.sub(r"\b(true|false|null)\b", lambda match: _PYTHON_CONSTANTS[match[1]], text)
    try:
        return ast.literal_eval(python)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _cut_off_json(text: str) -> object:
    """Parse truncated JSON, without the last item if it is incomplete."""
    for _ in range(_CUTS):
        closers = bracketed(text, 0)[1] or ""
        value = _lenient_json(text.rstrip().rstrip(",:") + closers)
        if value is not None:
            return value
        text = text[: max(text.rfind(","), text.rfind("{"), text.rfind("["), 0)]
        if not text:
            return None
    return None


def parse_reply(message: AIMessage, schema: type[T]) -> T:
    """Parse a typed reply.

    Raises:
        UnreadableError: If there is none; the message says what is wrong.
    """
    _, text = split_thought(message.text)
    problem = "it is empty"
    for value in _candidates(message, text):
        for fields in _unwrapped(value, schema):
            try:
                return _whole(schema.model_validate(_storable(fields)), message)
            except ValidationError as error:
                problem = _problems(error)
    if text and not text.startswith(("{", "[", "```", "<")):
        return _from_sentence(text, schema)
    raise UnreadableError(
        problem if not text or problem != "it is empty" else "it is not the JSON object asked for"
    )


def _whole(reply: T, message: AIMessage) -> T:
    """Return a reply whose texts end with a sentence.

    Raises:
        CutTextError: If a long one was cut off.
    """
    cut_off = message.response_metadata.get("finish_reason") == "length"
    whole, cut = whole_texts(reply, cut_off=cut_off)
    if cut:
        raise CutTextError(whole)
    return whole


def parse_calls(message: AIMessage, known: Collection[str]) -> list[ToolCall]:
    """Parse the function calls of a reply, wherever the model wrote them.

    Names are known, arguments are dicts, ids are unique, and a call written twice is made once.

    Raises:
        UnreadableError: If there is no usable call; the message says what is wrong.
    """
    calls: list[ToolCall] = []
    unknown: list[str] = []
    for name, arguments, given_id in islice(_found_calls(message, known), _MOST_CALLS):
        match = _known_name(name, known)
        values = _storable(_arguments(arguments))
        if match is None or values is None:
            unknown.append(
                f"there is no tool {name!r}" if match is None else f"the arguments of {name!r} are not JSON"
            )
        elif not any(call["name"] == match and call["args"] == values for call in calls):
            taken = {call["id"] for call in calls}
            unique = (
                given_id if given_id and given_id not in taken else f"{given_id or 'call'}_{len(calls) + 1}"
            )
            calls.append(ToolCall(name=match, args=values, id=unique, type="tool_call"))
    if not calls:
        raise UnreadableError("; ".join(unknown) or "it holds no tool call")
    return calls


def _candidates(message: AIMessage, text: str) -> Iterator[object]:
    yield from (call["args"] for call in message.tool_calls)
    yield from (_arguments(call["args"]) for call in message.invalid_tool_calls)
    yield from json_values(text)
    if not text:
        yield from json_values(str(message.additional_kwargs.get("reasoning_content") or ""))


def _unwrapped(value: object, schema: type[BaseModel]) -> Iterator[dict[str, Any]]:
    """Yield the dicts in a value that have fields of the schema: the value itself, or one or two levels down.

    A bare list is read as the one field of a schema that has no other.
    """
    if isinstance(value, list) and len(schema.model_fields) == 1:
        yield {next(iter(schema.model_fields)): value}
        return
    for _ in range(3):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict):
            return
        if set(value) & set(schema.model_fields):
            yield value
            return
        inner = [item for item in value.values() if isinstance(item, dict | list)]
        if len(inner) != 1:
            return
        value = inner[0]


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f'"{".".join(str(part) for part in item["loc"])}": {item["msg"].lower()}'
        for item in error.errors()[:5]
    )


def _from_sentence(text: str, schema: type[T]) -> T:
    """Use plain text as the schema's text field."""
    text = unmarked(text[:_MOST_CHARS])
    if schema is Observation:
        first = re.match(r"\W*(\w+)", text)
        return schema.model_validate({"what": text, "found": first[1] if first else None, "confidence": 0.4})
    if schema is Judgement:
        try:
            return schema.model_validate({"verdict": text, "why": text})
        except ValidationError:
            raise UnreadableError('it has no verdict: "supported", "partial" or "unsupported"') from None
    raise UnreadableError("it is not the JSON object asked for")


def _found_calls(message: AIMessage, known: Collection[str]) -> Iterator[tuple[str, object, str | None]]:
    parsed: list[tuple[str, object, str | None]] = [
        (call["name"], call["args"], call["id"]) for call in message.tool_calls
    ]
    parsed += [(call["name"] or "", call["args"], call["id"]) for call in message.invalid_tool_calls]
    if parsed:
        yield from parsed
        return
    thought, text = split_thought(message.text)
    reasoning = str(message.additional_kwargs.get("reasoning_content") or "")
    for written in (text, reasoning or thought):
        found = list(_written_calls(written, known))
        if found:
            yield from ((name, arguments, None) for name, arguments in found)
            return


def _written_calls(text: str, known: Collection[str]) -> Iterator[tuple[str, object]]:
    """Yield the calls written in a text, in the first notation that yields any."""
    text = text[:_SEARCHED_CHARS]
    tagged = [content for _, content in _TAGGED.findall(text)] or [text]
    for content in tagged[:_MOST_CALLS]:
        found: list[tuple[str, object]] = [
            (name, {key: _scalar(value) for key, value in _parameters(body)})
            for name, body in _FUNCTION.findall(content)
        ]
        found = found or [call for value in json_values(content) for call in _shaped(value, known)]
        yield from found or _pythonic(content, known)


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a call that is written as `<parameter=NAME>…</parameter>`."""
    end = 0
    while (opening := _PARAMETER.search(text, end)) is not None:
        end = text.find(_PARAMETER_END, opening.end())
        if end < 0:
            return
        yield opening[1], text[opening.end() : end].removeprefix("\n").removesuffix("\n")


def _shaped(value: object, known: Collection[str]) -> Iterator[tuple[str, object]]:
    """Yield the calls in a JSON value: OpenAI's shape, hermes', a list of them, or `{"clip": {...}}`."""
    if isinstance(value, list):
        for item in value:
            yield from _shaped(item, known)
    elif isinstance(value, dict):
        if listed := next((value[key] for key in _LIST_KEYS if isinstance(value.get(key), list)), None):
            yield from _shaped(listed, known)
        elif isinstance(value.get("function"), dict):
            yield from _shaped(value["function"], known)
        elif name_key := next((key for key in _NAME_KEYS if isinstance(value.get(key), str)), None):
            rest = {key: item for key, item in value.items() if key not in {name_key, "id", "type"}}
            yield value[name_key], next((value[key] for key in _ARGUMENT_KEYS if key in value), rest)
        else:
            yield from ((name, item) for name, item in value.items() if _known_name(name, known))


def _pythonic(text: str, known: Collection[str]) -> Iterator[tuple[str, object]]:
    """Yield calls such as `clip(start_s=1, end_s=2, question="…")`."""
    written = (match for match in re.finditer(r"\b([A-Za-z_]\w*)\(", text) if match[1] in known)
    for match in islice(written, _MOST_CALLS):
        end, closers = bracketed(text, match.end() - 1)
        if closers != "" or end - match.start() > _PYTHON_CHARS:
            continue
        try:
            call = ast.parse(text[match.start() : end], mode="eval").body
            assert isinstance(call, ast.Call)  # noqa: S101 - for mypy: the pattern is that of a call
            yield match[1], {item.arg: ast.literal_eval(item.value) for item in call.keywords if item.arg}
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue


def _known_name(name: str, known: Collection[str]) -> str | None:
    plain = name.rpartition(".")[2].strip().casefold().replace("-", "_")
    return next((item for item in known if item.casefold() == plain), None)


def _arguments(value: object) -> dict[str, Any] | None:
    if isinstance(value, str):
        value = next(json_values(value), None) if value.strip() else {}
    if value is None:
        return None
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("arguments"), dict):
        value = value["arguments"]
    return value if isinstance(value, dict) else None


def _storable(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a value that checkpoints can store.

    Integers of more than 64 bits become floats, lone surrogates (which JSON escapes allow) are replaced, overlong texts
    and lists are truncated, and control tokens that a model repeats are as they were in what it read.
    """
    if isinstance(value, str):
        return repair_surrogates(unmarked(value[:_MOST_CHARS]))
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in islice(value.items(), _MOST_ITEMS)}
    if isinstance(value, list):
        return [_storable(item) for item in value[:_MOST_ITEMS]]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value) if abs(value) < _LARGEST else math.inf if value > 0 else -math.inf
    return value


def _scalar(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
