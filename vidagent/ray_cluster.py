"""Work on a Ray cluster: tasks whose results are streamed to this process, given out again when a worker is lost.

As this process alone keeps results, none is lost or doubled, whatever happens to workers and nodes.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from vidagent.errors import UsageError
from vidagent.text import counted

Item = TypeVar("Item")
Result = TypeVar("Result")
Setup = TypeVar("Setup")
_ATTEMPTS = 4
"""How often an item is given out before its loss is its result."""
_WAIT_S = 1.0
_CONNECT_S = 10.0


class LostError(Exception):
    """An item was given out again and again, and each time its worker was lost."""


@dataclass(frozen=True, slots=True)
class Job(Generic[Item, Result, Setup]):
    """What is done with items.

    Args:
        work: Runs in a worker over items and the setup, and yields the result of each as it comes.
        setup: What all items have in common; goes to the workers with each task.
        take: Returns the items of the next task; none if there are none left now.
        key_of: The identity of an item.
        key_in: The identity of a result's item.
        failed: The result of an item that no worker could work on.
        keep: Takes the results as they come.
        tell: Takes what happens, for people.
        noun: What an item is, for people.
    """

    work: Callable[[list[Item], Setup], Iterator[Result]]
    setup: Setup
    take: Callable[[], Sequence[Item]]
    key_of: Callable[[Item], object]
    key_in: Callable[[Result], object]
    failed: Callable[[Item, Exception], Result]
    keep: Callable[[Result], None]
    tell: Callable[[str], None]
    noun: str


@dataclass
class _Task(Generic[Item]):
    """Items given out together.

    Args:
        items: Those that no result has come for, by their identity.
        attempts: How often they were given out.
    """

    items: dict[object, Item] = field(default_factory=dict)
    attempts: int = 0


class Tasks(Generic[Item, Result, Setup]):
    """Gives tasks out, and takes results in.

    Args:
        ray: The library, connected.
        job: What is done.
    """

    def __init__(self, ray: Any, job: Job[Item, Result, Setup]) -> None:  # noqa: ANN401 - an untyped module
        """Make the remote function."""
        self._ray, self._job = ray, job
        self._remote = ray.remote(
            num_cpus=1, max_retries=0, num_returns="streaming", scheduling_strategy="SPREAD"
        )(job.work)
        self._running: dict[Any, _Task[Item]] = {}
        self._waiting: deque[_Task[Item]] = deque()

    def run(self, most: int) -> None:
        """Give out all items, so many tasks at once, until each has its result."""
        try:
            while True:
                while len(self._running) < most and (task := self._next()) is not None:
                    self._give_out(task)
                if not self._running:
                    break
                ready, _ = self._ray.wait(
                    list(self._running), num_returns=1, timeout=_WAIT_S, fetch_local=False
                )
                for stream in ready:
                    self._take_in(stream)
        finally:
            for stream in self._running:
                self._ray.cancel(stream, force=True)

    def _next(self) -> _Task[Item] | None:
        if self._waiting:
            return self._waiting.popleft()
        items = {self._job.key_of(item): item for item in self._job.take()}
        return _Task(items) if items else None

    def _give_out(self, task: _Task[Item]) -> None:
        task.attempts += 1
        self._running[self._remote.remote(list(task.items.values()), self._job.setup)] = task

    def _take_in(self, stream: Any) -> None:  # noqa: ANN401 - Ray's own
        """Take the next result of a task; at its end, or its loss, see what is left of it."""
        task = self._running[stream]
        try:
            result: Result = self._ray.get(next(stream))
        except StopIteration:
            self._end(stream, "its end came early")
        except self._ray.exceptions.RayTaskError as error:
            self._fail(stream, error.cause if isinstance(error.cause, Exception) else error)
        except self._ray.exceptions.RayError as error:
            self._end(stream, f"{type(error).__name__}")
        else:
            if task.items.pop(self._job.key_in(result), None) is not None:
                self._job.keep(result)

    def _end(self, stream: Any, why: str) -> None:  # noqa: ANN401 - Ray's own
        task = self._running.pop(stream)
        if not task.items:
            return
        if task.attempts < _ATTEMPTS:
            left = counted(len(task.items), f"open {self._job.noun}")
            self._job.tell(f"a task was lost ({why}); {left} of it will be given out again")
            self._waiting.appendleft(task)
            return
        lost = LostError(f"its worker was lost {_ATTEMPTS} times ({why})")
        for item in task.items.values():
            self._job.keep(self._job.failed(item, lost))

    def _fail(self, stream: Any, error: Exception) -> None:  # noqa: ANN401 - Ray's own
        """Enter the error of a task that could not begin as that of its items."""
        for item in self._running.pop(stream).items.values():
            self._job.keep(self._job.failed(item, error))


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
def connected(address: str) -> Iterator[Any]:
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


def workers_of(ray: Any, asked: int | None) -> int:  # noqa: ANN401 - an untyped module
    """Return how many tasks run at once: as many as asked for, or one for each CPU of the cluster."""
    return asked or max(1, int(ray.cluster_resources().get("CPU", 1)))
