"""`vidagent cache`: where indexes, frames, runs and sessions are kept, how large they are, and clearing them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vidagent.errors import UsageError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import console, printing

app = typer.Typer(
    name="cache",
    help="Show or clear what is kept: indexes of videos, frames, runs and sessions.",
    no_args_is_help=True,
)

Kinds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KIND]...", help="indexes, frames, runs, sessions; all of them if none is named."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]


@app.command()
def show(as_json: flags.AsJson = False, quiet: flags.Quiet = False, verbose: flags.Verbose = False) -> None:
    """Say where the cache is, and how large what it holds is."""
    console.loudness(quiet=quiet, verbose=verbose)
    printing.show_report(lazy.cache.cache_report(), as_json=as_json)


@app.command()
def clear(
    kinds: Kinds = None,
    yes: Yes = False,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Remove what the cache holds; a run that goes on, and a video or session in use, stays.

    Runs and sessions that are removed can be neither shown nor gone on with; indexes are built again when needed.
    """
    console.loudness(quiet=quiet, verbose=verbose)
    wanted = lazy.cache.kinds_of(kinds or lazy.cache.KINDS)
    if not (yes or _is_agreed(wanted)):
        console.stderr().say("nothing is removed")
        return
    cleared = lazy.cache.clear_cache(wanted)
    if as_json:
        printing.show_json({"cleared": [one.to_dict() for one in cleared]})
    else:
        for one in cleared:
            console.stdout().say(one.words)


def _is_agreed(wanted: tuple[str, ...]) -> bool:
    """Show what would be removed, and ask.

    Raises:
        UsageError: If there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError("nothing is removed without --yes where nobody can be asked")
    report = lazy.cache.cache_report()
    for one in report.holdings:
        if one.kind in wanted:
            console.stderr().say(f"{one.kind:<9} {one.words}")
    console.stderr().print(f"Remove this from {report.folder}? [y/N] ", end="")
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}
