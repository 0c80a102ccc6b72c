"""The flags of the command line: their names, types and help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_BUDGET = "Budgets (the run ends with the best supported answer when one is spent)"
_DOWNLOAD = "Videos behind an http(s) URL"

Video = Annotated[str, typer.Argument(metavar="VIDEO", help="The video file.", show_default=False)]
Question = Annotated[
    str, typer.Argument(metavar="QUESTION", help="The question; - reads it from stdin.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="TEXT", help="An option to choose from; give it at least twice."),
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Model to ask; `signals` is the embedded one."),
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="OpenAI-compatible server, such as vLLM's."),
]
Fps = Annotated[
    float | None,
    typer.Option("--fps", metavar="F", help="Frames a second of the overview; not with --num-frames."),
]
NumFrames = Annotated[
    int | None,
    typer.Option("--num-frames", metavar="N", help="Frames of the overview of the whole video."),
]
SaveFrames = Annotated[
    Path | None,
    typer.Option("--save-frames", metavar="DIR", file_okay=False, help="Save the evidence's frames here."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be looked at and its cost; ask no model.")
]
Resume = Annotated[str | None, typer.Option("--resume", metavar="RUN", help="Go on with an earlier run.")]
Decoder = Annotated[
    Literal["pyav", "decord", "torchcodec"] | None,
    typer.Option("--decoder", help="Library that decodes the video.", show_default="pyav"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, cost or warnings on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every step, and tracebacks, on stderr.")]

Download = Annotated[
    bool,
    typer.Option("--download", rich_help_panel=_DOWNLOAD, help="Fetch the URL to a temporary file first."),
]
MaxDownloadMb = Annotated[
    int,
    typer.Option(
        "--max-download-mb", metavar="N", rich_help_panel=_DOWNLOAD, help="Largest download, in MB."
    ),
]

Seconds = Annotated[
    float | None,
    typer.Option("--budget-seconds", metavar="N", rich_help_panel=_BUDGET, help="Wall-clock seconds."),
]
Steps = Annotated[
    int | None,
    typer.Option("--budget-steps", metavar="N", rich_help_panel=_BUDGET, help="Turns of the planner."),
]
ModelCalls = Annotated[
    int | None,
    typer.Option("--budget-model-calls", metavar="N", rich_help_panel=_BUDGET, help="Requests to the model."),
]
PromptTokens = Annotated[
    int | None,
    typer.Option("--budget-prompt-tokens", metavar="N", rich_help_panel=_BUDGET, help="Tokens sent."),
]
CompletionTokens = Annotated[
    int | None,
    typer.Option(
        "--budget-completion-tokens",
        metavar="N",
        rich_help_panel=_BUDGET,
        help="Tokens generated, thinking included.",
    ),
]
ThinkingTokens = Annotated[
    int | None,
    typer.Option(
        "--budget-thinking-tokens",
        metavar="N",
        rich_help_panel=_BUDGET,
        help="Tokens of thought; 0 turns it off.",
    ),
]
Frames = Annotated[
    int | None,
    typer.Option("--budget-frames", metavar="N", rich_help_panel=_BUDGET, help="Frames shown to the model."),
]
