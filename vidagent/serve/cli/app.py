"""The command line: `vidagent ask`, `chat`, `batch`, `eval`, `judge`, `serve`, `mcp`, `watch` and what goes with them.

`vidagent --help` answers at once, as what takes long to import comes through `vidagent.serve.cli.lazy`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from vidagent import tracing
from vidagent.errors import VidagentError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.cli.commands.ask import ask
from vidagent.serve.cli.commands.batch import batch
from vidagent.serve.cli.commands.chat import chat
from vidagent.serve.cli.commands.doctor import doctor
from vidagent.serve.cli.commands.eval import evaluate
from vidagent.serve.cli.commands.judge import judge, reviews
from vidagent.serve.cli.commands.library import app as library
from vidagent.serve.cli.commands.library import find
from vidagent.serve.cli.commands.mcp import mcp
from vidagent.serve.cli.commands.models.models import app as models
from vidagent.serve.cli.commands.models.vlm import app as vlm
from vidagent.serve.cli.commands.serve import app as serve
from vidagent.serve.cli.commands.stored.cache import app as cache
from vidagent.serve.cli.commands.stored.runs import app as runs
from vidagent.serve.cli.commands.stored.sessions import app as sessions
from vidagent.serve.cli.commands.summary import summary
from vidagent.serve.cli.commands.texts import texts
from vidagent.serve.cli.commands.transcript import transcript
from vidagent.serve.cli.commands.watch import watch
from vidagent.serve.cli.examples import (
    ASK,
    BATCH,
    CHAT,
    EVAL,
    FIND,
    INDEX,
    LIBRARY,
    RUNS,
    SERVE,
    SUMMARY,
    TEXTS,
    TRANSCRIPT,
    WATCH,
)
from vidagent.serve.cli.flags import AsJson, Quiet, Verbose
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.progress import command_progress
from vidagent.serve.terminal.video_facts import VideoFacts

INTERNAL = 1
INTERRUPTED = 130
_log = logging.getLogger(__name__)

app = typer.Typer(
    name="vidagent",
    help="Ask questions about videos of any length; get answers with the frames that prove them.",
    epilog="Exit codes: 0 answered or not found, 1 internal error, 2 usage, 3 video, 4 model, "
    "5 a budget or the context ended the run (the partial answer is printed), 130 interrupted.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; every error is one line on stderr."""
    with console.messages():
        try:
            command = typer.main.get_command(app)
            code = (
                command.main(list(arguments) or ["--help"], prog_name="vidagent", standalone_mode=False) or 0
            )
        except typer.TyperException as error:
            if not error.format_message():  # a group without a command, whose help is printed
                return 0
            console.complain(f"{_explained(error)} (--help lists what is legal)")
            return error.exit_code
        except VidagentError as error:
            _log.debug("where it came from", exc_info=True)
            console.complain(str(error))
            return error.exit_code
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the serving edge: never a bare traceback
            _log.debug("traceback", exc_info=True)
            hint = "" if _log.isEnabledFor(logging.DEBUG) else " (-v or VIDAGENT_DEBUG=1 shows the traceback)"
            console.complain(f"internal error: {type(error).__name__}: {error}{hint}")
            return INTERNAL
        finally:
            tracing.flush()
        if code == INTERRUPTED:
            console.complain("interrupted")
        return int(code)


def _explained(error: typer.TyperException) -> str:
    """Say what was wrong with the arguments, and what may have been meant."""
    message: str = error.format_message()
    if not message.startswith("Got unexpected extra argument"):
        return message
    context = getattr(error, "ctx", None)
    if context is not None and context.info_name == "chat":
        return "chat takes one VIDEO and no question: questions are typed once it has begun, or piped in"
    return f"{message}; put an argument that has spaces in quotes"


def _print_version(requested: bool) -> None:
    if requested:
        console.stdout().say(f"vidagent {version('vidagent')}")
        raise typer.Exit


@app.callback()
def vidagent(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask questions about videos of any length; get answers with the frames that prove them."""


app.command(epilog=ASK)(ask)
app.command(epilog=SUMMARY)(summary)
app.command(epilog=CHAT)(chat)
app.add_typer(library, epilog=LIBRARY)
app.command(epilog=FIND)(find)
app.command(epilog=BATCH)(batch)
app.command("eval", epilog=EVAL)(evaluate)
app.command()(judge)
app.command()(reviews)
app.add_typer(models)
app.add_typer(vlm)
app.add_typer(runs, epilog=RUNS)
app.add_typer(sessions)
app.add_typer(cache)
app.add_typer(serve, epilog=SERVE)
app.command()(mcp)
app.command(epilog=TEXTS)(texts)
app.command(epilog=TRANSCRIPT)(transcript)
app.command(epilog=WATCH)(watch)
app.command()(doctor)


@app.command()
def probe(
    video: flags.Video,
    video_stream: flags.VideoStream = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what is in a video file: duration, frame rate, size, codecs, subtitles."""
    with command_progress(quiet=quiet, verbose=verbose):
        report = VideoFacts(lazy.api.probe_video(video, video_stream=video_stream))
    printing.show_report(report, as_json=as_json)


@app.command(epilog=INDEX)
def index(
    video: flags.Video,
    transcribe: flags.Transcribe = False,
    texts: flags.Texts = False,
    video_stream: flags.VideoStream = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Build what is missing of a video's index and say what it holds and cost."""
    with command_progress(quiet=quiet, verbose=verbose) as progress:
        report = lazy.api.index_video(
            video,
            transcribe=transcribe,
            texts=texts,
            on_progress=lambda doing, share: progress.doing(f"{doing}, {share:.0%}"),
            video_stream=video_stream,
        )
    printing.show_report(report, as_json=as_json)
