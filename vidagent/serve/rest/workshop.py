"""Where runs go on: an event loop in a thread of its own, so that replies to others never wait for a run's work."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Workshop"]

T = TypeVar("T")


class Workshop:
    """The loop, which starts with its first run."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._thread: threading.Thread | None = None
        self._started = threading.Event()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what some work comes to; it has ended when this returns, also where it is cancelled."""
        here, ended, tasks = asyncio.get_running_loop(), asyncio.Event(), list[asyncio.Task[T]]()

        def begin() -> None:
            task = self._loop.create_task(work)
            task.add_done_callback(lambda _: here.call_soon_threadsafe(ended.set))
            tasks.append(task)

        await self._start()
        self._loop.call_soon_threadsafe(begin, context=contextvars.copy_context())
        try:
            await ended.wait()
        except asyncio.CancelledError:
            self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            await ended.wait()
            if not tasks[0].cancelled():
                tasks[0].exception()  # what came of it is nobody's any more
            raise
        return tasks[0].result()

    def close(self) -> None:
        """End the loop, and what still goes on in it."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()
            self._thread = None

    async def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="workshop", daemon=True)
            self._thread.start()
        if not self._started.is_set():
            await asyncio.to_thread(self._started.wait)

    def _serve(self) -> None:
        async def stay() -> None:
            self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
            self._started.set()
            await self._closing.wait()

        with asyncio.Runner() as runner:
            runner.run(stay())
