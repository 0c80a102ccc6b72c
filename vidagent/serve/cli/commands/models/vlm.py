"""`vidagent vlm`: a model's server started, and a running one tried."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from vidagent.serve.cli import lazy
from vidagent.serve.cli.commands.models.vlm_check import check
from vidagent.serve.cli.flags import Quiet, Verbose, number
from vidagent.serve.terminal import console
from vidagent.serve.terminal.progress import Progress

_INTERRUPTED = 130

_RUN = "How it is kept running"

ProfileName = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE[:VARIANT]",
        help="A profile by its name or its .toml file, and a precision or size, such as "
        "nemotron-nano-12b-v2-vl:fp8; the first one if none is named.",
        show_default=False,
    ),
]
Extra = Annotated[
    list[str] | None,
    typer.Argument(metavar="-- FLAG", help="Further flags of vllm serve itself.", show_default=False),
]
Print = Annotated[
    bool, typer.Option("--print", help="Print the command line, ready to be copied, and start nothing.")
]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
Port = Annotated[int, number("--port", int, "N", "Port to listen on, 1 to 65535.", legal="1 to 65535")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="A checkpoint's folder or name, not the variant's."),
]
Program = Annotated[
    str | None, typer.Option("--vllm", metavar="PATH", help="The vllm program; found on PATH otherwise.")
]
TensorParallel = Annotated[
    int | None, number("--tensor-parallel", int, "N", "GPUs that share one copy.", legal="at least 1")
]
DataParallel = Annotated[
    int | None, number("--data-parallel", int, "N", "Copies of the model.", legal="at least 1")
]
Context = Annotated[
    int | None, number("--context", int, "N", "Tokens of a prompt and its reply.", legal="at least 1")
]
Pruning = Annotated[
    float | None,
    number(
        "--pruning",
        float,
        "X",
        "Share of a video's tokens to leave out, 0 ≤ X < 1.",
        legal="at least 0 and less than 1",
    ),
]
MediaPath = Annotated[
    Path | None,
    typer.Option("--media-path", metavar="DIR", help="Folder whose files requests may name; none otherwise."),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        rich_help_panel=_RUN,
        help="File that the server's output is added to; vlm-PORT.log in your log folder otherwise.",
    ),
]
Wait = Annotated[
    float,
    number(
        "--wait",
        float,
        "SECONDS",
        "Longest wait until it is healthy, a download of the model included.",
        legal="more than 0",
        panel=_RUN,
    ),
]
Restarts = Annotated[
    int,
    number(
        "--restarts",
        int,
        "N",
        "How often it is started again when it dies after it was healthy.",
        legal="at least 0",
        panel=_RUN,
    ),
]

app = typer.Typer(name="vlm")


@app.callback(invoke_without_command=True)
def vlm(context: typer.Context) -> None:
    """Serve a vision-language model, and try what a server can do."""
    if context.invoked_subcommand is None:
        console.stdout().print(context.get_help())


app.command()(check)


@app.command()
def serve(
    profile: ProfileName,
    extra: Extra = None,
    show: Print = False,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    model: Model = None,
    program: Program = None,
    tensor_parallel: TensorParallel = None,
    data_parallel: DataParallel = None,
    context: Context = None,
    pruning: Pruning = None,
    media_path: MediaPath = None,
    log: LogFile = None,
    wait: Wait = 3600.0,
    restarts: Restarts = 3,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Start the server for a model, wait until it is healthy, and keep it running until Ctrl-C."""
    console.loudness(quiet=quiet, verbose=verbose)
    options = lazy.vllm_command.Options(
        host=host,
        port=port,
        model=model,
        tensor_parallel=tensor_parallel,
        data_parallel=data_parallel,
        context=context,
        pruning=pruning,
        media_path=media_path,
        wait_s=wait,
        restarts=restarts,
        extra=tuple(extra or ()),
    )
    target = lazy.vllm_command.find(profile)
    progress = Progress(console.stderr(), quiet=quiet)
    if target.profile.serve.runner == "docker":
        console.stdout().say(lazy.vllm_container.shell(target, options))
        question = lazy.vllm_command.question(target, target.variant.model if target.variant else "", options)
        progress.tell(f"a container is yours to start and to end; run that, then: {question}", style="dim")
        return
    command = lazy.vllm_command.vllm_command(target, options)
    if show:
        console.stdout().say((command.by(program) if program else command).shell())
        return
    if lazy.vllm_launcher.launch(command, target, options, program, log, progress) is signal.SIGINT:
        raise typer.Exit(_INTERRUPTED)
