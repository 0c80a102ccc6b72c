"""`vidagent models`: which models are within reach, and which of them answers by default."""

from __future__ import annotations

from typing import Annotated

import typer

from vidagent.errors import ModelError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.progress import Progress, command_progress

app = typer.Typer(name="models")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A model that `vidagent models` lists.", show_default=False)
]


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    base_url: flags.BaseUrl = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """List the models within reach; a star marks the one a question would go to."""
    if context.invoked_subcommand is not None:
        return
    with command_progress(quiet=quiet, verbose=verbose) as progress:
        progress.doing("looking for models")
        report = printing.Models(lazy.api.list_models(base_url=base_url))
    printing.show_report(report, as_json=as_json)


@app.command()
def use(
    name: Name, base_url: flags.BaseUrl = None, quiet: flags.Quiet = False, verbose: flags.Verbose = False
) -> None:
    """Let a model answer from now on, unless a question names another one."""
    console.loudness(quiet=quiet, verbose=verbose)
    found = lazy.api.list_models(base_url=base_url)
    model = next((one for one in found if one.model == name), None)
    if model is None:
        raise ModelError(f"there is no model {name!r}; there are {', '.join(one.model for one in found)}")
    path = lazy.config.save_defaults(model=model.model, base_url=model.where)
    Progress(console.stderr(), quiet=quiet).tell(f"model {model.model} answers from now on ({path})")
