"""Runs many jobs concurrently, up to a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def side_by_side(things: Iterable[T], work: Callable[[T], Awaitable[None]], most: int) -> None:
    """Process each item, at most `most` at a time; the first error stops all and is raised."""
    waiting = iter(things)

    async def go_on() -> None:
        for thing in waiting:
            await work(thing)

    running = [asyncio.ensure_future(go_on()) for _ in range(most)]
    try:
        await asyncio.gather(*running)
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
