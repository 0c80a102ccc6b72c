"""A batch on a Ray cluster: tasks of whole videos, results streamed to this process, which alone writes the output."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

from vidagent.ray_cluster import Job, Tasks, connected, workers_of
from vidagent.serve.batch.input_file import InputLine
from vidagent.serve.batch.model import connect
from vidagent.serve.batch.output_file import KEY, Result, failed
from vidagent.serve.batch.runner import answer_lines as answer_here
from vidagent.serve.batch.runner import chains
from vidagent.serve.batch.setup import Setup
from vidagent.text import counted

_SHARES = 2
"""A task is one of so many for each worker of what is left: long ones at first, short ones to end together."""
_ROUNDS = (2, 16)
"""A task's least and most lines, over the lines that a worker has under way."""


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
    with connected(address) as ray:
        most = workers_of(ray, workers)
        share = dataclasses.replace(setup, calls=max(1, setup.calls // most))
        tell(f"Ray cluster of {counted(len(ray.nodes()), 'node')}, {counted(most, 'task')} at once")
        job = Job(
            work=_answer_in_worker,
            setup=share,
            take=Supply(lines, most, setup.concurrency).take,
            key_of=lambda line: line.key,
            key_in=lambda result: result[KEY],
            failed=failed,
            keep=keep,
            tell=tell,
            noun="line",
        )
        Tasks(ray, job).run(most)


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
