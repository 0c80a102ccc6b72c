"""`vidagent runs export`: earlier runs as rows to train a model on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidagent.errors import UsageError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import console, printing
from vidagent.text import counted

if TYPE_CHECKING:
    from vidagent.api import RunExport

Runs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN", help="Ids, as `runs list` shows them; `last` is the newest.", show_default=False
    ),
]
All = Annotated[bool, typer.Option("--all", help="All runs of the last week, in place of RUN.")]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="DIR", file_okay=False, help="Gets rows.jsonl, and the pictures in frames/."
    ),
]


def export(
    output: Output,
    runs: Runs = None,
    every: All = False,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Write what the model was sent and replied as training rows: messages, pictures, tools, verdicts."""
    console.loudness(quiet=quiet, verbose=verbose)
    if bool(runs) == every:
        raise UsageError("name the runs: give RUN, one or more (`vidagent runs list` shows them), or --all")
    named = [run.run_id for run in lazy.api.list_runs()] if every else list(runs or ())
    printing.show_report(Exported(lazy.api.export_runs(named, output)), as_json=as_json)


@dataclass(frozen=True, slots=True)
class Exported:
    """Says what was written."""

    export: RunExport

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {**dataclasses.asdict(self.export), "path": str(self.export.path)}

    def lines(self) -> list[str]:
        """Say it to people."""
        done = self.export
        said = f"{counted(done.rows, 'row')} and {counted(done.pictures, 'picture')} in {done.path.parent}"
        gone = f"without {counted(done.left_out, 'request')}, whose pictures are gone or were sent as a video"
        return [said, *([gone] if done.left_out else [])]
