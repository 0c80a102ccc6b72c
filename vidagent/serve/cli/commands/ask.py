"""`vidagent ask`: one question about one video, or about several."""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Unpack

import typer

from vidagent.errors import UsageError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.cli.flags import Limits, budgeted
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.progress import Progress, command_progress
from vidagent.text import shown_address, valid_unicode
from vidagent.types import Answer, Question
from vidagent.video.folder import FoundPath, expanded, matches

if TYPE_CHECKING:
    from vidagent.api import RequestArguments
    from vidagent.runs.request import OutputArguments, RunArguments

BUDGET_ENDED = 5
_MAX_STDIN_BYTES = 4 * Question.MAX_CHARACTERS + 1


@budgeted
def ask(
    videos: flags.Videos = None,
    question: flags.Question = None,
    library: flags.Library = False,
    most_videos: flags.MostVideos = None,
    as_json: flags.AsJson = False,
    option: flags.Options = None,
    schema: flags.SchemaFile = None,
    model: flags.Model = None,
    base_url: flags.BaseUrl = None,
    engine: flags.Engine = None,
    fps: flags.Fps = None,
    num_frames: flags.NumFrames = None,
    save_frames: flags.SaveFrames = None,
    report: flags.Report = None,
    export: flags.Export = None,
    dry_run: flags.DryRun = False,
    resume: flags.Resume = None,
    session: flags.Session = None,
    decoder: flags.Decoder = None,
    video_stream: flags.VideoStream = None,
    fetch: flags.Download = False,
    max_download_mb: flags.MaxDownloadMb = flags.DEFAULT_DOWNLOAD_MB,
    *,
    limits: Limits,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Ask a question about a video, about several, or about those of the library that fit it best."""
    progress = command_progress(quiet=quiet, verbose=verbose)
    if library:
        _check_alone(most_videos, resume=resume, stream=video_stream, session=session, schema=schema)
    asked, videos = _asked(videos or [], question, option, library=library, most=most_videos, quiet=quiet)
    lazy.reports.check_exports(videos, report, export)  # before anything is downloaded
    request: RequestArguments = {
        "options": asked.options,
        "model": model,
        "base_url": base_url,
        "engine": engine,
        "budget": lazy.config.load(**limits).budget(),
        "fps": fps,
        "num_frames": num_frames,
        "decoder": decoder,
        "video_stream": video_stream,
        "schema": None if schema is None else lazy.data_schema.read_schema(schema),
    }
    with progress, _local(videos, allowed=fetch, max_mb=max_download_mb, tell=progress.tell) as path:
        if dry_run:
            plan = lazy.api.plan_cost(path, asked.text, **request)
            printing.show_report(plan.named([_shown(video) for video in videos]), as_json=as_json)
            return
        kept: OutputArguments = {"save_frames": save_frames, "report": report, "export": export}
        answer = _answer(path, asked.text, progress, **request, **kept, resume=resume, session=session)
    _show(_with_given_paths(answer, videos), asked.options, as_json=as_json, kept_frames=verbose)


def _answer(
    path: str | list[str], question: str, progress: Progress, **arguments: Unpack[RunArguments]
) -> Answer:
    """Return the answer; its steps and its cost are told on the way."""
    answer = lazy.api.analyze_video(path, question, **arguments, on_event=progress, stream=progress.live)
    progress.tell(f"cost      {printing.cost(answer)}")
    return answer


def _show(answer: Answer, options: Sequence[str] | None, *, as_json: bool, kept_frames: bool) -> None:
    """Print the answer; exit with `BUDGET_ENDED` if it is partial."""
    printing.show_answer(answer, options, as_json=as_json, kept_frames=kept_frames)
    if answer.status == "partial":
        raise typer.Exit(BUDGET_ENDED)


@contextmanager
def _local(
    videos: Sequence[str], *, allowed: bool, max_mb: int, tell: Callable[[str], None]
) -> Iterator[str | list[str]]:
    """Yield the path of the file to open, or the paths of several; see `download.local`."""
    with ExitStack() as copies:
        paths = [
            copies.enter_context(lazy.download.local(video, allowed=allowed, max_mb=max_mb, tell=tell))
            for video in videos
        ]
        yield paths if len(paths) > 1 else paths[0]


def _shown(video: str) -> str:
    return "stdin" if video == lazy.download.STDIN else shown_address(video)


def _with_given_paths(answer: Answer, videos: Sequence[str]) -> Answer:
    """Replace the paths of temporary copies by what the user gave."""
    if len(videos) == 1:
        path = shown_address(videos[0])
        return dataclasses.replace(answer, video=dataclasses.replace(answer.video, path=path))
    unread = {one.path for one in answer.unread}
    videos = [video for video in videos if video not in unread]
    named = tuple(
        dataclasses.replace(info, path=shown_address(path))
        for info, path in zip(answer.videos, videos, strict=True)
    )
    return dataclasses.replace(answer, video=named[answer.videos.index(answer.video)], videos=named)


def _asked(
    videos: Sequence[str],
    argument: str | None,
    options: Sequence[str] | None,
    *,
    library: bool,
    most: int | None,
    quiet: bool,
) -> tuple[Question, list[str]]:
    """Return the question, and the videos that it is about.

    Raises:
        UsageError: If one of them is missing or wrong.
    """
    if argument is None or not (videos or library):
        raise UsageError("ask takes a VIDEO, or several, and a QUESTION; or --library and a QUESTION")
    question = _question(videos, argument, options)
    return question, _named(videos, question.text, library=library, most=most, quiet=quiet)


def _named(
    videos: Sequence[str], question: str, *, library: bool, most: int | None, quiet: bool
) -> list[str]:
    """Return the videos that are asked about: those given, those of folders and patterns, or the library's best.

    Raises:
        UsageError: If there are none, or flags do not go together.
    """
    if not library:
        if most is not None:
            raise UsageError(f"--most-videos goes with --library, got {most}")
        return [os.fspath(path) for path in expanded(videos)]
    if videos:
        raise UsageError(f"--library chooses the videos itself; got {videos[0]!r} too")
    best, notes = lazy.library.SearchableLibrary().best_videos(question, *([] if most is None else [most]))
    told = [f"library   {number}. {path}" for number, path in enumerate(best, 1)]
    for line in () if quiet else [*told, *(f"note      {note}" for note in notes)]:
        console.stderr().say(line)
    return [FoundPath(path) for path in best]


def _check_alone(most: int | None, **given: object) -> None:
    """Refuse flags that are for one known video, before the library is searched.

    Raises:
        UsageError: If a flag is for a run that has its videos, or for one video where several may be found.
    """
    for flag, value in given.items():
        if value is not None and flag in {"resume", "stream"}:
            raise UsageError(
                f"--{flag} is for videos that are named, and --library chooses them; got {value}"
            )
        if value is not None and most != 1:
            raise UsageError(f"--{flag} is for one video: give --most-videos 1 with --library; got {value}")


def _check_quotes(videos: Sequence[str], question: str) -> None:
    """Refuse a question without quotes, whose words are taken for videos, and one in the place of the video.

    Raises:
        UsageError: If the words are not there as files and the rest looks like a question.
    """
    missing = [
        video
        for video in videos
        if not (
            video == lazy.download.STDIN
            or lazy.download.is_url(video)
            or os.path.lexists(video)
            or matches(video)
        )
    ]
    first = videos[0] if videos else None
    if missing and os.path.lexists(question):
        raise UsageError(
            f"{missing[0]!r} is no file, and {question!r} is one: the VIDEO comes before the QUESTION"
        )
    if missing and first not in missing and " " not in question:
        words = " ".join([*videos[videos.index(missing[0]) :], question])
        raise UsageError(
            f"there is no file {missing[0]!r}; a question goes in quotes: "
            f"vidagent ask {shlex.join(videos[: videos.index(missing[0])])} {_quoted(words)}"
        )


def _quoted(words: str) -> str:
    return shlex.quote(words) if set(words) & set('"$`\\!') else f'"{words}"'


def _question(videos: Sequence[str], argument: str, options: Sequence[str] | None) -> Question:
    """Return the question and its options; the argument `-` stands for the text on stdin.

    Raises:
        UsageError: If the question or an option is invalid, or stands in the place of a video.
    """
    if [*videos, argument].count(lazy.download.STDIN) > 1:
        raise UsageError("stdin holds one thing: `-` may stand for one VIDEO, or for the QUESTION")
    _check_quotes(videos, argument)
    if argument == "-":
        text = sys.stdin.buffer.read(_MAX_STDIN_BYTES).decode("utf-8", "replace")
    else:
        text = valid_unicode(argument)
    choices = tuple(valid_unicode(option).strip() for option in options) if options else None
    return Question(text.strip(), choices)
