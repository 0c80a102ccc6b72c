"""Earlier looks of a conversation, by the planner and by code, with their results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from vidagent.agents.prompting.code_looks import read_looks
from vidagent.agents.prompting.messages import TEXTS_KNOWN

_FACT = re.compile(r"(file|spoken|subtitle) (\d+\.\d+)-(\d+\.\d+) s(?:, speaker ([^:]+))?: (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One sighting in one frame: its time, text if any, box in source pixels, and ledger entry."""

    time_s: float
    text: str
    box_px: tuple[int, int, int, int] | None
    entry: str


class Fact(NamedTuple):
    """A fact of a search: from when to when it holds, its text, and who says it; empty if unknown."""

    start_s: float
    end_s: float
    text: str
    speaker: str


@dataclass(frozen=True, slots=True)
class Result:
    """One completed look.

    Args:
        tool: Name of the tool.
        question: The question about the frames.
        args: The arguments of the call.
        told: The tool's reply.
    """

    tool: str
    question: str
    args: dict[str, Any]
    told: dict[str, Any]

    @property
    def id(self) -> str:
        """Id of the ledger entry."""
        return str(self.told.get("id", ""))

    @property
    def times_s(self) -> list[float]:
        """Times of the frames examined, in seconds."""
        return [float(t) for t in self.told.get("frame_times_s", [])]

    @property
    def lines(self) -> list[Line]:
        """Sightings, frame by frame."""
        return [
            Line(
                float(seen["time_s"]),
                seen.get("text", ""),
                tuple(seen["box_px"]) if "box_px" in seen else None,
                self.id,
            )
            for seen in self.told.get("sightings", [])
        ]

    def facts(self, *kinds: str) -> Iterator[Fact]:
        """Yield the facts of some kinds: `file`, `spoken` or `subtitle`."""
        for fact in self.told.get("facts", []):
            match = _FACT.fullmatch(str(fact))
            if match is not None and match[1] in kinds:
                yield Fact(float(match[2]), float(match[3]), match[5], match[4] or "")


@dataclass(frozen=True, slots=True)
class Past:
    """The looks so far.

    Args:
        results: The planner's looks in call order, then those made by code.
        errors: Error messages of refused calls.
        duration_s: Length of the video.
        frame_s: Time between two frames.
        size_wh: Size of the image.
        tools: Names of the available tools; None for all.
        texts_known: Whether the texts on screen were read before.
    """

    results: tuple[Result, ...]
    errors: tuple[str, ...]
    duration_s: float
    frame_s: float
    size_wh: tuple[int, int] = (1280, 720)
    tools: frozenset[str] | None = None
    texts_known: bool = False

    def has(self, tool: str) -> bool:
        """Return whether a tool is available."""
        return self.tools is None or tool in self.tools

    def asked(self, question: str) -> list[Result]:
        """Return the looks with this question."""
        return [result for result in self.results if result.question == question]

    def count(self, tool: str, question: str) -> int:
        """Count the looks by a tool with this question."""
        return sum(result.tool == tool for result in self.asked(question))


def read_past(messages: Sequence[BaseMessage], facts: str, tools: frozenset[str] | None = None) -> Past:
    """Parse the looks of a planner's conversation and the facts of the survey; None for `tools` means all."""
    results: list[Result] = []
    errors: list[str] = []
    for call, reply in _pairs(messages):
        if "error" in reply:
            errors.append(str(reply["error"]))
        elif call["name"] != "answer":
            question = str(call["args"].get("question", call["args"].get("query", "")))
            results.append(Result(call["name"], question, call["args"], reply))
    results += [
        Result(reply["tool"], reply["question"], {}, reply)
        for reply in read_looks(messages)
        if "error" not in reply
    ]
    duration = re.search(r"duration ([\d.]+) s", facts)
    fps = re.search(r"([\d.]+) frames a second", facts)
    size = re.search(r"\b(\d+)x(\d+),", facts)
    return Past(
        tuple(results),
        tuple(errors),
        float(duration[1]) if duration else 0.0,
        1 / float(fps[1]) if fps else 0.04,
        (int(size[1]), int(size[2])) if size else (1280, 720),
        tools,
        texts_known=TEXTS_KNOWN in facts,
    )


def _pairs(messages: Sequence[BaseMessage]) -> Iterator[tuple[Any, dict[str, Any]]]:
    replies = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage)}
    for message in messages:
        for call in message.tool_calls if isinstance(message, AIMessage) else []:
            reply = replies.get(str(call["id"]))
            if reply is not None:
                yield call, json.loads(str(reply.content))
