"""`vidagent summary`: what happens in a video, in chapters, highlights and sentences that are proved one by one."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import typer

from vidagent.serve.cli import flags, lazy
from vidagent.serve.cli.commands.ask import BUDGET_ENDED
from vidagent.serve.cli.flags import Limits, budgeted
from vidagent.serve.terminal import printing
from vidagent.serve.terminal.progress import command_progress
from vidagent.text import shown_address

Length = Annotated[
    Literal["short", "medium", "long"], typer.Option("--length", help="How much the summary tells.")
]


@budgeted
def summary(
    video: flags.Video,
    as_json: flags.AsJson = False,
    length: Length = "medium",
    model: flags.Model = None,
    base_url: flags.BaseUrl = None,
    engine: flags.Engine = None,
    save_frames: flags.SaveFrames = None,
    report: flags.Report = None,
    export: flags.Export = None,
    resume: flags.Resume = None,
    decoder: flags.Decoder = None,
    video_stream: flags.VideoStream = None,
    fetch: flags.Download = False,
    max_download_mb: flags.MaxDownloadMb = flags.DEFAULT_DOWNLOAD_MB,
    *,
    limits: Limits,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Summarise a video: chapters, highlights, and sentences that are proved one by one."""
    progress = command_progress(quiet=quiet, verbose=verbose)
    lazy.reports.check_exports([video], report, export)  # before anything is downloaded
    with (
        progress,
        lazy.download.local(video, allowed=fetch, max_mb=max_download_mb, tell=progress.tell) as path,
    ):
        found = lazy.api.summarize_video(
            path,
            length,
            model=model,
            base_url=base_url,
            engine=engine,
            budget=lazy.config.load(**limits).budget(),
            decoder=decoder,
            video_stream=video_stream,
            save_frames=save_frames,
            report=report,
            export=export,
            resume=resume,
            on_event=progress,
        )
        progress.tell(f"cost      {printing.cost(found)}")
    found = dataclasses.replace(found, video=dataclasses.replace(found.video, path=shown_address(video)))
    printing.show_answer(found, as_json=as_json, kept_frames=verbose)
    if found.status == "partial":
        raise typer.Exit(BUDGET_ENDED)
