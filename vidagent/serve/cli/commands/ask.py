"""`vidagent ask`: one question about one video, or about several."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import typer

from vidagent.serve.cli import flags, questions
from vidagent.serve.cli.budgets import Limits, budget_of, budgeted
from vidagent.serve.core import download
from vidagent.serve.terminal import console
from vidagent.types import Answer

if TYPE_CHECKING:
    from vidagent.api import RequestArguments

BUDGET_ENDED = 5


@budgeted
def ask(
    videos: flags.Videos,
    question: flags.Question,
    as_json: flags.AsJson = False,
    option: flags.Options = None,
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
    fetch: flags.Download = False,
    max_download_mb: flags.MaxDownloadMb = download.DEFAULT_MAX_MB,
    *,
    limits: Limits,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Ask a question about a video, or about several."""
    console.loudness(quiet=quiet, verbose=verbose)
    asked = questions.read(question, option)
    # Imported here, as they bring decoders, LangGraph and NumPy: `--help` and wrong flags need none of them.
    from vidagent import api
    from vidagent.reports.multi_video import checked
    from vidagent.serve.terminal import printing
    from vidagent.serve.terminal.progress import Progress

    checked(videos, report, export)  # before anything is downloaded
    budget = budget_of(limits)
    wanted: RequestArguments = {
        "options": asked.options,
        "model": model,
        "base_url": base_url,
        "engine": engine,
        "budget": budget,
        "fps": fps,
        "num_frames": num_frames,
        "decoder": decoder,
    }
    out = console.stdout()
    with (
        Progress(console.stderr(), quiet=quiet, verbose=verbose) as progress,
        _local(videos, allowed=fetch, max_mb=max_download_mb, tell=progress.tell) as paths,
    ):
        path = paths if len(paths) > 1 else paths[0]
        if dry_run:
            printing.show_report(api.plan_cost(path, asked.text, **wanted), out, as_json=as_json)
            return
        answer = api.analyze_video(
            path,
            asked.text,
            **wanted,
            save_frames=save_frames,
            report=report,
            export=export,
            resume=resume,
            session=session,
            on_event=progress,
            stream=progress.live,
        )
        progress.tell(f"cost      {printing.cost(answer)}")
    printing.show_answer(_named(answer, videos), out, asked.options, as_json=as_json)
    if answer.status == "partial":
        raise typer.Exit(BUDGET_ENDED)


@contextmanager
def _local(
    videos: Sequence[str], *, allowed: bool, max_mb: int, tell: Callable[[str], None]
) -> Iterator[list[str]]:
    """Give the paths of the files to open; see `download.local`."""
    with ExitStack() as copies:
        yield [
            copies.enter_context(download.local(video, allowed=allowed, max_mb=max_mb, tell=tell))
            for video in videos
        ]


def _named(answer: Answer, videos: Sequence[str]) -> Answer:
    """Name the videos as the user did, also where temporary copies were read."""
    if len(videos) == 1:
        return dataclasses.replace(answer, video=dataclasses.replace(answer.video, path=videos[0]))
    named = tuple(
        dataclasses.replace(info, path=path) for info, path in zip(answer.videos, videos, strict=True)
    )
    return dataclasses.replace(answer, video=named[answer.videos.index(answer.video)], videos=named)
