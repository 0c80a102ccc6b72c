"""Puts the parts of a run together: a video, its index, a model, a budget and the graph."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from vidagent.agents.client.client import ModelClient
from vidagent.agents.server import embeddings
from vidagent.agents.speech.choice import ear_of
from vidagent.config import Settings
from vidagent.errors import UsageError
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
from vidagent.video.content import KnownFiles
from vidagent.video.index.transcript import Stop
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}
_LONG_S = 300.0
_MOST_READING = 3.0
"""Videos longer than this many seconds may be read for longer, up to so many times."""
_RECURSION_LIMIT = 10_000
"""Steps of the graph; budgets end a run long before."""


def cache_folder(settings: Settings) -> Path:
    """Return the folder of indexes, runs and sessions."""
    return settings.cache_dir or default_folder()


def open_with(settings: Settings, path: str | Path) -> Video:
    """Open a video with the decoder and the stream of the settings.

    Raises:
        VideoError: If it is missing, unreadable or unsupported.
    """
    known = KnownFiles(cache_folder(settings))
    return Video.open(path, decoder=settings.decoder, stream=settings.video_stream, known=known)


@asynccontextmanager
async def open_video(path: str | Path, settings: Settings) -> AsyncIterator[Video]:
    """Open a video, and close it in the end.

    Raises:
        VideoError: If it is missing, unreadable or unsupported.
    """
    video = await asyncio.to_thread(open_with, settings, path)
    try:
        yield video
    finally:
        video.close()


@asynccontextmanager
async def open_checkpoints(folder: RunFolder, trace: Trace | None = None) -> AsyncIterator[Saver]:
    """Open the checkpoints of a run, whose saved steps are noted in its trace.

    They stay the run's own where it is called in a node or a tool of another graph, whose checkpointer would take their
    place.

    Raises:
        UsageError: If the disk is full or read-only, then or during the block.
    """
    outer = var_child_runnable_config.set(None)
    try:
        async with Saver.from_conn_string(str(folder.checkpoint)) as saver:
            assert isinstance(saver, Saver)  # noqa: S101 - the base class's annotation names itself
            saver.trace = trace
            try:
                yield saver
            finally:
                # LangGraph may still be saving the error of a second step: closed amid it, the file would stay locked.
                async with saver.lock:
                    await saver.conn.close()
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _DISK_ERRORS:
            raise
        raise UsageError(
            f"run {folder.run_id} cannot be kept in {folder.path} ({error}): free space on that disk, or set "
            "VIDAGENT_CACHE_DIR to a folder on another one"
        ) from error
    finally:
        var_child_runnable_config.reset(outer)


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
    index = Index(video, cache, ear=ear_of(settings), embedder=embeddings.connect(settings))
    index.reading_cpu_s = profile.reading_cpu_s * max(
        1.0, min(_MOST_READING, video.info.duration_s / _LONG_S)
    )
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
        length=request.length,
        schema=request.schema,
    )
    index.on_progress = lambda doing, share: run.tell("progress", f"{doing}, {share:.0%}", fraction=share)
    index.stop = Stop(left_s=lambda: run.meter.left("seconds"), closed=lambda: video.closed)
    if note:
        run.tell("note", note, "survey")
    return run


def ignore(event: Event) -> None:
    """Ignore an event."""
