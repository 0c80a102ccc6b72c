"""The one place where the parts are put together: a video, its index, a model, a budget and the graph."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from vidagent import config
from vidagent.agents.choice import Available, available, choose, describe
from vidagent.agents.client import ModelClient
from vidagent.agents.profile_schema import Profile
from vidagent.config import Settings
from vidagent.errors import UsageError
from vidagent.graphs.ask import Graph, build, reopen
from vidagent.graphs.budget import Meter
from vidagent.graphs.closing import close
from vidagent.graphs.events import Event, Listener
from vidagent.graphs.forecast import DryRun, forecast
from vidagent.graphs.keeping import keep
from vidagent.graphs.records import Record, new_record, old_record
from vidagent.graphs.state import Run, State
from vidagent.images.store import FrameStore
from vidagent.tools import Caps
from vidagent.types import Answer, Budget, Overview, Question, VideoInfo
from vidagent.video.cache import VideoCache, default_folder
from vidagent.video.index import Index, IndexReport
from vidagent.video.sampling import sample_indices
from vidagent.video.video import Video

__all__ = [
    "aanalyze_video",
    "analyze_video",
    "index_video",
    "list_models",
    "plan_cost",
    "probe_video",
]

_ENDLESS = 10_000
MOST_OVERVIEW_FRAMES = 512
"""Most frames that `fps` or `num_frames` may ask of the overview; more are cut to it, and a note says so."""
_CONTEXT_SHARE = 0.6


def analyze_video(
    path: str | Path,
    question: str,
    *,
    options: Sequence[str] | None = None,
    model: str | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    budget: Budget | None = None,
    fps: float | None = None,
    num_frames: int | None = None,
    on_event: Listener | None = None,
    decoder: str | None = None,
    save_frames: str | Path | None = None,
    resume: str | None = None,
) -> Answer:
    """Answer a question about a video.

    Args:
        path: A local video file.
        question: The question, 1 to 20,000 characters.
        options: At least two answers to choose from; `Answer.choice` is the index of the right one.
        model: Name of the model on the server, or `signals` for the embedded one.
        base_url: Base URL of an OpenAI-compatible server. Without it, a server on 127.0.0.1:8000 is used if one
            answers, else the embedded model.
        api_key: The server's key.
        budget: What the run may cost.
        fps: Frames a second of the overview of the whole video; not together with `num_frames`.
        num_frames: Frames of the overview; the model's profile says how many unless given.
        on_event: Called with each `Event` of the run.
        decoder: `pyav`, `decord` or `torchcodec`.
        save_frames: A folder for the frames of the evidence and contact sheets of what was looked at.
        resume: Id of an earlier run of the same question to go on with.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
        UsageError: If an argument is out of range.
    """

    def ask() -> Answer:
        return asyncio.run(
            aanalyze_video(
                path,
                question,
                options=options,
                model=model,
                base_url=base_url,
                api_key=api_key,
                budget=budget,
                fps=fps,
                num_frames=num_frames,
                on_event=on_event,
                decoder=decoder,
                save_frames=save_frames,
                resume=resume,
            )
        )

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return ask()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # a notebook: its loop is running already
        return pool.submit(ask).result()


async def aanalyze_video(
    path: str | Path,
    question: str,
    *,
    options: Sequence[str] | None = None,
    model: str | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    budget: Budget | None = None,
    fps: float | None = None,
    num_frames: int | None = None,
    on_event: Listener | None = None,
    decoder: str | None = None,
    save_frames: str | Path | None = None,
    resume: str | None = None,
) -> Answer:
    """Answer a question about a video; see `analyze_video`."""
    began = time.monotonic()
    asked = Question(question, None if options is None else tuple(options))
    overview = Overview(fps, num_frames)
    settings = config.load(model=model, base_url=base_url, api_key=api_key, decoder=decoder)
    cache = settings.cache_dir or default_folder()
    record = None if resume is None else old_record(cache, resume)
    async with _opened(path, settings) as video:
        client = await asyncio.to_thread(choose, settings)
        record = record or new_record(cache)
        async with _graph(record, client.profile.look_concurrency) as (graph, thread):
            earlier: State = (await graph.aget_state(thread)).values  # type: ignore[assignment]  # a dict of our keys
            if resume is not None:
                _check_resumed(earlier, asked, video.info, resume)
            limits = _limits(budget, settings, earlier)
            run = _run(client, video, settings, record, limits, on_event, overview)
            run.meter.resume(earlier.get("spent", []), earlier.get("elapsed_s", 0.0), began)
            run.tell("model", describe(client), model=client.name, run_id=record.run_id)
            given = await _given(graph, thread, asked, run, earlier)
            await graph.ainvoke(given, thread, context=run, durability="sync")
            final: State = (await graph.aget_state(thread)).values  # type: ignore[assignment]
        answer = close(final, run, run_id=record.run_id, frame_path=run.store.path)
        if save_frames is not None:
            answer = await asyncio.to_thread(keep, answer, final, run, Path(save_frames))
    run.tell("answer", answer.answer, status=answer.status)
    return answer


def plan_cost(
    path: str | Path,
    question: str,
    *,
    options: Sequence[str] | None = None,
    model: str | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    budget: Budget | None = None,
    fps: float | None = None,
    num_frames: int | None = None,
    decoder: str | None = None,
) -> DryRun:
    """Tell what a question would look at and cost, without decoding or asking the model.

    Raises:
        VideoError: If the video cannot be read.
        ModelError: If the model's server cannot be reached.
        UsageError: If an argument is out of range.
    """
    Question(question, None if options is None else tuple(options))
    overview = Overview(fps, num_frames)
    settings = config.load(model=model, base_url=base_url, api_key=api_key, decoder=decoder)
    with Video.open(path, decoder=settings.decoder) as video:
        client = choose(settings)
        record = Record("dry-run", Path())
        limits = budget or settings.budget()
        return forecast(_run(client, video, settings, record, limits, None, overview))


def probe_video(path: str | Path, *, decoder: str | None = None) -> VideoInfo:
    """Say what the container says of a video.

    Raises:
        VideoError: If it cannot be read.
    """
    with Video.open(path, decoder=config.load(decoder=decoder).decoder) as video:
        return video.info


def index_video(path: str | Path, *, on_progress: Callable[[float], None] | None = None) -> IndexReport:
    """Build what is missing of a video's index.

    Raises:
        VideoError: If it cannot be read.
    """
    settings = config.load()
    with Video.open(path, decoder=settings.decoder) as video:
        return Index(video, VideoCache(settings.cache_dir), on_progress).report()


def list_models(*, base_url: str | None = None, api_key: str | None = None) -> list[Available]:
    """List the models within reach.

    Raises:
        ModelError: If a server is asked for and cannot be reached.
    """
    return available(config.load(base_url=base_url, api_key=api_key))


@asynccontextmanager
async def _opened(path: str | Path, settings: Settings) -> AsyncIterator[Video]:
    video = await asyncio.to_thread(lambda: Video.open(path, decoder=settings.decoder))
    try:
        yield video
    finally:
        video.close()


@asynccontextmanager
async def _graph(record: Record, looks: int) -> AsyncIterator[tuple[Graph, RunnableConfig]]:
    """Open the checkpoints of a run; at most `looks` steps go on side by side."""
    async with AsyncSqliteSaver.from_conn_string(str(record.checkpoint)) as saver:
        yield (
            build(saver),
            {
                "configurable": {"thread_id": record.run_id},
                "recursion_limit": _ENDLESS,
                "max_concurrency": looks,
            },
        )


async def _given(
    graph: Graph, thread: RunnableConfig, asked: Question, run: Run, earlier: State
) -> State | None:
    """Return what to start the graph with: a new state, or None to go on where it stopped.

    A run that a budget ended is opened again if it now has another one; else it stays as it ended.
    """
    if "facts" not in earlier:
        return _first_state(asked, run)
    if earlier["budget"] != run.budget.to_dict() and (reopened := reopen(earlier)) is not None:
        update, after = reopened
        await graph.aupdate_state(thread, {**update, "budget": run.budget.to_dict()}, as_node=after)
    return None


def _first_state(asked: Question, run: Run) -> State:
    return State(
        question=asked.text,
        options=None if asked.options is None else list(asked.options),
        video_sha256=run.video.info.sha256,
        budget=run.budget.to_dict(),
        history=[],
        ledger=[],
        spent=[],
        ended_by=None,
        ended_in=None,
    )


def _limits(budget: Budget | None, settings: Settings, earlier: State) -> Budget:
    """Return the budget given, else the one that a resumed run had, else the one in the settings."""
    if budget is not None and budget != Budget():
        return budget
    return Budget(**earlier["budget"]) if "budget" in earlier else settings.budget()  # type: ignore[arg-type]


def _check_resumed(earlier: State, asked: Question, info: VideoInfo, run_id: str) -> None:
    """Refuse to go on with another question, other options or another video.

    Raises:
        UsageError: If one differs from those of the run.
    """
    if earlier.get("question") != asked.text:
        raise UsageError(f"run {run_id} asked {earlier.get('question')!r}, not {asked.text!r}")
    if tuple(earlier.get("options") or ()) != (asked.options or ()):
        raise UsageError(f"run {run_id} had other options: {earlier.get('options')!r}")
    if earlier.get("video_sha256") != info.sha256:
        raise UsageError(f"run {run_id} was about another video than {info.path}")


def _run(
    client: ModelClient,
    video: Video,
    settings: Settings,
    record: Record,
    budget: Budget,
    on_event: Listener | None,
    overview: Overview,
) -> Run:
    profile = client.profile
    index = Index(video, VideoCache(settings.cache_dir))
    frames, note = _overview_frames(overview, profile, video.info)
    caps = Caps(
        frames=profile.frames_per_call,
        overview_frames=frames,
        side_px=profile.frame_side_px,
        crop_side_px=profile.crop_side_px,
        tiles=max(profile.tiles, Caps.tiles),
    )
    run = Run(
        client=client,
        video=video,
        index=index,
        store=FrameStore(record.frames),
        caps=caps,
        budget=budget,
        meter=Meter(budget, profile.frame_tokens, profile.thinking.allotted),
        emit=on_event or _nobody,
    )
    index.on_progress = lambda share: run.tell("progress", f"scanning, {share:.0%}", fraction=share)
    if note:
        run.tell("note", note, "survey")
    return run


def _overview_frames(overview: Overview, profile: Profile, info: VideoInfo) -> tuple[int, str | None]:
    """Return how many frames the overview has, and where that differs from what was asked for."""
    if overview == Overview():
        return profile.overview_frames, None
    total = info.frame_count or max(1, round(info.duration_s * float(info.fps)))
    most = MOST_OVERVIEW_FRAMES
    if profile.frame_tokens:
        most = max(1, min(most, int(_CONTEXT_SHARE * profile.context_tokens / profile.frame_tokens)))
    chosen = sample_indices(
        total, info.fps, fps=overview.fps, num_frames=overview.num_frames, max_frames=most
    )
    return len(chosen.indices), chosen.note


def _nobody(event: Event) -> None:
    """Hear an event and do nothing."""
