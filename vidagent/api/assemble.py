"""The one place where the parts are put together: a video, its index, a model, a budget and the graph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from langchain_core.runnables import RunnableConfig

from vidagent.agents.client.client import ModelClient
from vidagent.agents.server import speech
from vidagent.config import Settings
from vidagent.graphs.answer_graph import Graph, build
from vidagent.graphs.budget import Meter
from vidagent.graphs.events import Event, Listener
from vidagent.graphs.look_size import caps_of
from vidagent.graphs.state import Run
from vidagent.images.store import FrameStore
from vidagent.runs.folder import Record
from vidagent.runs.recorder import Saver, Trace
from vidagent.runs.request import Brief
from vidagent.types import Budget
from vidagent.video.cache.video_cache import VideoCache, default_folder
from vidagent.video.index.transcript import Stop
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video

_ENDLESS = 10_000


def cache_of(settings: Settings) -> Path:
    """Return the folder of indices and runs."""
    return settings.cache_dir or default_folder()


@asynccontextmanager
async def opened(path: str | Path, settings: Settings) -> AsyncIterator[Video]:
    """Open a video, and close it in the end.

    Raises:
        VideoError: If it is missing, unreadable or unsupported.
    """
    video = await asyncio.to_thread(lambda: Video.open(path, decoder=settings.decoder))
    try:
        yield video
    finally:
        video.close()


@asynccontextmanager
async def graph_of(
    record: Record, looks: int, trace: Trace | None = None
) -> AsyncIterator[tuple[Graph, RunnableConfig]]:
    """Open the checkpoints of a run; at most `looks` steps go on side by side."""
    async with Saver.from_conn_string(str(record.checkpoint)) as saver:
        if isinstance(saver, Saver):
            saver.trace = trace
        yield (
            build(saver),
            {
                "configurable": {"thread_id": record.run_id},
                "recursion_limit": _ENDLESS,
                "max_concurrency": looks,
            },
        )


def run_of(
    client: ModelClient,
    video: Video,
    brief: Brief,
    record: Record,
    budget: Budget,
    on_event: Listener,
    *,
    stream: bool = False,
) -> Run:
    """Return what the steps work with, its clock started."""
    profile = client.profile
    index = Index(
        video,
        VideoCache(brief.settings.cache_dir, brief.settings.cache_mb),
        ear=speech.connect(brief.settings),
    )
    caps, note = caps_of(profile, brief.overview, video.info)
    run = Run(
        client=client,
        video=video,
        index=index,
        store=FrameStore(record.frames),
        caps=caps,
        budget=budget,
        meter=Meter(budget, profile.frame_tokens, profile.thinking.allotted),
        emit=on_event,
        stream=stream,
    )
    index.on_progress = lambda share: run.tell("progress", f"indexing, {share:.0%}", fraction=share)
    index.stop = Stop(left_s=lambda: run.meter.left("seconds"), closed=lambda: video.closed)
    if note:
        run.tell("note", note, "survey")
    return run


def nobody(event: Event) -> None:
    """Hear an event and do nothing."""
