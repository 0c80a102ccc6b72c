"""`vidagent texts`: the texts on screen, each from its first frame to its last."""

from __future__ import annotations

from typing import Annotated

import typer

from vidagent.errors import UsageError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.progress import command_progress

Csv = Annotated[bool, typer.Option("--csv", help="Print a CSV table.")]


def texts(
    video: flags.Video,
    as_json: flags.AsJson = False,
    as_srt: flags.Srt = False,
    as_csv: Csv = False,
    video_stream: flags.VideoStream = None,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Print the texts on screen with their times, sizes and how sure they are; they are read on first use."""
    if as_json + as_srt + as_csv > 1:
        raise UsageError("give one of --json, --srt and --csv")
    with command_progress(quiet=quiet, verbose=verbose) as progress:
        found = lazy.api.texts_of(
            video,
            on_progress=lambda doing, share: progress.doing(f"{doing}, {share:.0%}"),
            video_stream=video_stream,
        )
    out = console.stdout()
    if as_json:
        printing.show_json(found.to_dict())
    elif as_srt or as_csv:
        file = lazy.text_tracks
        out.say((file.subtitles(found) if as_srt else file.rows(found)).replace("\r\n", "\n").rstrip("\n"))
    else:
        for line in lazy.text_tracks.lines(found):
            out.say(line)
