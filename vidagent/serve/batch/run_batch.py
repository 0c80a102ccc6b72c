"""One batch from its input to its summary."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.serve.batch import ray_cluster
from vidagent.serve.batch.input_file import InputLine, read_lines
from vidagent.serve.batch.model import connect
from vidagent.serve.batch.output_file import OutputFile, Result
from vidagent.serve.batch.progress import BatchProgress
from vidagent.serve.batch.runner import answer_lines
from vidagent.serve.batch.setup import Setup as Setup
from vidagent.serve.batch.summary import Summary
from vidagent.serve.terminal import console
from vidagent.text import counted


@dataclass(frozen=True, slots=True)
class Batch:
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


def run(batch: Batch, *, quiet: bool = False) -> Summary:
    """Answer the lines that are not done yet, and sum up all of them.

    Raises:
        UsageError: If a file cannot be read or written, or they do not belong together.
        ModelError: If there is no model to begin with.
    """
    if batch.workers is not None and batch.ray is None:
        raise UsageError(
            f"--workers goes with --ray; on this machine alone it is --concurrency, got {batch.workers}"
        )
    lines = read_lines(batch.source)
    if batch.output.exists() and batch.output.samefile(batch.source):
        raise UsageError(f"the output is the input, {batch.output}; name another file with -o")
    with OutputFile(batch.output) as output:
        left = output.open_lines(lines)
        if batch.retry_errors:
            output.drop_errors()
            left = output.open_lines(lines)
        at_once = batch.setup.concurrency * (batch.workers or 1)
        with BatchProgress(
            console.stderr(), len(lines), len(lines) - len(left), at_once, quiet=quiet
        ) as progress:
            if len(left) < len(lines):
                progress.tell(f"{len(lines) - len(left)} of {counted(len(lines), 'line')} done already")
            if left:
                try:
                    _answer(left, batch, output, progress)
                except KeyboardInterrupt:
                    progress.tell(
                        f"{len(output.results)} of {counted(len(lines), 'line')} are done and kept in {batch.output}; "
                        "the same command goes on with the others"
                    )
                    raise
        if batch.ordered:
            output.sort()
        return Summary.of(output.results)


def _answer(left: Sequence[InputLine], batch: Batch, output: OutputFile, progress: BatchProgress) -> None:
    def store(result: Result) -> None:
        output.append(result)
        progress.add(result)

    if batch.ray is not None:
        ray_cluster.answer_lines(left, batch.setup, batch.ray, batch.workers, store, progress.tell)
        return
    model = connect(batch.setup)
    progress.tell(model.description)
    writing = asyncio.Lock()

    async def done(result: Result) -> None:
        async with writing:
            await asyncio.shield(asyncio.to_thread(store, result))

    asyncio.run(answer_lines(left, batch.setup, model, done))
