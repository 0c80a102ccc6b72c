"""The process that the server's runs go on in; it ends when the server does."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

import vidagent.agents.client.chat_model  # noqa: F401 - loaded here, before the fork: the first run need not wait
from vidagent import api, tracing
from vidagent.graphs.events import Event
from vidagent.serve.core.http.logs import json_logging
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

_NICE = 10
"""Runs and their decoders leave the processor to the server itself, which has to answer others at once."""


def work(channel: socket.socket, environment: Mapping[str, str], folder: Path) -> None:
    """Answer questions until the server closes the channel.

    Args:
        channel: Where questions come from, and answers go to.
        environment: The server's environment.
        folder: The server's working folder.
    """
    for ending in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # those of a terminal or a service manager reach the server too
        signal.signal(ending, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.nice(_NICE)
    with json_logging(sys.stderr):
        asyncio.run(_serve(channel))
    tracing.flush()


async def _serve(channel: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=channel)
    bench = _Bench(writer)
    try:
        while (parcel := await unpacked(reader)) is not None:
            bench.take(parcel)
    finally:
        await bench.close()


class _Bench:
    """The runs that go on.

    Args:
        writer: Where what happens is told.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._runs: dict[int, asyncio.Task[None]] = {}

    def take(self, parcel: StartRun | CancelRun) -> None:
        """Do what the server wants."""
        match parcel:
            case StartRun(number, order):
                self._runs[number] = task = asyncio.create_task(self._run(number, order))
                task.add_done_callback(lambda _: self._runs.pop(number))
            case CancelRun(number) if number in self._runs:
                self._runs[number].cancel()

    async def close(self) -> None:
        """End all runs; nobody hears of it any more."""
        runs = list(self._runs.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        self._writer.close()

    async def _run(self, number: int, order: RunRequest) -> None:
        def hear(event: Event) -> None:  # a scan tells its progress from another thread
            self._loop.call_soon_threadsafe(self._send, RunEvent(number, event))

        end: WorkerMessage
        try:
            with tracing.continue_trace(order.trace):
                answer = await api.aanalyze_video(
                    order.path,
                    order.question,
                    options=order.options,
                    budget=order.budget,
                    session=order.session,
                    resume=order.resume,
                    on_event=hear,
                    stream=order.stream,
                )
            end = RunEnded(number, answer)
        except asyncio.CancelledError:
            end = RunEnded(number, None)
        except Exception as error:  # noqa: BLE001 - the server tells it its client, or its log
            end = RunFailed(number, _sent(error))
        self._loop.call_soon(self._send, end)  # behind the events

    def _send(self, parcel: WorkerMessage) -> None:
        if not self._writer.is_closing():
            self._writer.write(packed(parcel))


def _sent(error: Exception) -> Exception:
    """Return an error as it can be sent, with a note of where it came from."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just dumped
    except Exception:  # noqa: BLE001 - of a library's own making
        return RuntimeError("\n".join([repr(error), *error.__notes__]))
    return error
