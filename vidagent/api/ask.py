"""Questions about a video."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Unpack

from vidagent.agents.server.model_choice import choose
from vidagent.api.ask_many import StrPath, ask_several, paths_of
from vidagent.api.assemble import cache_of, opened, run_of
from vidagent.api.run_question import Course
from vidagent.errors import UsageError
from vidagent.graphs.cost_estimate import DryRun, DryRuns, forecast
from vidagent.graphs.events import Event, Listener
from vidagent.reports.export.export_request import order
from vidagent.reports.multi_video import shared
from vidagent.runs.folder import Record, new_record, old_record
from vidagent.runs.request import Asking, Brief, Hearing, Running, check, listed
from vidagent.runs.session_turn import conversation
from vidagent.types import Answer, Budget
from vidagent.video.video import Video


@listed
def analyze_video(path: StrPath | Sequence[StrPath], question: str, **asking: Unpack[Hearing]) -> Answer:
    """Answer a question about a video, or about several.

    Each of several videos is looked at by a run of its own, with its own clock, under one budget for all; then what
    came of each is put together. The answer has them in `videos`, and each place and claim says which one it is in.

    Args:
        path: A local video file, or 2 to 16 of them.
        question: The question, 1 to 20,000 characters.
        options: At least two answers to choose from; `Answer.choice` is the index of the right one.
        model: Name of the model on the server, or `signals` for the embedded one.
        base_url: Base URL of an OpenAI-compatible server. Without it, a server on 127.0.0.1:8000 is used if one
            answers, else the embedded model.
        engine: `server`, or `vllm` or `transformers` for a model in this process; `model` is then its folder or its
            name on the Hugging Face hub.
        api_key: The server's key.
        budget: What the run may cost.
        fps: Frames a second of the overview of the whole video; not together with `num_frames`.
        num_frames: Frames of the overview; the model's profile says how many unless given.
        decoder: `pyav`, `decord` or `torchcodec`.
        save_frames: A folder for the frames of the evidence and contact sheets of what was looked at.
        report: An `.html` file that shows the answer, where it was seen, the evidence, each step and its cost.
        export: Files to take away, by suffix: `.mp4` clips of the answer's spans (with sound in 16 kHz), a folder,
            `.jpg` or `.png` for the frames of the evidence, `.json`, `.srt`, `.csv` and `.edl` for the answer. Where
            there are several clips or frames, they are numbered. Of several videos each has files of its own, `.json`
            aside: `clips.mp4` becomes `clips-2-b.mp4` for the second video, `b.mkv`; so has a report, behind its first
            page.
        resume: Id of an earlier run of the same question to go on with.
        session: Name of a session (1 to 64 letters, digits, dots, dashes and underscores). A question is then
            understood after those asked in it before, and what was looked at for them is known; each has a budget of
            its own. A session is about one video.
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
    path: StrPath | Sequence[StrPath],
    question: str,
    *,
    on_event: Listener | None = None,
    stream: bool = False,
    save_frames: str | Path | None = None,
    report: str | Path | None = None,
    export: str | Path | Sequence[str | Path] | None = None,
    resume: str | None = None,
    session: str | None = None,
    **asking: Unpack[Asking],
) -> Answer:
    """Answer a question about a video, or about several; see `analyze_video`."""
    began, paths = time.monotonic(), paths_of(path)
    if len(paths) > 1:
        if session is not None:
            raise UsageError(f"a session is about one video, got {len(paths)}")
        orders = shared(paths, report, export, save_frames)
        return await ask_several(
            paths, check(question, **asking), orders, resume, began, on_event, stream=stream
        )
    wanted = order(paths[0], report, export, save_frames)
    brief = check(question, **asking)
    cache = cache_of(brief.settings)
    earlier = None if resume is None else old_record(cache, resume)
    with conversation(cache, session, earlier) as talk:
        async with opened(paths[0], brief.settings) as video:
            if talk is not None:
                talk.check(video.info)
            client = await asyncio.to_thread(choose, brief.settings)
            record = earlier or new_record(cache)
            course = Course(video, client, brief, record, earlier is not None, began, on_event, stream, talk)
            return await course.follow(wanted)


@listed
async def astream_video(
    path: StrPath | Sequence[StrPath], question: str, **asking: Unpack[Running]
) -> AsyncGenerator[Event, None]:
    """Answer a question about a video, or about several, and yield all that happens, word by word; see `analyze_video`.

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
def plan_cost(path: StrPath | Sequence[StrPath], question: str, **asking: Unpack[Asking]) -> DryRun | DryRuns:
    """Tell what a question would look at and cost, without decoding or asking the model.

    The arguments are those of `analyze_video`.

    Raises:
        VideoError: If the video cannot be read.
        ModelError: If the model's server cannot be reached.
        UsageError: If an argument is out of range.
    """
    brief, paths = check(question, **asking), paths_of(path)
    allowed = brief.budget or brief.settings.budget()
    runs = [_forecast(one, brief, allowed) for one in paths]
    return runs[0] if len(runs) == 1 else DryRuns(tuple(runs), allowed.frames)


def _forecast(path: StrPath, brief: Brief, allowed: Budget) -> DryRun:
    with Video.open(path, decoder=brief.settings.decoder) as video:
        client = choose(brief.settings)
        told: list[Event] = []
        run = run_of(client, video, brief, Record("dry-run", Path()), allowed, told.append)
        return forecast(run, tuple(event.text for event in told if event.kind == "note"))
