"""`vidagent batch`: many questions about many videos, from a file into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vidagent.serve.cli import flags, lazy
from vidagent.serve.cli.flags import Limits, budgeted
from vidagent.serve.terminal import console, printing

_DIRECT = (
    "Direct questions (chosen frames in one call of the model, as NeVA does it; no agent, nothing is checked)"
)
_CLUSTER = "Ray"

Input = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT", show_default=False, help="The questions: JSON lines, in NeVA's format or ours."
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        show_default=False,
        help="The output, one line per answer; lines already in it are not asked again.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option("--video-root", metavar="DIR", file_okay=False, help="Folder of the videos and images."),
]
BaseUrls = Annotated[
    list[str] | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="OpenAI-compatible server; repeat it for several of one model: the least loaded is asked first.",
    ),
]
Mode = Annotated[
    Literal["agent", "direct"] | None,
    typer.Option(
        "--mode",
        help="Who answers about videos; `agent`, unless frames are chosen below or in a line. "
        "Images are always asked directly.",
        show_default="agent",
    ),
]
NumFrames = Annotated[
    int | None,
    flags.number("--num-frames", int, "N", "Evenly spaced frames of a direct question (8).", panel=_DIRECT),
]
SingleFrame = Annotated[
    Literal["first", "middle", "last"] | None,
    typer.Option(
        "--splice-single-frame", help="The one frame of a direct question.", rich_help_panel=_DIRECT
    ),
]
Concurrency = Annotated[
    int, flags.number("--concurrency", int, "N", "Lines under way at once.", legal="1 or more")
]
Calls = Annotated[
    int,
    flags.number(
        "--calls", int, "N", "Calls of the model under way at once, over all servers.", legal="1 or more"
    ),
]
Ordered = Annotated[
    bool,
    typer.Option(
        "--ordered", help="At the end, put the output into the input's order; else as answers came."
    ),
]
RetryErrors = Annotated[bool, typer.Option("--retry-errors", help="Ask lines again that ended in an error.")]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS|auto",
        rich_help_panel=_CLUSTER,
        help="Run on a Ray cluster: HOST:PORT of its head, or `auto` for the one on this machine.",
    ),
]
Workers = Annotated[
    int | None,
    flags.number(
        "--workers",
        int,
        "N",
        "Tasks at once; as many as the cluster has CPUs. Each has --concurrency lines and its share of --calls.",
        panel=_CLUSTER,
        legal="1 or more",
    ),
]


@budgeted
def batch(
    source: Input,
    output: Output,
    video_root: Root = None,
    model: flags.Model = None,
    base_url: BaseUrls = None,
    mode: Mode = None,
    num_frames: NumFrames = None,
    splice_single_frame: SingleFrame = None,
    concurrency: Concurrency = 8,
    calls: Calls = 16,
    ordered: Ordered = False,
    retry_errors: RetryErrors = False,
    ray: Ray = None,
    workers: Workers = None,
    decoder: flags.Decoder = None,
    video_stream: flags.VideoStream = None,
    as_json: flags.AsJson = False,
    *,
    limits: Limits,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Answer many questions about many videos, one JSON object a line.

    Each line of the output is a line of the input with `response`, the answer's words, and `answer`, the Answer object,
    or `error` with type (video, model, usage, internal) and message. Run the same command again after a kill: finished
    lines are kept, the rest is asked. A summary is printed at the end (--json: as one object).

    The exit code covers all lines of the output: 0 answered or not found, 5 a budget ended some; with error lines, that
    of the most serious one: 1 internal, 4 model, 3 video, 2 usage. 130 interrupted: finished lines are kept.
    """
    console.loudness(quiet=quiet, verbose=verbose)
    urls = tuple(base_url or ())
    settings = lazy.config.load(
        model=model, base_url=urls[0] if urls else None, decoder=decoder, video_stream=video_stream, **limits
    )
    for url in urls:
        lazy.config.load(base_url=url)
    setup = lazy.batch.Setup(
        settings=settings,
        base_urls=urls,
        root=video_root,
        mode=mode,
        num_frames=num_frames,
        single_frame=splice_single_frame,
        concurrency=concurrency,
        calls=calls,
    )
    batch = lazy.batch.Batch(source, output, setup, ordered, retry_errors, ray, workers)
    summary = lazy.batch.run(batch, quiet=quiet)
    if as_json:
        printing.show_json(summary.to_dict())
    else:
        console.stdout().print(summary.table())
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)
