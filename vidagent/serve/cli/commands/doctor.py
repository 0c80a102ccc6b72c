"""`vidagent doctor`: whether and how well this installation can answer questions, and what to do."""

from __future__ import annotations

import typer

from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import printing
from vidagent.serve.terminal.progress import command_progress


def doctor(
    base_url: flags.BaseUrl = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Check decoders, sandbox, cache, disk and model, and say what to do."""
    with command_progress(quiet=quiet, verbose=verbose) as progress:
        progress.doing("checking")
        diagnosis = lazy.api.diagnose(base_url=base_url)
    printing.show_report(diagnosis, as_json=as_json)
    if diagnosis.exit_code:
        raise typer.Exit(diagnosis.exit_code)
