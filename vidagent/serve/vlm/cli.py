"""The command line of the model's server: `vidagent vlm …`.

As in `vidagent.serve.cli`, nothing heavy is imported up here.
"""

from __future__ import annotations

import typer

from vidagent.serve import terminal

__all__ = ["app"]

app = typer.Typer(name="vlm")


@app.callback(invoke_without_command=True)
def vlm(context: typer.Context) -> None:
    """Serve a vision-language model, and try what a server can do."""
    if context.invoked_subcommand is None:
        terminal.stdout().print(context.get_help())
