"""Client of the worker process that executes runs, so that other requests never wait for a run's work."""

from __future__ import annotations

import asyncio
import atexit
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess

from vidagent.graphs.events import Event
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.worker import process as worker_process
from vidagent.serve.core.worker.fork import fork
from vidagent.serve.core.worker.protocol import (
    CancelRun,
    RunEnded,
    RunEvent,
    RunFailed,
    RunRequest,
    StartRun,
    receive,
    send,
)
from vidagent.types import Answer

_SHUTDOWN_S = 10.0
"""Time the worker gets to end its runs when the server closes, before it is killed."""

OnEvent = Callable[[Event], None]


class WorkerClient:
    """Starts the worker, and a new one if it has died. All calls belong to one event loop."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._worker: _Worker | None = None
        self._starting = asyncio.Lock()

    async def run(self, request: RunRequest, on_event: OnEvent) -> Answer:
        """Return the answer to a question; the run has ended when this returns, even if it is cancelled.

        Raises:
            ApiError: If the worker has died, for example out of memory.
            VidagentError: If the run fails.
        """
        return await (await self._live_worker()).run(request, on_event)

    async def open(self) -> None:
        """Start the worker, so that the first question does not wait for it."""
        await self._live_worker()

    async def close(self) -> None:
        """Stop the worker and its runs."""
        if self._worker is not None:
            await self._worker.close()
            self._worker = None

    async def _live_worker(self) -> _Worker:
        async with self._starting:
            if self._worker is None or self._worker.dead:
                self._worker = await _start()
            return self._worker


@dataclass
class _Run:
    on_event: OnEvent
    ended: asyncio.Future[Answer | None]


class _Worker:
    """One worker process, seen from the server."""

    def __init__(
        self, process: ForkServerProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._writer = writer
        self._numbers = itertools.count(1)
        self._runs: dict[int, _Run] = {}
        self._reading = asyncio.create_task(self._read(reader))

    @property
    def dead(self) -> bool:
        return self._reading.done()

    async def run(self, request: RunRequest, on_event: OnEvent) -> Answer:
        number = next(self._numbers)
        run = _Run(on_event, asyncio.get_running_loop().create_future())
        self._runs[number] = run
        send(self._writer, StartRun(number, request))
        try:
            answer = await asyncio.shield(run.ended)
        except asyncio.CancelledError:
            send(self._writer, CancelRun(number))
            await asyncio.wait({run.ended})
            run.ended.exception()  # marks it as retrieved
            raise
        assert answer is not None  # noqa: S101 - only a cancelled run has none
        return answer

    async def close(self) -> None:
        self._writer.close()
        await self._reading
        await asyncio.to_thread(self._process.join, _SHUTDOWN_S)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while (message := await receive(reader)) is not None:
                self._handle(message)
        finally:
            self._writer.close()
            for run in self._runs.values():
                run.ended.set_exception(_run_lost())
            self._runs.clear()

    def _handle(self, message: RunEvent | RunEnded | RunFailed) -> None:
        match message:
            case RunEvent(number, event):
                self._runs[number].on_event(event)
            case RunEnded(number, answer):
                self._runs.pop(number).ended.set_result(answer)
            case RunFailed(number, error):
                self._runs.pop(number).ended.set_exception(error)


async def _start() -> _Worker:
    process, ours, reader, writer = await fork(worker_process.work, name="vidagent-worker")
    atexit.register(ours.close)  # before multiprocessing joins the worker, which exits when this closes
    return _Worker(process, reader, writer)


def _run_lost() -> ApiError:
    message = "the worker process of this question has died, perhaps out of memory; ask again"
    return ApiError(503, "run_lost", message, {"Retry-After": "1"})
