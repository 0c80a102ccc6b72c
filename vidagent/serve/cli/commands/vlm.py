"""The command line of the model's server: `vidagent vlm serve`.

As in `vidagent.serve.cli.app`, nothing heavy is imported up here.
"""

from __future__ import annotations

import signal

import typer

from vidagent.serve.cli import flags as shared
from vidagent.serve.cli.commands import vlm_flags
from vidagent.serve.cli.commands.vlm_check import check
from vidagent.serve.terminal import console

_INTERRUPTED = 130

app = typer.Typer(name="vlm")


@app.callback(invoke_without_command=True)
def vlm(context: typer.Context) -> None:
    """Serve a vision-language model, and try what a server can do."""
    if context.invoked_subcommand is None:
        console.stdout().print(context.get_help())


app.command()(check)


@app.command()
def serve(
    profile: vlm_flags.ProfileName,
    extra: vlm_flags.Extra = None,
    show: vlm_flags.Print = False,
    host: vlm_flags.Host = "127.0.0.1",
    port: vlm_flags.Port = 8000,
    model: vlm_flags.Model = None,
    program: vlm_flags.Program = None,
    tensor_parallel: vlm_flags.TensorParallel = None,
    data_parallel: vlm_flags.DataParallel = None,
    context: vlm_flags.Context = None,
    pruning: vlm_flags.Pruning = None,
    media_path: vlm_flags.MediaPath = None,
    log: vlm_flags.LogFile = None,
    wait: vlm_flags.Wait = 3600.0,
    restarts: vlm_flags.Restarts = 3,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
) -> None:
    """Start the server for a model, wait until it is healthy, and keep it running until Ctrl-C."""
    console.loudness(quiet=quiet, verbose=verbose)
    from vidagent.serve.terminal.progress import Progress
    from vidagent.serve.vlm import command, container, launcher
    from vidagent.serve.vlm.log import Log, default_path

    options = command.Options(
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
    target = command.find(profile)
    progress = Progress(console.stderr(), quiet=quiet)
    if target.profile.serve.runner == "docker":
        console.stdout().say(container.shell(target, options))
        asking = command.question(target, target.variant.model if target.variant else "", options)
        progress.tell(f"a container is yours to start and to end; run that, then: {asking}", style="dim")
        return
    planned = command.vllm_command(target, options)
    if show:
        console.stdout().say((planned.by(program) if program else planned).shell())
        return
    started = planned.by(launcher.find_program(program))
    launcher.check_port(options)
    launch = launcher.Launch(started, target, options, Log(log or default_path(port)), progress)
    if launch.run() is signal.SIGINT:
        raise typer.Exit(_INTERRUPTED)
