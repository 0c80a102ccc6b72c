"""`vidagent transcript`: what is said in a video, line by line."""

from __future__ import annotations

from typing import Annotated

import typer

from vidagent.errors import UsageError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.progress import Progress

Vtt = Annotated[bool, typer.Option("--vtt", help="Print WebVTT subtitles, as web pages take them.")]
Language = Annotated[
    str | None,
    typer.Option("--language", metavar="CODE", help="The language spoken, such as en; found if not given."),
]


def transcript(
    video: flags.Video,
    as_json: flags.AsJson = False,
    as_srt: flags.Srt = False,
    as_vtt: Vtt = False,
    language: Language = None,
    video_stream: flags.VideoStream = None,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Print what is said, with its times; it is transcribed on first use, by VIDAGENT_SPEECH_MODEL or a server."""
    if as_json + as_srt + as_vtt > 1:
        raise UsageError("give one of --json, --srt and --vtt")
    console.loudness(quiet=quiet, verbose=verbose)
    with Progress(console.stderr(), quiet=quiet, verbose=verbose) as progress:
        found = lazy.api.transcript_of(
            video,
            language=language,
            on_progress=lambda doing, share: progress.doing(f"{doing}, {share:.0%}"),
            video_stream=video_stream,
        )
    out, file = console.stdout(), lazy.transcripts
    if as_json:
        printing.show_json(found.to_dict())
    elif as_srt or as_vtt:
        out.say((file.srt(found) if as_srt else file.vtt(found)).replace("\r\n", "\n").rstrip("\n"))
    else:
        for line in file.lines(found):
            out.say(line)
