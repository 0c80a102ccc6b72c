"""Questions about videos: answered, streamed, or only estimated."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar, Unpack

from vidagent.agents.server.model_choice import choose
from vidagent.api.ask_many import StrPath, ask_several, paths_of
from vidagent.api.assemble import cache_folder, make_run, open_video, open_with
from vidagent.api.run_question import QuestionRun
from vidagent.errors import UsageError
from vidagent.graphs.cost_estimate import DryRun, DryRuns, forecast
from vidagent.graphs.events import Event, Listener
from vidagent.reports.export.export_request import ExportRequest, export_request
from vidagent.reports.multi_video import split_by_video
from vidagent.runs.folder import RunFolder, find_run_folder, new_run_folder
from vidagent.runs.request import (
    EventArguments,
    Request,
    RequestArguments,
    RunArguments,
    check_listed,
    make_request,
    summary_request,
    with_listed_keywords,
)
from vidagent.runs.session_turn import session_turn
from vidagent.summary import Length, Summary
from vidagent.types import Answer, Budget

T = TypeVar("T")


@with_listed_keywords
def analyze_video(
    path: StrPath | Sequence[StrPath], question: str, **arguments: Unpack[EventArguments]
) -> Answer:
    """Answer a question about one video, or about several.

        >>> answer = analyze_video("talk.mp4", "When does the speaker show the chart?")
        >>> print(answer.answer, answer.spans, answer.confidence)

    An agent looks at frames of the video, as many and as closely as the question needs, and checks each claim before
    it answers. `Answer.spans` says where in the video the answer is, `Answer.evidence` lists the checked claims, and
    `Answer.usage` says what the run cost. A call blocks until the answer is there; `aanalyze_video` is the same as a
    coroutine, and `astream_video` yields events on the way.

    Several videos are asked one after the other under one shared budget, and the results are combined:
    `Answer.videos` lists the videos, and each span and claim has the index of its video.

    Arguments left out fall back to the `VIDAGENT_*` environment variables, then to `vidagent.toml`.

    Args:
        path: A local video file, a folder or a pattern such as `talks/*.mp4` with up to 16 videos, or a sequence of
            these.
        question: The question, 1 to 20,000 characters.
        options: At least two different answers to choose from; `Answer.choice` is the index of the chosen one.
        model: Name of the model on the server, or `signals` for the embedded model.
        base_url: Base URL of an OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`. By default, one on
            127.0.0.1 at 8000, 11434, 8080 or 1234 that has a model is used, else the embedded model.
        engine: `server`, the default; or `vllm` or `transformers` to run the model in this process, with `model` as
            its folder or its name on the Hugging Face hub.
        api_key: API key of the server.
        budget: Limits of the run, such as `Budget(seconds=60, frames=200)` or `{"seconds": 60, "frames": 200}`. A run
            that reaches one ends with the best answer so far and the status `partial`.
        fps: Frames per second of the first overview of the whole video; not together with `num_frames`.
        num_frames: Number of frames of that overview. By default, the model's profile sets it.
        decoder: `pyav`, the default, `decord` or `torchcodec`.
        video_stream: Number of the video stream among the streams of the file; by default the one that a player shows.
        schema: JSON Schema, its path, or a pydantic model. `Answer.data` then follows it, with null for each value that
            could not be proved, and `Answer.fields` says what proves each value, or why it is null.
        save_frames: Folder for the frames of the evidence and a contact sheet of each look.
        report: Path of an `.html` report with the answer, its spans, the evidence, each step and its cost.
        export: One or more paths to write, by suffix: `.mp4` for clips of the answer's spans (sound in 16 kHz),
            `.jpg`, `.png` or a folder for the frames of the evidence, `.json`, `.md`, `.srt`, `.csv`, `.edl`,
            `.ffmetadata` or `.txt` (chapters as YouTube takes them) for the answer. Several clips or frames are
            numbered. Of several videos each gets files of its own, except for `.json`: `clips.mp4` becomes
            `clips-2-b.mp4` for the second video, `b.mkv`. Likewise the report gets one page per video.
        resume: Id of an earlier run of the same question to resume, such as one that a budget ended.
        session: Name of a session, 1 to 64 letters, digits, dots, dashes and underscores. The question is then a
            follow-up to the session's earlier questions about the same video, and reuses what they looked at.
        on_event: Called with each `Event` of the run.
        stream: Whether these events include the model's thoughts and the answer word by word.

    Returns:
        The answer: `not_found` if the video does not show what is asked for, `cannot_judge` if the model cannot tell.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
        UsageError: If an argument is out of range.
    """
    check_listed(analyze_video, arguments)
    return run_to_its_end(lambda: aanalyze_video(path, question, **arguments))


@with_listed_keywords
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
    **arguments: Unpack[RequestArguments],
) -> Answer:
    """Answer a question about one video, or about several, as a coroutine; see `analyze_video`."""
    check_listed(aanalyze_video, arguments)
    began, paths = time.monotonic(), paths_of(path)
    if len(paths) > 1:
        for what, given in (("a session", session), ("a schema", arguments.get("schema"))):
            if given is not None:
                raise UsageError(f"{what} is for one video, got {len(paths)}")
        files = split_by_video(paths, report, export, save_frames)
        request = make_request(question, **arguments)
        return await ask_several(paths, request, files, resume, began, on_event, stream=stream)
    exports = export_request(paths[0], report, export, save_frames)
    request = make_request(question, **arguments)
    return await _ask_one(paths[0], request, exports, resume, session, began, on_event, stream=stream)


async def _ask_one(
    path: StrPath,
    request: Request,
    exports: ExportRequest,
    resume: str | None,
    session: str | None,
    began: float,
    on_event: Listener | None,
    *,
    stream: bool,
) -> Answer:
    """Run a request about one video; errors as in `analyze_video`."""
    cache = cache_folder(request.settings)
    earlier = None if resume is None else find_run_folder(cache, resume)
    with session_turn(cache, session, earlier) as turn:
        async with open_video(path, request.settings) as video:
            if turn is not None:
                turn.check_video(video.info)
            client = await asyncio.to_thread(choose, request.settings)
            folder = earlier or new_run_folder(cache)
            run = QuestionRun(video, client, request, folder, began, on_event, stream, turn)
            return await run.answer(exports)


@with_listed_keywords
def summarize_video(path: StrPath, length: Length = "medium", **arguments: Unpack[EventArguments]) -> Summary:
    """Summarise a video: chapters with titles, highlights, and sentences that are proved one by one.

        >>> summary = summarize_video("talk.mp4", "short")
        >>> print([chapter.title for chapter in summary.chapters], summary.left_out)

    It is a question about the whole video, answered in parts: `Summary` is an `Answer`. Each of `Summary.sentences` has
    its time, the frame or the line that shows it, and the verdict of its check; sentences that could not be proved are
    left out and counted.

    `path` is a local video file, `length` is `short`, `medium` or `long`, and the other arguments and the errors are
    those of `analyze_video`; `options` are for questions only.
    """
    check_listed(summarize_video, arguments)
    return run_to_its_end(lambda: asummarize_video(path, length, **arguments))


@with_listed_keywords
async def asummarize_video(
    path: StrPath,
    length: Length = "medium",
    *,
    on_event: Listener | None = None,
    stream: bool = False,
    save_frames: str | Path | None = None,
    report: str | Path | None = None,
    export: str | Path | Sequence[str | Path] | None = None,
    resume: str | None = None,
    session: str | None = None,
    **arguments: Unpack[RequestArguments],
) -> Summary:
    """Summarise a video, as a coroutine; see `summarize_video` and, for the other arguments, see `analyze_video`."""
    check_listed(asummarize_video, arguments)
    began = time.monotonic()
    exports = export_request(path, report, export, save_frames)
    request = summary_request(length, **arguments)
    answer = await _ask_one(path, request, exports, resume, session, began, on_event, stream=stream)
    assert isinstance(answer, Summary)  # noqa: S101 - the answer to such a request
    return answer


@with_listed_keywords
async def astream_video(
    path: StrPath | Sequence[StrPath], question: str, **arguments: Unpack[RunArguments]
) -> AsyncGenerator[Event, None]:
    """Answer a question about one video, or about several, and yield its events, word by word; see `analyze_video`.

    The last event is the `answer`. Closing the generator early cancels the run, its request to the model and its
    decoder; `contextlib.aclosing` closes it at once.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
        UsageError: If an argument is out of range.
    """
    check_listed(astream_video, arguments)
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def listen(event: Event) -> None:  # a scan reports its progress from another thread
        loop.call_soon_threadsafe(events.put_nowait, event)

    run = asyncio.create_task(aanalyze_video(path, question, **arguments, on_event=listen, stream=True))
    run.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            yield event
        await run
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


@with_listed_keywords
def plan_cost(
    path: StrPath | Sequence[StrPath], question: str, **arguments: Unpack[RequestArguments]
) -> DryRun | DryRuns:
    """Estimate what a question would look at and cost, without decoding or asking the model.

    The arguments are those of `analyze_video`.

    Raises:
        VideoError: If the video cannot be read.
        ModelError: If the model's server cannot be reached.
        UsageError: If an argument is out of range.
    """
    check_listed(plan_cost, arguments)
    request, paths = make_request(question, **arguments), paths_of(path)
    allowed = request.limits()
    runs = [_estimate(one, request, allowed) for one in paths]
    return runs[0] if len(runs) == 1 else DryRuns(tuple(runs), allowed.frames)


def _estimate(path: StrPath, request: Request, budget: Budget) -> DryRun:
    with open_with(request.settings, path) as video:
        client = choose(request.settings)
        events: list[Event] = []
        folder = RunFolder("dry-run", Path())
        run = make_run(client, video, request, folder, budget, events.append)
        return forecast(run, tuple(event.text for event in events if event.kind == "note"))


def run_to_its_end(start: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine; in a thread of its own where this one already runs an event loop, as a notebook's does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(start())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(start())).result()
