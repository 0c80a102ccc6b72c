"""What the server and the process that its runs go on in send each other, over a socket that only these two have."""

from __future__ import annotations

import asyncio
import pickle
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidagent.graphs.events import Event
from vidagent.types import Answer, Budget

_LENGTH = struct.Struct("!Q")


@dataclass(frozen=True)
class RunRequest:
    """A question as the agent is asked it.

    Args:
        path: The video.
        question: The question.
        options: Answers to choose from.
        budget: What the run may cost.
        session: The session it belongs to.
        resume: An earlier run to be gone on with.
        stream: Whether words are told as they come.
        trace: Headers that say which trace it is a part of.
    """

    path: Path
    question: str
    options: tuple[str, ...] | None
    budget: Budget
    session: str | None = None
    resume: str | None = None
    stream: bool = False
    trace: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StartRun:
    """To the workbench: begin a run."""

    run: int
    order: RunRequest


@dataclass(frozen=True)
class CancelRun:
    """To the workbench: nobody waits for this run any more."""

    run: int


@dataclass(frozen=True)
class RunEvent:
    """From the workbench: something happened in a run."""

    run: int
    event: Event


@dataclass(frozen=True)
class RunEnded:
    """From the workbench: a run has ended, with this answer; without one, it was cancelled."""

    run: int
    answer: Answer | None


@dataclass(frozen=True)
class RunFailed:
    """From the workbench: a run has failed."""

    run: int
    error: BaseException


WorkerMessage = StartRun | CancelRun | RunEvent | RunEnded | RunFailed


def packed(parcel: WorkerMessage) -> bytes:
    """Return a parcel as it is sent."""
    data = pickle.dumps(parcel)
    return _LENGTH.pack(len(data)) + data


async def unpacked(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 - a parcel, of one end's kinds
    """Return the next parcel; None where the other end has left."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))  # noqa: S301 - from our own process
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
