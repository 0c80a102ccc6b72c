"""`vidagent watch`: a standing question about a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidagent.serve.cli import flags, lazy
from vidagent.serve.cli.flags import Limits, budgeted
from vidagent.serve.terminal import console
from vidagent.text import valid_unicode

_STREAM = "The stream"

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A file that grows (MPEG-TS, Matroska, fragmented MP4), or an address: http, rtsp, rtmp, srt, udp.",
        show_default=False,
    ),
]
Question = Annotated[
    str,
    typer.Argument(
        metavar="QUESTION", help="What to look for, such as when a text appears.", show_default=False
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="DIR", file_okay=False, help="Gets the clips and frames of the alerts."
    ),
]
Webhook = Annotated[
    str | None, typer.Option("--webhook", metavar="URL", help="Post each line to this URL, too.")
]
Every = Annotated[
    float,
    flags.number(
        "--every", float, "SECONDS", "Length of a segment; it ends at the next keyframe.", panel=_STREAM
    ),
]
KeepMb = Annotated[
    int,
    flags.number(
        "--keep-mb", int, "N", "Room on the disk for segments that wait and for clips.", panel=_STREAM
    ),
]
For = Annotated[float | None, flags.number("--for", float, "SECONDS", "End after this time.", panel=_STREAM)]
Idle = Annotated[
    float | None,
    flags.number("--idle", float, "SECONDS", "End when nothing new has come for this long.", panel=_STREAM),
]


@budgeted
def watch(
    source: Source,
    question: Question,
    output: Output = Path("watch"),
    webhook: Webhook = None,
    every: Every = 10.0,
    keep_mb: KeepMb = 1000,
    duration: For = None,
    idle: Idle = None,
    model: flags.Model = None,
    base_url: flags.BaseUrl = None,
    fps: flags.Fps = None,
    num_frames: flags.NumFrames = None,
    *,
    limits: Limits,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Ask a standing question about a stream: a JSON line for each checked event, with its clip.

    Budgets are for each segment.
    """
    console.loudness(quiet=quiet, verbose=verbose)

    def tell(line: str) -> None:
        if not quiet:
            console.stderr().say(line)

    options = lazy.watching.WatchOptions(output, every, keep_mb, webhook, duration, idle, each=verbose)
    lazy.watching.watch(
        source,
        valid_unicode(question),
        options,
        tell,
        model=model,
        base_url=base_url,
        budget=lazy.config.load(**limits).budget(),
        fps=fps,
        num_frames=num_frames,
    )
