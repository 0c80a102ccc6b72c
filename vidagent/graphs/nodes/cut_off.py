"""Replies that a budget cuts off: what was sent for them is noted, as it was not seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from vidagent.errors import BudgetSpent, ModelError
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.state import Unanswered
from vidagent.images.shown_frame import ShownFrame

T = TypeVar("T")


async def answered(reply: Awaitable[T], entry: str, stills: Sequence[ShownFrame], meter: StepMeter) -> T:
    """Return the reply to the frames of a look; if it is cut off, note that they were sent, and not answered."""
    try:
        return await reply
    except (BudgetSpent, ModelError, asyncio.CancelledError):
        if meter.frames_sent and stills:
            times = [still.time_s for still in stills]
            sent = Unanswered(frames=len(times), start_s=min(times), end_s=max(times))
            meter.partial = {**meter.partial, "unanswered": {entry: sent}}
        raise
