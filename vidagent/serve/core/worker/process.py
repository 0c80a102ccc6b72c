"""The worker process that executes the server's runs; it exits with the server."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import vidagent.agents.client.chat_model  # noqa: F401 - loaded here, before the fork: the first run need not wait
from vidagent import api, tracing
from vidagent.graphs.events import Event, Listener
from vidagent.serve.core.http.logs import json_logging
from vidagent.serve.core.worker.protocol import (
    CancelRun,
    RunEnded,
    RunEvent,
    RunFailed,
    RunRequest,
    StartRun,
    WorkerMessage,
    encode,
    receive,
    send,
)
from vidagent.types import Answer, VideoInfo

_NICE, _PROBE_NICE = 10, 5
"""Niceness of runs and of probes, with their decoders: the server answers at once, and what is short comes first."""


def work(channel: socket.socket, environment: Mapping[str, str], folder: Path) -> None:
    """Answer questions until the server closes the channel."""
    _settle(environment, folder, _NICE)
    with json_logging(sys.stderr):
        asyncio.run(_serve(channel))
    tracing.flush()


def probe(
    channel: socket.socket, environment: Mapping[str, str], folder: Path, path: Path, limit_s: float
) -> None:
    """Send the facts of a video, or the error; the process ends itself where nobody ends it in time."""
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    _settle(environment, folder, _PROBE_NICE)
    found: VideoInfo | Exception
    try:
        found = api.probe_video(path).info
    except Exception as error:  # noqa: BLE001 - the server reports it to its client, or logs it
        found = _picklable(error)
    with channel, suppress(OSError):  # the upload's client has left
        channel.sendall(encode(found))


def _settle(environment: Mapping[str, str], folder: Path, nice: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the server gets them too, and closes the channel
        signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.nice(nice)


async def _serve(channel: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=channel)
    runs = _Runs(writer)
    try:
        while (message := await receive(reader)) is not None:
            runs.handle(message)
    finally:
        await runs.close()


class _Runs:
    """The current runs."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._runs: dict[int, asyncio.Task[None]] = {}

    def handle(self, message: StartRun | CancelRun) -> None:
        """Start or cancel a run."""
        match message:
            case StartRun(number, request):
                self._runs[number] = task = asyncio.create_task(self._run(number, request))
                task.add_done_callback(lambda _: self._runs.pop(number))
            case CancelRun(number) if number in self._runs:
                self._runs[number].cancel()

    async def close(self) -> None:
        """Cancel all runs."""
        runs = list(self._runs.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        self._writer.close()

    async def _run(self, number: int, request: RunRequest) -> None:
        def report(event: Event) -> None:  # may be called from another thread
            self._loop.call_soon_threadsafe(send, self._writer, RunEvent(number, event))

        end: WorkerMessage
        try:
            with tracing.continue_trace(request.trace):
                answer = await _answer(request, report)
            end = RunEnded(number, answer)
        except asyncio.CancelledError:
            end = RunEnded(number, None)
        except Exception as error:  # noqa: BLE001 - the server reports it to its client, or logs it
            end = RunFailed(number, _picklable(error))
        self._loop.call_soon(send, self._writer, end)  # after the events


async def _answer(request: RunRequest, report: Listener) -> Answer:
    arguments: dict[str, Any] = {
        "budget": request.budget,
        "session": request.session,
        "model": request.model,
        "resume": request.resume,
        "on_event": report,
        "stream": request.stream,
    }
    if request.summary is not None:
        return await api.asummarize_video(request.paths[0], request.summary, **arguments)
    return await api.aanalyze_video(
        request.paths, request.question, options=request.options, schema=request.schema, **arguments
    )


def _picklable(error: Exception) -> Exception:
    """Return an error that can be sent, with its traceback as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just dumped
    except Exception:  # noqa: BLE001 - libraries' exceptions may fail to pickle in any way
        return RuntimeError("\n".join([repr(error), *error.__notes__]))
    return error
