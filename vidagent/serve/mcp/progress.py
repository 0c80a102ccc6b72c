"""Progress of a tool that takes long, which ends with its client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
from mcp.server.mcpserver.exceptions import ToolError

from vidagent.serve.mcp.context import ToolCall

T = TypeVar("T")


async def with_progress(
    call: ToolCall, run: Coroutine[Any, Any, T], progress: asyncio.Queue[str | None], most_s: float
) -> T:
    """Report a run's progress and return its result; cancel the run if the client disconnects.

    The progress is the seconds that have passed, of the `most_s` that the run may take. The run is a separate task, as
    anyio would cancel every await of its clean-up again.
    """
    task = asyncio.create_task(run)
    task.add_done_callback(lambda _: progress.put_nowait(None))
    disconnect = asyncio.create_task(_until_disconnect(call))
    disconnect.add_done_callback(lambda _: task.cancel())
    try:
        began, told_s = time.monotonic(), 0.0
        while (line := await progress.get()) is not None:
            # It must always increase.
            told_s = max(round(time.monotonic() - began, 3), round(told_s + 0.001, 3))
            await call.report_progress(told_s, max(most_s, told_s), line)
        if task.cancelled():
            raise ToolError("the client has disconnected")
        return await task
    finally:
        disconnect.cancel()
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({task})


async def _until_disconnect(call: ToolCall) -> None:
    """Return when the HTTP exchange of a call has ended; on stdio the SDK cancels the call itself."""
    request = call.request_context.request
    await (asyncio.Event() if request is None else request.state.ended).wait()
