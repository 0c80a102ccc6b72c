"""One batch from its input to its summary."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.serve.batch.input_lines import Line, read_lines
from vidagent.serve.batch.models import connect
from vidagent.serve.batch.output.progress import Progress
from vidagent.serve.batch.output.record import Record
from vidagent.serve.batch.output.results import Result
from vidagent.serve.batch.output.summary import Summary
from vidagent.serve.batch.runner import answer_lines
from vidagent.serve.batch.setup import Setup
from vidagent.serve.terminal import console, printing


@dataclass(frozen=True, slots=True)
class Wanted:
    """A batch.

    Args:
        source: The input.
        output: The output.
        setup: How lines are answered.
        ordered: Whether the output is put into the input's order in the end.
        retry_errors: Whether lines that ended in an error are asked again.
        ray: The cluster's address, or None for this machine alone.
        workers: Most tasks at once on the cluster; None is one for each CPU.
    """

    source: Path
    output: Path
    setup: Setup
    ordered: bool = False
    retry_errors: bool = False
    ray: str | None = None
    workers: int | None = None


def run(wanted: Wanted, *, quiet: bool = False) -> Summary:
    """Answer the lines that are not done yet, and sum up all of them.

    Raises:
        UsageError: If a file cannot be read or written, or they do not belong together.
        ModelError: If there is no model to begin with.
    """
    if wanted.workers is not None and wanted.ray is None:
        raise UsageError(
            f"--workers goes with --ray; on this machine alone it is --concurrency, got {wanted.workers}"
        )
    lines = read_lines(wanted.source)
    if wanted.output.exists() and wanted.output.samefile(wanted.source):
        raise UsageError(f"the output is the input, {wanted.output}; name another file with -o")
    with Record(wanted.output) as record:
        left = record.left(lines)
        if wanted.retry_errors:
            record.drop_errors()
            left = record.left(lines)
        at_once = wanted.setup.concurrency * (wanted.workers or 1)
        with Progress(console.stderr(), len(lines), len(lines) - len(left), at_once, quiet=quiet) as progress:
            if len(left) < len(lines):
                progress.tell(f"{len(lines) - len(left)} of {len(lines)} lines are done already")
            if left:
                _answer(left, wanted, record, progress)
        if wanted.ordered:
            record.sort()
        return Summary.of(record.results)


def show(summary: Summary, *, as_json: bool) -> None:
    """Print a summary on stdout."""
    out = console.stdout()
    if as_json:
        printing.show_json(summary.to_dict(), out)
    else:
        out.print(summary.table())


def _answer(left: Sequence[Line], wanted: Wanted, record: Record, progress: Progress) -> None:
    def keep(result: Result) -> None:
        record.append(result)
        progress.add(result)

    if wanted.ray is not None:
        from vidagent.serve.batch.cluster import answer_lines as answer_there

        answer_there(left, wanted.setup, wanted.ray, wanted.workers, keep, progress.tell)
        return
    model = connect(wanted.setup)
    progress.tell(model.about)
    writing = asyncio.Lock()

    async def done(result: Result) -> None:
        async with writing:
            await asyncio.shield(asyncio.to_thread(keep, result))

    asyncio.run(answer_lines(left, wanted.setup, model, done))
