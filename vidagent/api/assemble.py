"""Puts the parts of a run together: a video, its index, a model, a budget and the graph."""

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
from vidagent.runs.folder import RunFolder
from vidagent.runs.recorder import Saver, Trace
from vidagent.runs.request import Request
from vidagent.types import Budget
from vidagent.video.cache.video_cache import VideoCache, default_folder
from vidagent.video.index.transcript import Stop
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video

_RECURSION_LIMIT = 10_000
"""Steps of the graph; budgets end a run long before."""


def cache_folder(settings: Settings) -> Path:
    """Return the folder of indexes, runs and sessions."""
    return settings.cache_dir or default_folder()


@asynccontextmanager
async def open_video(path: str | Path, settings: Settings) -> AsyncIterator[Video]:
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
async def open_checkpoints(folder: RunFolder, trace: Trace | None = None) -> AsyncIterator[Saver]:
    """Open the checkpoints of a run, whose saved steps are noted in its trace."""
    async with Saver.from_conn_string(str(folder.checkpoint)) as saver:
        assert isinstance(saver, Saver)  # noqa: S101 - the base class's annotation names itself
        saver.trace = trace
        yield saver


@asynccontextmanager
async def open_graph(
    folder: RunFolder, looks: int, trace: Trace | None = None
) -> AsyncIterator[tuple[Graph, RunnableConfig]]:
    """Open the graph of a run and its checkpoints; at most `looks` steps run side by side."""
    async with open_checkpoints(folder, trace) as saver:
        thread = {"thread_id": folder.run_id}
        yield (
            build(saver),
            {"configurable": thread, "recursion_limit": _RECURSION_LIMIT, "max_concurrency": looks},
        )


def make_run(
    client: ModelClient,
    video: Video,
    request: Request,
    folder: RunFolder,
    budget: Budget,
    on_event: Listener,
    *,
    stream: bool = False,
) -> Run:
    """Return what the graph's steps work with; its clock starts now."""
    profile, settings = client.profile, request.settings
    cache = VideoCache(settings.cache_dir, settings.cache_mb)
    index = Index(video, cache, ear=speech.connect(settings))
    caps, note = caps_of(profile, request.overview, video.info)
    run = Run(
        client=client,
        video=video,
        index=index,
        store=FrameStore(folder.frames),
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


def ignore(event: Event) -> None:
    """Ignore an event."""
