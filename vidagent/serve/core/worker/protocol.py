"""Messages between the server and its worker process: length-prefixed pickles over a private socket pair."""

from __future__ import annotations

import asyncio
import pickle
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidagent.graphs.events import Event
from vidagent.summary import Length
from vidagent.types import Answer, Budget

_LENGTH = struct.Struct("!Q")


@dataclass(frozen=True)
class RunRequest:
    """Arguments of one run."""

    paths: tuple[Path, ...]
    question: str
    options: tuple[str, ...] | None
    budget: Budget
    summary: Length | None = None
    schema: dict[str, Any] | None = None
    session: str | None = None
    model: str | None = None
    resume: str | None = None
    stream: bool = False
    trace: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StartRun:
    """To the worker: start a run."""

    run: int
    request: RunRequest


@dataclass(frozen=True)
class CancelRun:
    """To the worker: cancel a run."""

    run: int


@dataclass(frozen=True)
class RunEvent:
    """From the worker: an event of a run."""

    run: int
    event: Event


@dataclass(frozen=True)
class RunEnded:
    """From the worker: a run has ended with this answer, or with None because it was cancelled."""

    run: int
    answer: Answer | None


@dataclass(frozen=True)
class RunFailed:
    """From the worker: a run has failed."""

    run: int
    error: BaseException


WorkerMessage = StartRun | CancelRun | RunEvent | RunEnded | RunFailed


def encode(message: object) -> bytes:
    """Return a message as it goes over the socket."""
    data = pickle.dumps(message)
    return _LENGTH.pack(len(data)) + data


def send(writer: asyncio.StreamWriter, message: WorkerMessage) -> None:
    """Queue a message for the other end, unless the socket is closing."""
    if not writer.is_closing():
        writer.write(encode(message))


async def receive(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401 - what that end sends
    """Return the next message; None if the other end has closed."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))  # noqa: S301 - from our own process
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
