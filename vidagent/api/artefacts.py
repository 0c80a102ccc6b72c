"""What is made of an earlier run for people: its report, and clips of its answer's places; no model is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from vidagent.api.assemble import graph_of, nobody, opened, run_of
from vidagent.api.runs import brief_of, find_run
from vidagent.errors import UsageError
from vidagent.graphs.answer import close
from vidagent.reports.export.clips import write_clip
from vidagent.reports.export.export import take_away
from vidagent.reports.export.export_request import Order
from vidagent.runs.recorded_run import Past
from vidagent.runs.resume import kept_state
from vidagent.types import Span
from vidagent.video.video import Video


async def report_run(run_id: str, report: Path, *, video: str | Path | None = None) -> None:
    """Write the report of an earlier run about one video, as `analyze_video` does of a new one.

    Args:
        run_id: A run that came to an answer.
        report: Where to.
        video: Its video, where that no longer lies where it was.

    Raises:
        UsageError: If there is no such run, it has no answer, or this is another video.
        VideoError: If the video cannot be read.
    """
    async with _again(run_id, video) as (past, opened_video):
        client = await asyncio.to_thread(past.client)
        run = run_of(client, opened_video, brief_of(past), past.record, past.budget, nobody)
        async with graph_of(past.record, client.profile.look_concurrency) as (graph, thread):
            state = await kept_state(graph, thread)

        def write() -> None:
            answer = close(state, run, run_id=past.record.run_id, frame_path=past.frame_path)
            take_away(Order(report=report), past.as_told(answer), state, run)

        await asyncio.to_thread(write)


async def clip_run(run_id: str, number: int, clip: Path, *, video: str | Path | None = None) -> None:
    """Write one of the places of an earlier run's answer as an mp4.

    Args:
        run_id: A run about one video that came to an answer.
        number: Which of the answer's spans, counted from 0.
        clip: Where to.
        video: Its video, where that no longer lies where it was.

    Raises:
        UsageError: If there is no such run or span, or this is another video.
        VideoError: If the video cannot be read.
    """
    async with _again(run_id, video) as (past, opened_video):
        spans = past.check_replay()["spans"]
        if not 0 <= number < len(spans):
            raise UsageError(f"the answer has {len(spans)} spans, counted from 0; got {number}")
        span = Span(spans[number]["start_s"], spans[number]["end_s"])
        await asyncio.to_thread(write_clip, opened_video, span, clip)


@asynccontextmanager
async def _again(run_id: str, path: str | Path | None) -> AsyncIterator[tuple[Past, Video]]:
    """Find a run and open its video; closing it ends what goes on with it in a thread."""
    past = await asyncio.to_thread(find_run, run_id)
    past.check_replay()
    if past.several:
        raise UsageError(f"run {run_id} is about several videos")
    async with opened(path or past.told["video"]["absolute"], brief_of(past).settings) as video:
        past.check_video(video.info)
        yield past, video
