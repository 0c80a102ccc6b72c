"""The command line of the model's server: `vidagent vlm serve`.

As in `vidagent.serve.cli`, nothing heavy is imported up here.
"""

from __future__ import annotations

import signal

import typer

from vidagent.serve import flags as shared
from vidagent.serve import terminal
from vidagent.serve.vlm import flags
from vidagent.serve.vlm.checking import check

__all__ = ["app"]

_INTERRUPTED = 130

app = typer.Typer(name="vlm")


@app.callback(invoke_without_command=True)
def vlm(context: typer.Context) -> None:
    """Serve a vision-language model, and try what a server can do."""
    if context.invoked_subcommand is None:
        terminal.stdout().print(context.get_help())


app.command()(check)


@app.command()
def serve(
    profile: flags.ProfileName,
    extra: flags.Extra = None,
    show: flags.Print = False,
    host: flags.Host = "127.0.0.1",
    port: flags.Port = 8000,
    model: flags.Model = None,
    program: flags.Program = None,
    tensor_parallel: flags.TensorParallel = None,
    data_parallel: flags.DataParallel = None,
    context: flags.Context = None,
    pruning: flags.Pruning = None,
    media_path: flags.MediaPath = None,
    log: flags.LogFile = None,
    wait: flags.Wait = 3600.0,
    restarts: flags.Restarts = 3,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
) -> None:
    """Start the server for a model, wait until it is healthy, and keep it running until Ctrl-C."""
    terminal.loudness(quiet=quiet, verbose=verbose)
    from vidagent.serve.progress import Progress
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
    progress = Progress(terminal.stderr(), quiet=quiet)
    if target.profile.serve.runner == "docker":
        terminal.stdout().say(container.shell(target, options))
        asking = command.question(target, target.variant.model if target.variant else "", options)
        progress.tell(f"a container is yours to start and to end; run that, then: {asking}", style="dim")
        return
    planned = command.vllm_command(target, options)
    if show:
        terminal.stdout().say((planned.by(program) if program else planned).shell())
        return
    started = planned.by(launcher.find_program(program))
    launcher.check_port(options)
    launch = launcher.Launch(started, target, options, Log(log or default_path(port)), progress)
    if launch.run() is signal.SIGINT:
        raise typer.Exit(_INTERRUPTED)
