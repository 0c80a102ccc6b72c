"""The one place where the parts are put together: a video, its index, a model, a budget and the graph."""

from __future__ import annotations

import asyncio
import concurrent.futures
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from langchain_core.runnables import RunnableConfig

from vidagent import config
from vidagent.agents import speech
from vidagent.agents.choice import Available, available, choose, describe
from vidagent.agents.client import ModelClient
from vidagent.config import Settings
from vidagent.errors import UsageError
from vidagent.graphs.ask import Graph, build
from vidagent.graphs.asking import Asking, Brief, Hearing, Running, check, listed
from vidagent.graphs.budget import Meter
from vidagent.graphs.closing import close
from vidagent.graphs.events import Event, Listener
from vidagent.graphs.forecast import DryRun, forecast
from vidagent.graphs.past import Past
from vidagent.graphs.recording import Saver, Trace, recording
from vidagent.graphs.records import Record, new_record, old_record, old_records
from vidagent.graphs.room import caps_of
from vidagent.graphs.starting import check_resumed, kept_state, limits, start
from vidagent.graphs.state import Run
from vidagent.images.store import FrameStore
from vidagent.reports.delivery import take_away
from vidagent.reports.order import order
from vidagent.types import Answer, Budget, VideoInfo
from vidagent.video.cache import VideoCache, default_folder
from vidagent.video.index import Index, IndexReport
from vidagent.video.transcript import Stop
from vidagent.video.video import Video

__all__ = [
    "Asking",
    "Probe",
    "aanalyze_video",
    "analyze_video",
    "astream_video",
    "find_run",
    "index_video",
    "list_models",
    "list_runs",
    "plan_cost",
    "probe_video",
    "replay_run",
]

_ENDLESS = 10_000


@listed
def analyze_video(path: str | Path, question: str, **asking: Unpack[Hearing]) -> Answer:
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
        decoder: `pyav`, `decord` or `torchcodec`.
        save_frames: A folder for the frames of the evidence and contact sheets of what was looked at.
        report: An `.html` file that shows the answer, where it was seen, the evidence, each step and its cost.
        export: Files to take away, by suffix: `.mp4` clips of the answer's spans (with sound in 16 kHz), a folder,
            `.jpg` or `.png` for the frames of the evidence, `.json`, `.srt`, `.csv` and `.edl` for the answer. Where
            there are several clips or frames, they are numbered.
        resume: Id of an earlier run of the same question to go on with.
        on_event: Called with each `Event` of the run.
        stream: Whether those tell the words of thoughts and of the answer, too, as the model writes them.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
        UsageError: If an argument is out of range.
    """

    def ask() -> Answer:
        return asyncio.run(aanalyze_video(path, question, **asking))

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return ask()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # a notebook: its loop is running already
        return pool.submit(ask).result()


@listed
async def aanalyze_video(
    path: str | Path,
    question: str,
    *,
    on_event: Listener | None = None,
    stream: bool = False,
    save_frames: str | Path | None = None,
    report: str | Path | None = None,
    export: str | Path | Sequence[str | Path] | None = None,
    resume: str | None = None,
    **asking: Unpack[Asking],
) -> Answer:
    """Answer a question about a video; see `analyze_video`."""
    began = time.monotonic()
    wanted = order(path, report, export, save_frames)
    brief = check(question, **asking)
    cache = _cache(brief.settings)
    record = None if resume is None else old_record(cache, resume)
    async with _opened(path, brief.settings) as video:
        client = await asyncio.to_thread(choose, brief.settings)
        record = record or new_record(cache)
        with recording(record, brief) as kept:
            client = kept.client(client)
            async with _graph(record, client.profile.look_concurrency, kept.trace) as (graph, thread):
                earlier = await kept_state(graph, thread)
                if resume is not None and (asked := earlier or kept.asked()):
                    check_resumed(asked, brief.question, video.info, record.run_id)
                allowed = limits(brief.budget, brief.settings.budget(), earlier)
                streams = stream and on_event is not None
                run = _run(client, video, brief, record, allowed, kept.hear(on_event), streams)
                run.meter.resume(earlier.get("spent", []), earlier.get("elapsed_s", 0.0), began)
                kept.begin(run)
                run.tell("model", describe(client), model=client.name, run_id=record.run_id)
                given = await start(graph, thread, brief.question, run, earlier)
                await graph.ainvoke(given, thread, context=run, durability="sync")
                final = await kept_state(graph, thread)
            answer = close(final, run, run_id=record.run_id, frame_path=run.store.path)
            kept.end(answer)
        if wanted:
            answer = await asyncio.to_thread(take_away, wanted, answer, final, run)
    run.tell("answer", answer.answer, status=answer.status, answer=answer.to_dict())
    return answer


@listed
async def astream_video(
    path: str | Path, question: str, **asking: Unpack[Running]
) -> AsyncGenerator[Event, None]:
    """Answer a question about a video and yield all that happens, word by word; see `analyze_video`.

    The last event is the `answer`. Leaving early cancels the run: the model's connection and the decoder are closed
    when the generator is, which `contextlib.aclosing` does at once.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
        UsageError: If an argument is out of range.
    """
    heard: asyncio.Queue[Event | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def hear(event: Event) -> None:  # a scan tells its progress from another thread
        loop.call_soon_threadsafe(heard.put_nowait, event)

    run = asyncio.create_task(aanalyze_video(path, question, **asking, on_event=hear, stream=True))
    run.add_done_callback(lambda _: heard.put_nowait(None))
    try:
        while (event := await heard.get()) is not None:
            yield event
        await run
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


@listed
def plan_cost(path: str | Path, question: str, **asking: Unpack[Asking]) -> DryRun:
    """Tell what a question would look at and cost, without decoding or asking the model.

    The arguments are those of `analyze_video`.

    Raises:
        VideoError: If the video cannot be read.
        ModelError: If the model's server cannot be reached.
        UsageError: If an argument is out of range.
    """
    brief = check(question, **asking)
    with Video.open(path, decoder=brief.settings.decoder) as video:
        client = choose(brief.settings)
        told: list[Event] = []
        allowed = brief.budget or brief.settings.budget()
        run = _run(client, video, brief, Record("dry-run", Path()), allowed, told.append)
        return forecast(run, tuple(event.text for event in told if event.kind == "note"))


@dataclass(frozen=True, slots=True)
class Probe:
    """What is known of a video without decoding it.

    Args:
        info: What the container says.
        keyframes: Number of keyframes.
        shots_s: Times of the shots' first frames, or None before the index holds them.
    """

    info: VideoInfo
    keyframes: int
    shots_s: tuple[float, ...] | None


def probe_video(path: str | Path, *, decoder: str | None = None) -> Probe:
    """Say what the container says of a video, and what its index holds already.

    Raises:
        VideoError: If it cannot be read.
    """
    settings = config.load(decoder=decoder)
    with Video.open(path, decoder=settings.decoder) as video:
        index = Index(video, VideoCache(settings.cache_dir))
        shots = (0.0, *index.scan().cuts_s) if index.scanned() else None
        return Probe(video.info, index.keyframes(), shots)


def index_video(
    path: str | Path, *, transcribe: bool = False, on_progress: Callable[[float], None] | None = None
) -> IndexReport:
    """Build what is missing of a video's index.

    Args:
        path: A local video file.
        transcribe: Whether to send the sound to the server set as `transcribe_url`, which writes down what is said.
        on_progress: Called with the fraction done of a scan or a transcript.

    Raises:
        VideoError: If it cannot be read.
        ModelError: If that server cannot be reached, refuses, or sends nothing usable.
        UsageError: If no such server is set.
    """
    settings = config.load()
    ear = speech.connect(settings)
    if transcribe and ear is None:
        raise UsageError(
            "to transcribe needs setting transcribe_url (VIDAGENT_TRANSCRIBE_URL, or vidagent.toml): the base URL of "
            "an OpenAI-compatible server, such as http://127.0.0.1:8000/v1"
        )
    with Video.open(path, decoder=settings.decoder) as video:
        return Index(video, VideoCache(settings.cache_dir), on_progress, ear).report(listen=transcribe)


def list_models(*, base_url: str | None = None, api_key: str | None = None) -> list[Available]:
    """List the models within reach.

    Raises:
        ModelError: If a server is asked for and cannot be reached.
    """
    return available(config.load(base_url=base_url, api_key=api_key))


def list_runs() -> list[Past]:
    """Return the runs of the last week, the newest first."""
    return [Past(record) for record in old_records(_cache(config.load())) if record.read("run")]


def find_run(run_id: str) -> Past:
    """Return the record of an earlier run; `last` is the newest.

    Raises:
        UsageError: If there is no such run.
    """
    return Past(old_record(_cache(config.load()), run_id))


def replay_run(run_id: str, *, video: str | Path | None = None) -> tuple[Answer, list[str]]:
    """Answer a question again with the model's recorded replies, and without the network.

    Args:
        run_id: An earlier run that came to an answer; `last` is the newest.
        video: Its video, where that no longer lies where it was.

    Returns:
        The answer, and the names of those of its fields that differ from the recorded answer: none, unless the code,
        the prompts or the libraries have changed. Seconds and frames decoded are those of the recorded run.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
        ModelError: If a request comes that the run has no reply to.
        UsageError: If there is no such run, it has no answer, or this is another video.
    """
    past = find_run(run_id)
    past.check_replay()
    answer = past.as_told(asyncio.run(_replayed(past, video)))
    return answer, past.differences(answer)


async def _replayed(past: Past, path: str | Path | None) -> Answer:
    told = past.told
    brief = check(
        told["question"],
        options=told["options"],
        **told["overview"],
        decoder=told["decoder"],
        budget=past.budget,
    )
    async with _opened(path or told["video"]["absolute"], brief.settings) as video:
        past.check_video(video.info)
        client = past.client()
        with tempfile.TemporaryDirectory(prefix="vidagent-") as folder:
            record = Record(past.record.run_id, Path(folder))
            async with _graph(record, client.profile.look_concurrency) as (graph, thread):
                run = past.again(_run(client, video, brief, record, past.budget, _nobody, told["stream"]))
                given = await start(graph, thread, brief.question, run, {})
                await graph.ainvoke(given, thread, context=run)
                final = await kept_state(graph, thread)
    return close(final, run, run_id=past.record.run_id, frame_path=past.frame_path)


def _cache(settings: Settings) -> Path:
    return settings.cache_dir or default_folder()


@asynccontextmanager
async def _opened(path: str | Path, settings: Settings) -> AsyncIterator[Video]:
    video = await asyncio.to_thread(lambda: Video.open(path, decoder=settings.decoder))
    try:
        yield video
    finally:
        video.close()


@asynccontextmanager
async def _graph(
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


def _run(
    client: ModelClient,
    video: Video,
    brief: Brief,
    record: Record,
    budget: Budget,
    on_event: Listener,
    stream: bool = False,
) -> Run:
    profile = client.profile
    index = Index(video, VideoCache(brief.settings.cache_dir), ear=speech.connect(brief.settings))
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


def _nobody(event: Event) -> None:
    """Hear an event and do nothing."""
