"""The flags of the command line: their names, types and help texts."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from typer.models import OptionInfo

from vidagent.errors import UsageError

T = TypeVar("T")

DEFAULT_DOWNLOAD_MB = 500
_BUDGET = "Budgets (the run ends with the best supported answer when one is spent)"
_DOWNLOAD = "Videos behind an http(s) URL, or on stdin"


def number(
    flag: str,
    kind: type[int] | type[float],
    metavar: str,
    about: str,
    *,
    legal: str = "more than 0",
    panel: str | None = None,
) -> OptionInfo:
    """Return an option that takes a number; text is refused in the same words as a number out of range."""

    def read(text: str) -> float:
        try:
            return kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise UsageError(f"{flag} must be {what}, {legal}; got {text!r}") from None

    option: OptionInfo = typer.Option(flag, metavar=metavar, rich_help_panel=panel, help=about, parser=read)
    return option


Video = Annotated[str, typer.Argument(metavar="VIDEO", help="The video file.", show_default=False)]
Videos = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="VIDEO",
        help="The video file, or 2 to 16: files, folders, patterns; - reads one from stdin.",
        show_default=False,
    ),
]
Library = Annotated[
    bool, typer.Option("--library", help="Ask about the videos of the library that fit the question best.")
]
MostVideos = Annotated[
    int | None,
    number("--most-videos", int, "N", "With --library: most videos asked about; 4.", legal="1 to 16"),
]
Question = Annotated[
    str | None,
    typer.Argument(metavar="QUESTION", help="The question; - reads it from stdin.", show_default=False),
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
Engine = Annotated[
    Literal["server", "vllm", "transformers"] | None,
    typer.Option(
        "--engine", help="Where the model runs; vllm and transformers load --model in this process."
    ),
]
Fps = Annotated[
    float | None,
    number("--fps", float, "F", "Frames a second of the overview; not with --num-frames."),
]
NumFrames = Annotated[
    int | None,
    number("--num-frames", int, "N", "Frames of the overview of the whole video."),
]
SaveFrames = Annotated[
    Path | None,
    typer.Option("--save-frames", metavar="DIR", file_okay=False, help="Save the evidence's frames here."),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write a page (.html) with the answer, where it was seen, the evidence and each step; "
        "of several videos, a first page and one for each.",
    ),
]
Export = Annotated[
    list[str] | None,
    typer.Option(
        "--export",
        metavar="FILE|DIR",
        help="Write clips (.mp4), frames (DIR, .jpg, .png) or the answer (.json, .md, .srt, .csv, .edl; as "
        "chapters .ffmetadata, and .txt for YouTube); "
        "repeatable. "
        "Of several videos, each has files of its own, numbered and named after it.",
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="JSON Schema of `data` in the answer: each value is proved by itself, or null with a reason.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be looked at and its cost; ask no model.")
]
Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="RUN", help="Go on with an earlier run; `last` is the newest."),
]
Session = Annotated[
    str | None,
    typer.Option(
        "--session", metavar="NAME", help="Ask in a session: after the questions asked in it before."
    ),
]
Transcribe = Annotated[
    bool,
    typer.Option(
        "--transcribe", help="Transcribe speech, by VIDAGENT_TRANSCRIBE_URL or VIDAGENT_SPEECH_MODEL."
    ),
]
Srt = Annotated[bool, typer.Option("--srt", help="Print SubRip subtitles, as other tools read them.")]
Texts = Annotated[
    bool, typer.Option("--texts", help="Find the texts on screen, each from its first frame to its last.")
]
DecoderName = Literal["pyav", "decord", "torchcodec"]
Decoder = Annotated[
    DecoderName | None,
    typer.Option("--decoder", help="Library that decodes the video.", show_default="pyav"),
]
VideoStream = Annotated[
    int | None,
    number(
        "--stream",
        int,
        "N",
        "Number of the video stream; `vidagent probe` lists the others.",
        legal="0 or more",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, cost or warnings on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every step, and tracebacks, on stderr.")]

Download = Annotated[
    bool,
    typer.Option(
        "--download", rich_help_panel=_DOWNLOAD, help="Fetch the file, or the video of the page, first."
    ),
]
MaxDownloadMb = Annotated[
    int, number("--max-download-mb", int, "N", "Largest download, in MB; of stdin, too.", panel=_DOWNLOAD)
]

Seconds = Annotated[
    float | None, number("--budget-seconds", float, "N", "Wall-clock seconds.", panel=_BUDGET)
]
Steps = Annotated[int | None, number("--budget-steps", int, "N", "Turns of the planner.", panel=_BUDGET)]
ModelCalls = Annotated[
    int | None, number("--budget-model-calls", int, "N", "Requests to the model.", panel=_BUDGET)
]
PromptTokens = Annotated[
    int | None, number("--budget-prompt-tokens", int, "N", "Tokens sent.", panel=_BUDGET)
]
ComputedTokens = Annotated[
    int | None,
    number(
        "--budget-computed-tokens", int, "N", "Tokens sent that the server had not cached.", panel=_BUDGET
    ),
]
CompletionTokens = Annotated[
    int | None,
    number("--budget-completion-tokens", int, "N", "Tokens generated, thinking included.", panel=_BUDGET),
]
ThinkingTokens = Annotated[
    int | None,
    number(
        "--budget-thinking-tokens",
        int,
        "N",
        "Tokens of thought; 0 turns it off.",
        legal="0 or more",
        panel=_BUDGET,
    ),
]
Frames = Annotated[
    int | None, number("--budget-frames", int, "N", "Frames shown to the model.", panel=_BUDGET)
]

Limits = dict[str, float | None]
"""Values of the budget flags by the names of the settings, such as `budget_seconds`; None if not given."""

_BUDGET_FLAGS = {
    "budget_seconds": Seconds,
    "budget_steps": Steps,
    "budget_model_calls": ModelCalls,
    "budget_prompt_tokens": PromptTokens,
    "budget_computed_tokens": ComputedTokens,
    "budget_completion_tokens": CompletionTokens,
    "budget_thinking_tokens": ThinkingTokens,
    "budget_frames": Frames,
}


def budgeted(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command a flag for each budget in place of its parameter `limits`."""
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name == "limits":
            parameters += [
                parameter.replace(name=flag, annotation=kind, default=None)
                for flag, kind in _BUDGET_FLAGS.items()
            ]
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def run(*args: Any, **given: Any) -> T:  # noqa: ANN401 - the arguments of any command
        limits: Limits = {name: given.pop(name, None) for name in _BUDGET_FLAGS}
        return command(*args, **given, limits=limits)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # PEP 362
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
