"""`vidagent vlm check`: what a running server can do, found out by trying."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from vidagent.errors import ModelError
from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.progress import command_progress
from vidagent.text import one_line

if TYPE_CHECKING:
    from vidagent.agents.probes.advice import Advice
    from vidagent.agents.probes.checkup import Checkup
    from vidagent.agents.probes.finding import Finding

Line = tuple[str, str]
"""A line and its style."""

_STYLES = {"yes": "", "no": "red", "unknown": "yellow"}
_WIDEST = 100
_HEAD = 32
"""Columns before the detail."""
_MOST_LINES = 5
_WHERE = "Keys go into a profile of your own, a TOML file that VIDAGENT_PROFILE names."

Tried = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Model to try; the first one served unless named."),
]


def check(
    base_url: flags.BaseUrl = None,
    model: Tried = None,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Find out what a running server can do, by trying, and where its profile says otherwise.

    A few dozen small requests are sent; without --base-url, to the first server found on this machine. What they find
    is kept for later questions.
    """
    progress = command_progress(quiet=quiet, verbose=verbose)
    settings = lazy.config.load(base_url=base_url, model=model)
    with progress:
        progress.doing("asking the server what it serves")
        checkup = asyncio.run(
            lazy.checkup.examine(
                settings, lambda probe: progress.doing(f"trying {probe.group}: {probe.name}")
            )
        )
    out = console.stdout()
    if as_json:
        printing.show_json(checkup.to_dict())
    else:
        for line, style in _lines(checkup, min(out.width, _WIDEST)):
            out.say(line, style=style)
    if checkup.unusable:
        raise ModelError(f"{checkup.where} cannot be used: {checkup.unusable}")


def _lines(checkup: Checkup, width: int) -> Iterator[Line]:
    for line in _heading(checkup):
        yield line, ""
    group = None
    for finding in checkup.findings:
        if finding.group != group:
            group = finding.group
            yield "", ""
            yield group, "bold"
        yield from _row(finding, width)
    if not checkup.unusable:
        yield "", ""
        yield from _verdict(checkup.profile.name, checkup.advice, width)


def _heading(checkup: Checkup) -> list[str]:
    model = checkup.model
    context = f", context {model.context_tokens:,} tokens" if model.context_tokens else ""
    kind = " ".join(part for part in (checkup.kind or "not known as vLLM", checkup.version) if part)
    rows = [
        ("server", f"{checkup.where}  {kind}"),
        ("model", f"{model.name}{context}"),
    ]
    if model.root and model.root != model.name:
        rows.append(("from", model.root))
    if checkup.others:
        rows.append(("beside", ", ".join(checkup.others)))
    rows.append(("profile", checkup.profile.name))
    return printing.aligned(rows)


def _row(finding: Finding, width: int) -> Iterator[Line]:
    style = _STYLES[finding.value]
    detail = textwrap.wrap(
        one_line(finding.outcome.detail),
        max(width - _HEAD, 20),
        max_lines=_MOST_LINES,
        placeholder=" …",
    )
    head = f"  {finding.name:<21} {finding.value:<7} "
    yield f"{head}{detail[0] if detail else ''}".rstrip(), style
    for line in detail[1:]:
        yield f"{'':{_HEAD}}{line}", style


def _verdict(profile: str, advice: Sequence[Advice], width: int) -> Iterator[Line]:
    if not advice:
        yield f"It can be used, and nothing here contradicts profile {profile}.", "green"
        return
    yield from _wrapped(f"It can be used. Where profile {profile} says otherwise:", width, 0, "bold")
    for item in advice:
        yield from _wrapped(f"{item.key}: {item.found}", width, 2, "yellow")
        yield from _wrapped(item.mend, width, 6, "")
    yield from _wrapped(_WHERE, width, 0, "dim")


def _wrapped(text: str, width: int, indent: int, style: str) -> Iterator[Line]:
    margin = " " * indent
    for line in textwrap.wrap(
        text, width, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    ):
        yield line, style
