"""Where runs go on: a process of their own, so that replies to others never wait for a run's work."""

from __future__ import annotations

import asyncio
import atexit
import itertools
import multiprocessing
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from vidagent.graphs.events import Event
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.worker import process as workbench
from vidagent.serve.core.worker.protocol import (
    CancelRun,
    RunEnded,
    RunEvent,
    RunFailed,
    RunRequest,
    StartRun,
    WorkerMessage,
    packed,
    unpacked,
)
from vidagent.types import Answer

_END_S = 10.0
"""What the process has to end its runs when the server closes; then it is killed."""

Hear = Callable[[Event], None]


class WorkerClient:
    """Keeps the process, and starts another one where it has died. All its calls belong to one event loop."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._bench: _Bench | None = None
        self._starting = asyncio.Lock()

    async def run(self, order: RunRequest, hear: Hear) -> Answer:
        """Return the answer to a question; the run has ended when this returns, also where it is cancelled.

        Args:
            order: The question.
            hear: Called with each event of the run, all of them before this returns.

        Raises:
            ApiError: If the process has died, out of memory for example.
            VidagentError: If the run fails.
        """
        return await (await self._staffed()).run(order, hear)

    async def open(self) -> None:
        """Start the process, so that the first question need not wait for it."""
        await self._staffed()

    async def close(self) -> None:
        """End the process, and what still goes on in it."""
        if self._bench is not None:
            await self._bench.close()
            self._bench = None

    async def _staffed(self) -> _Bench:
        async with self._starting:
            if self._bench is None or self._bench.gone:
                self._bench = await _start()
            return self._bench


@dataclass
class _Run:
    hear: Hear
    ended: asyncio.Future[Answer | None]


class _Bench:
    """One process, seen from the server."""

    def __init__(
        self, process: ForkServerProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._writer = writer
        self._numbers = itertools.count(1)
        self._runs: dict[int, _Run] = {}
        self._listening = asyncio.create_task(self._listen(reader))

    @property
    def gone(self) -> bool:
        return self._listening.done()

    async def run(self, order: RunRequest, hear: Hear) -> Answer:
        number = next(self._numbers)
        run = _Run(hear, asyncio.get_running_loop().create_future())
        self._runs[number] = run
        self._send(StartRun(number, order))
        try:
            answer = await asyncio.shield(run.ended)
        except asyncio.CancelledError:
            self._send(CancelRun(number))
            await asyncio.wait({run.ended})
            run.ended.exception()  # what came of it is nobody's any more
            raise
        assert answer is not None  # noqa: S101 - only a cancelled run has none
        return answer

    async def close(self) -> None:
        self._writer.close()
        await self._listening
        await asyncio.to_thread(self._process.join, _END_S)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join)

    def _send(self, parcel: WorkerMessage) -> None:
        if not self.gone:
            self._writer.write(packed(parcel))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while (parcel := await unpacked(reader)) is not None:
                self._take(parcel)
        finally:
            self._writer.close()
            for run in self._runs.values():
                run.ended.set_exception(_lost())
            self._runs.clear()

    def _take(self, parcel: RunEvent | RunEnded | RunFailed) -> None:
        match parcel:
            case RunEvent(number, event):
                self._runs[number].hear(event)
            case RunEnded(number, answer):
                self._runs.pop(number).ended.set_result(answer)
            case RunFailed(number, error):
                self._runs.pop(number).ended.set_exception(error)


async def _start() -> _Bench:
    """Start the process by a fork of one that has loaded all it needs; the environment is that of this moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([workbench.__name__])
    ours, theirs = socket.socketpair()
    process = context.Process(
        target=workbench.work, args=(theirs, dict(os.environ), Path.cwd()), name="vidagent-workbench"
    )
    await asyncio.to_thread(process.start)
    theirs.close()
    atexit.register(ours.close)  # before multiprocessing waits for the process, which ends when this closes
    return _Bench(process, *await asyncio.open_connection(sock=ours))


def _lost() -> ApiError:
    told = "the process that this question was answered in has ended, perhaps for want of memory; ask again"
    return ApiError(503, "run_lost", told, {"Retry-After": "1"})
