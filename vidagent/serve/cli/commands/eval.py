"""`vidagent eval`: a benchmark asked directly and by the agent, at equal frames, and scored."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from vidagent.errors import UsageError, VideoError
from vidagent.evaluation.result_log import Log
from vidagent.serve.cli import flags, lazy
from vidagent.serve.cli.flags import Limits, budgeted
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.progress import Progress
from vidagent.text import counted, without_controls

if TYPE_CHECKING:
    from vidagent.evaluation.formats.item import Item
    from vidagent.evaluation.formats.video_folder import Shelf
    from vidagent.evaluation.results.summary import Summary
    from vidagent.evaluation.runner import Asker, Task

_NAMES = "videomme, lvbench, longvideobench, mlvu, egoschema, charades, qvhighlights, activitynet, items"
_FRAMES = 64

Name = Annotated[str, typer.Argument(metavar="NAME", help=f"The benchmark: {_NAMES}.", show_default=False)]
File = Annotated[
    Path, typer.Argument(metavar="FILE", help="Its annotations; for mlvu also a folder.", show_default=False)
]
Videos = Annotated[
    Path,
    typer.Option("--videos", metavar="DIR", help="The folder of its videos, searched with all below it."),
]
Answers = Annotated[
    Path | None,
    typer.Option("--answers", metavar="FILE", help="Right answers in a file of their own (egoschema)."),
]
How = Annotated[
    Literal["direct", "agent", "both"],
    typer.Option("--mode", help="One call with even frames, the agent, or both compared."),
]
Frames = Annotated[
    int,
    flags.number("--frames", int, "N", "Frames of a question: sent in the one call; the agent's budget."),
]
Limit = Annotated[
    int | None, flags.number("--limit", int, "N", "Ask only so many questions, drawn at random.")
]
Seed = Annotated[int, flags.number("--seed", int, "N", "What the draw depends on.", legal="any")]
Results = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--results",
        metavar="FILE",
        dir_okay=False,
        help="Each answer, one a line; a run that was ended goes on with it.",
        show_default="eval-NAME.jsonl",
    ),
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", dir_okay=False, help="Write a page with plots.")
]
Concurrency = Annotated[int, flags.number("--concurrency", int, "N", "Questions under way at a time.")]
Retry = Annotated[bool, typer.Option("--retry-errors", help="Ask again what ended with an error.")]


@budgeted
def evaluate(
    name: Name,
    file: File,
    videos: Videos,
    mode: How = "both",
    frames: Frames = _FRAMES,
    limit: Limit = None,
    seed: Seed = 0,
    answers: Answers = None,
    results: Results = None,
    html: Html = None,
    concurrency: Concurrency = 1,
    retry_errors: Retry = False,
    as_json: flags.AsJson = False,
    model: flags.Model = None,
    base_url: flags.BaseUrl = None,
    decoder: flags.Decoder = None,
    video_stream: flags.VideoStream = None,
    *,
    limits: Limits,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Ask a public benchmark directly and by the agent, at equal frames, and score both."""
    console.loudness(quiet=quiet, verbose=verbose)
    for flag, value in (("--frames", frames), ("--concurrency", concurrency)):
        if value < 1:
            raise UsageError(f"{flag} must be 1 or more, got {value}")
    if limits["budget_frames"] is not None:
        raise UsageError("--frames is the agent's budget of frames, too; give it in place of --budget-frames")
    runner = lazy.evaluation
    benchmark = lazy.benchmarks.read(name, file, answers)
    items = runner.sampled(benchmark.items, limit, seed)
    budget = lazy.config.load(**limits).budget()
    found, missing = _found(items, lazy.video_folder.Shelf(videos))
    settings = lazy.config.load(model=model, base_url=base_url, decoder=decoder, video_stream=video_stream)
    path = results or Path(f"eval-{benchmark.name}.jsonl")
    modes = runner.MODES if mode == "both" else (mode,)
    tasks = [runner.Task(item, video, way) for item, video in found for way in modes]
    with (
        Progress(console.stderr(), quiet=quiet, verbose=verbose, doing="choosing the model") as progress,
        Log(path, lambda line: (line["id"], line["mode"])) as log,
    ):
        client = lazy.model_choice.choose(settings)
        progress.tell(f"model     {lazy.model_choice.describe(client)}", style="cyan")
        asker = runner.Asker(benchmark.name, client, settings, budget, frames)
        try:
            _ask(tasks, asker, log, concurrency, progress, retry=retry_errors)
        except KeyboardInterrupt:
            progress.tell(f"kept      {counted(len(log.done), 'answer')} in {path}; the same command goes on")
            raise
        lines = [log.done[task.item.id, task.mode] for task in tasks]
        progress.tell(f"results   {path}")
    _report(lines, asker.setting, missing, benchmark.unanswered, html, as_json=as_json)


def _found(items: Sequence[Item], folder: Shelf) -> tuple[list[tuple[Item, Path]], dict[str, int]]:
    """Return the questions whose video is there, and how many there are about each of the others."""
    paths = [(item, folder.find(item.video)) for item in items]
    missing = Counter(item.video for item, path in paths if path is None)
    found = [(item, path) for item, path in paths if path is not None]
    if not found:
        raise VideoError(
            f"none of the {len(missing)} videos is in {folder.folder}; the first one looked for is {items[0].video!r}"
        )
    return found, dict(missing)


def _ask(
    tasks: Sequence[Task], asker: Asker, log: Log, concurrency: int, progress: Progress, *, retry: bool
) -> None:
    left = lazy.evaluation.tasks_left(tasks, log, asker.setting, retry=retry)
    if len(left) < len(tasks):
        progress.tell(f"resumed   {len(tasks) - len(left)} of {len(tasks)} answers are there already")
    progress.doing(f"asking {len(left)} of {len(tasks)}")
    asyncio.run(lazy.evaluation.ask_all(left, asker, log, concurrency, _teller(progress, len(left))))


def _teller(progress: Progress, count: int) -> Callable[[dict[str, Any]], None]:
    """Return a function that reports each answer as it comes."""
    reported = 0

    def tell(line: dict[str, Any]) -> None:
        nonlocal reported
        reported += 1
        seconds = line.get("cost", {}).get("seconds")
        words = line["error"]["message"] if "error" in line else f"{seconds:.1f} s"
        progress.tell(
            f"{reported}/{count}".ljust(10) + f"{line['id']} {line['mode']}: {line['mark']}, {words}"
        )

    return tell


def _report(
    lines: list[dict[str, Any]],
    setting: dict[str, Any],
    missing: dict[str, int],
    unanswered: int,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    summary = lazy.summary.add_up(lines, setting, missing, unanswered)
    if html is not None:
        try:
            html.write_text(lazy.results_page.page(summary, lines), "utf-8")
        except OSError as error:
            raise UsageError(f"{html} cannot be written: {error.strerror}") from None
    if as_json:
        printing.show_json(summary.to_dict())
    else:
        _show(summary, console.stdout())


def _show(summary: Summary, out: console.Terminal) -> None:
    """Print the results: as a table on a terminal, in plain columns into a pipe."""
    out.say(lazy.results_table.head(summary), style="bold")
    titles, *lines = lazy.results_table.rows(summary)
    if out.is_terminal:
        table = Table(box=None, padding=(0, 3, 0, 0))
        for number, title in enumerate(titles):
            table.add_column(title, justify="right" if number == 1 else "left")
        for line in lines:
            table.add_row(*map(without_controls, line))
        out.print(table, soft_wrap=False)
    else:
        widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
        for line in (titles, *lines):
            out.say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for note in lazy.results_table.notes(summary):
        out.say(note)
