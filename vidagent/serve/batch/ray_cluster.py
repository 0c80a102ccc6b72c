"""A batch on a Ray cluster: tasks of whole videos, results streamed to this process, which alone writes the output."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import os
import queue
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from vidagent.errors import UsageError
from vidagent.serve.batch.input_file import InputLine
from vidagent.serve.batch.model import connect
from vidagent.serve.batch.output_file import KEY, Result, failed
from vidagent.serve.batch.runner import answer_lines as answer_here
from vidagent.serve.batch.runner import chains
from vidagent.serve.batch.setup import Setup
from vidagent.text import counted

_ATTEMPTS = 4
"""How often a line is given out before its loss is its result."""
_SHARES = 2
"""A task is one of so many for each worker of what is left: long ones at first, short ones to end together."""
_ROUNDS = (2, 16)
"""A task's least and most lines, over the lines that a worker has under way."""
_WAIT_S = 1.0
_CONNECT_S = 10.0


class LostError(Exception):
    """A line was given out again and again, and each time its worker was lost."""


@dataclass
class _Task:
    """Lines of one video, given out together.

    Args:
        lines: Those that no result has come for.
        attempts: How often they were given out.
    """

    lines: dict[str, InputLine] = field(default_factory=dict)
    attempts: int = 0

    @classmethod
    def of(cls, lines: Sequence[InputLine]) -> _Task:
        """Make a task of lines."""
        return cls({line.key: line for line in lines})


def answer_lines(
    lines: Sequence[InputLine],
    setup: Setup,
    address: str,
    workers: int | None,
    keep: Callable[[Result], None],
    tell: Callable[[str], None],
) -> None:
    """Answer lines on a cluster; at most as many tasks as workers are given out.

    A task whose worker or node is lost is given out again, less the lines whose results had come; as this process
    alone writes them, none is lost or doubled.

    Args:
        lines: The lines.
        setup: How they are answered; goes to the workers with the task, key included.
        address: The cluster's address, or `auto`.
        workers: Most tasks at once; None is one for each CPU of the cluster.
        keep: Takes the results as they come.
        tell: Takes what happens, for people.

    Raises:
        UsageError: If Ray is not installed, or there is no such cluster.
    """
    with _connected(address) as ray:
        most = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        share = dataclasses.replace(setup, calls=max(1, setup.calls // most))
        tell(f"Ray cluster of {counted(len(ray.nodes()), 'node')}, {counted(most, 'task')} at once")
        _Tasks(ray, share, keep, tell).run(Supply(lines, most, setup.concurrency), most)


class Supply:
    """Cuts lines into tasks as they are asked for: whole videos where they fit, and sessions always whole.

    A task's end leaves places of its worker empty, so tasks are long while much is left, and shorter later, so that
    no worker waits long for the last one (guided self-scheduling, Polychronopoulos and Kuck 1987).

    Args:
        lines: The lines.
        workers: How many tasks run at once.
        size: How many lines a worker has under way.
    """

    def __init__(self, lines: Sequence[InputLine], workers: int, size: int) -> None:
        """Put those of a video together."""
        self._chains = deque(chains(lines))
        self._shares = workers * _SHARES if workers > 1 else 1
        self._least, self._most = (rounds * size for rounds in _ROUNDS)
        self._rest = Counter(_media([line]) for line in lines)

    def __bool__(self) -> bool:
        """Whether there are lines left."""
        return bool(self._chains)

    def take(self) -> list[InputLine]:
        """Return the lines of the next task."""
        size = min(max(math.ceil(self._rest.total() / self._shares), self._least), self._most)
        taken: list[InputLine] = []
        last = None
        while self._chains and (
            len(taken) < size or (_media(self._chains[0]) == last and self._rest[last] < self._least)
        ):
            chain = self._chains.popleft()
            last = _media(chain)
            self._rest[last] -= len(chain)
            taken.extend(chain)
        return taken


def _media(chain: Sequence[InputLine]) -> str:
    return chain[0].item.media if chain[0].item else ""


class _Tasks:
    """Gives tasks out, and takes results in.

    Args:
        ray: The library.
        setup: How lines are answered.
        keep: Takes the results.
        tell: Takes what happens.
    """

    def __init__(
        self,
        ray: Any,  # noqa: ANN401 - an untyped module
        setup: Setup,
        keep: Callable[[Result], None],
        tell: Callable[[str], None],
    ) -> None:
        """Remember the library and the callbacks."""
        self._ray, self._setup, self._keep, self._tell = ray, setup, keep, tell
        self._remote = ray.remote(
            num_cpus=1, max_retries=0, num_returns="streaming", scheduling_strategy="SPREAD"
        )(_answer_in_worker)
        self._running: dict[Any, _Task] = {}

    def run(self, supply: Supply, most: int) -> None:
        """Give out all lines, so many tasks at once, until each line has its result."""
        waiting: deque[_Task] = deque()
        try:
            while waiting or supply or self._running:
                while (waiting or supply) and len(self._running) < most:
                    self._give_out(waiting.popleft() if waiting else _Task.of(supply.take()))
                ready, _ = self._ray.wait(
                    list(self._running), num_returns=1, timeout=_WAIT_S, fetch_local=False
                )
                for stream in ready:
                    self._take_in(stream, waiting)
        finally:
            for stream in self._running:
                self._ray.cancel(stream, force=True)

    def _give_out(self, task: _Task) -> None:
        task.attempts += 1
        self._running[self._remote.remote(list(task.lines.values()), self._setup)] = task

    def _take_in(self, stream: Any, waiting: deque[_Task]) -> None:  # noqa: ANN401 - Ray's own
        """Take the next result of a task; at its end, or its loss, see what is left of it."""
        task = self._running[stream]
        try:
            result: Result = self._ray.get(next(stream))
        except StopIteration:
            self._end(stream, waiting, "its end came early")
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            self._fail(stream, cause)
        except self._ray.exceptions.RayError as error:
            self._end(stream, waiting, f"{type(error).__name__}")
        else:
            if task.lines.pop(result[KEY], None) is not None:
                self._keep(result)

    def _end(self, stream: Any, waiting: deque[_Task], why: str) -> None:  # noqa: ANN401 - Ray's own
        task = self._running.pop(stream)
        if not task.lines:
            return
        if task.attempts < _ATTEMPTS:
            self._tell(
                f"a task was lost ({why}); {counted(len(task.lines), 'open line')} of it will be given out again"
            )
            waiting.appendleft(task)
            return
        lost = LostError(f"its worker was lost {_ATTEMPTS} times ({why})")
        for line in task.lines.values():
            self._keep(failed(line, lost))

    def _fail(self, stream: Any, error: Exception) -> None:  # noqa: ANN401 - Ray's own
        """Enter the error of a task that could not begin as that of its lines."""
        for line in self._running.pop(stream).lines.values():
            self._keep(failed(line, error))


def _answer_in_worker(lines: list[InputLine], setup: Setup) -> Iterator[Result]:
    """Answer lines in a worker's process and yield their results as they come."""
    results: queue.Queue[Result | BaseException | None] = queue.Queue()

    async def done(result: Result) -> None:
        results.put(result)

    def work() -> None:
        try:
            asyncio.run(answer_here(lines, setup, connect(setup), done))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            results.put(error)
        else:
            results.put(None)

    threading.Thread(target=work, daemon=True).start()
    while (result := results.get()) is not None:
        if isinstance(result, BaseException):
            raise result
        yield result


def _check_address(address: str) -> None:
    """Refuse an address on which nothing listens: Ray itself would try for minutes.

    Raises:
        UsageError: If nothing listens there.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return  # `auto`, or a form that Ray finds its own way with
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Ray cluster at {address}: {error}") from None


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Join a cluster, and leave it in the end.

    Raises:
        UsageError: If Ray is not installed, or there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UsageError("--ray needs Ray: pip install 'vidagent[ray]'") from None
    _check_address(address)
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"no Ray cluster at {address}: {reason}") from None
    try:
        yield ray
    finally:
        ray.shutdown()
