"""Recorded runs as rows to train a model on: what it was sent, what it replied, and how that was judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vidagent.runs.recorded_run import RecordedRun

Row = dict[str, Any]
Keep = Callable[[Path], str]
"""Keeps a picture, and returns the path that rows name it by."""
_ROLES = {"system": "system", "human": "user", "ai": "assistant", "tool": "tool"}


def training_rows(run: RecordedRun, keep: Keep) -> Iterator[Row | None]:
    """Yield a row for each reply of the model in a run, in order; None for one whose pictures are gone.

    A row has `run_id`, `step` (`plan`, `look`, `verify`, …), `model`, `question`, `options`, `status` of the answer (of
    the run, if it has none), `messages` in OpenAI's format, the reply as the last one, `images` (paths of the pictures
    in the order of the messages), `tools` in OpenAI's format, and `verdicts`: all checked claims of the run, also those
    that were refused.
    """
    for part in run.video_runs:
        yield from training_rows(part, keep)
    verdicts = [
        line["data"] | {"why": line["text"].partition(": ")[2]}
        for line in run.trace
        if line["kind"] == "event" and line["event"] == "verdict"
    ]
    answer, metadata = run.answer, run.metadata
    about = {
        "run_id": run.run_id,
        "model": metadata["model"],
        "question": metadata["question"],
        "options": metadata["options"],
        "status": metadata["status"] if answer is None else answer["status"],
    }
    for line in run.trace:
        if line["kind"] != "request" or line["reply"] is None or "request" not in line:
            continue
        if not _has_pictures(run, line["request"]["messages"]):
            yield None
            continue
        messages, images = _conversation(run, line, keep)
        tools = line["request"].get("tools") or []
        yield about | {
            "step": line["step"],
            "messages": messages,
            "images": images,
            "tools": tools,
            "verdicts": verdicts,
        }


def _has_pictures(run: RecordedRun, messages: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether all pictures of a request are in the run's folder; those of a video are not."""
    parts = [part for message in messages for part in message["content"]]
    refs = [part["image"] for part in parts if "image" in part]
    return all(run.frame_path(ref).is_file() for ref in refs) and not any("video" in part for part in parts)


def _conversation(run: RecordedRun, line: Mapping[str, Any], keep: Keep) -> tuple[list[Row], list[str]]:
    """Return the messages of a request with its reply, and the paths of their pictures."""
    images: list[str] = []

    def picture(ref: str) -> Row:
        images.append(keep(run.frame_path(ref)))
        return {"type": "image", "image": images[-1]}

    messages = [_message(message, picture) for message in line["request"]["messages"]]
    return [*messages, _reply(line["reply"]["data"], _calls_in(line["request"]["messages"]))], images


def _message(message: Mapping[str, Any], picture: Callable[[str], Row]) -> Row:
    content = [_part(part, picture) for part in message["content"]]
    written: Row = {"role": _ROLES[message["role"]], "content": content}
    if message["role"] == "tool":
        written["tool_call_id"] = _call_id(message["call"])
    if calls := message.get("calls"):
        written["tool_calls"] = [_call(call["call"], call["name"], call["args"]) for call in calls]
    if "thought" in message:
        written["reasoning_content"] = message["thought"]
    return written


def _part(part: Mapping[str, Any], picture: Callable[[str], Row]) -> Row:
    if "image" in part:
        return picture(part["image"])
    return {"type": "text", "text": part["text"]} if "text" in part else dict(part)


def _reply(reply: Mapping[str, Any], first_call: int) -> Row:
    """Return a reply as the last message; its calls are numbered on from those before it."""
    content = reply["content"]
    text = content if isinstance(content, str) else "".join(_text(part) for part in content)
    written: Row = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    if calls := reply.get("tool_calls"):
        written["tool_calls"] = [
            _call(first_call + number, call["name"], call["args"]) for number, call in enumerate(calls)
        ]
    if thought := reply.get("additional_kwargs", {}).get("reasoning_content"):
        written["reasoning_content"] = thought
    return written


def _text(part: str | Mapping[str, Any]) -> str:
    return part if isinstance(part, str) else str(part.get("text", ""))


def _calls_in(messages: Sequence[Mapping[str, Any]]) -> int:
    return sum(len(message.get("calls", ())) for message in messages)


def _call(number: int, name: str, arguments: object) -> Row:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": _call_id(number), "type": "function", "function": {"name": name, "arguments": text}}


def _call_id(number: int) -> str:
    return f"call-{number}"
