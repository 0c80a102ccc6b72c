"""`vidagent judge` and `vidagent reviews`: two sets of answers scored by a language model, and the scores summed up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidagent.errors import ModelError, UsageError
from vidagent.evaluation.judge import scores
from vidagent.evaluation.result_log import Log
from vidagent.serve.cli import flags, lazy
from vidagent.serve.terminal import console
from vidagent.serve.terminal.progress import Progress
from vidagent.text import counted

if TYPE_CHECKING:
    from vidagent.evaluation.judge.files import Case

_MOST_NAMED = 5

Questions = Annotated[
    Path,
    typer.Argument(
        metavar="QUESTIONS",
        help="Lines with question_id, text, category, image or video.",
        show_default=False,
    ),
]
Answers = Annotated[
    Path,
    typer.Argument(
        metavar="ANSWERS",
        help="Lines with question_id and text, or response_id and response; or an output of `vidagent batch`.",
        show_default=False,
    ),
]
Context = Annotated[
    Path | None,
    typer.Option(
        "--context", metavar="FILE", help="Lines with image or video, and caption: what there is to see."
    ),
]
Rules = Annotated[
    Path, typer.Option("--rules", metavar="FILE", help="A JSON object from category to role and prompt.")
]
Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="FILE", dir_okay=False, help="The reviews; what is in it is done."
    ),
]
Concurrency = Annotated[int, flags.number("--concurrency", int, "N", "Questions under way at a time.")]
MaxTokens = Annotated[int, flags.number("--max-tokens", int, "N", "Most tokens of a reply.")]
Temperature = Annotated[
    float, flags.number("--temperature", float, "T", "Randomness of a reply.", legal="0 or more")
]
Ratio = Annotated[
    bool,
    typer.Option("--ratio", help="Also the second score in percent of the first, as LLaVA's script has it."),
]
Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE", help="Reviews, as `vidagent judge` writes them.", show_default=False),
]


def judge(
    questions: Questions,
    answers_a: Answers,
    answers_b: Answers,
    rules: Rules,
    output: Output,
    context: Context = None,
    model: flags.Model = None,
    base_url: flags.BaseUrl = None,
    concurrency: Concurrency = 4,
    max_tokens: MaxTokens = 1024,
    temperature: Temperature = 0.2,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
) -> None:
    """Have a language model score two sets of answers, each pair in both orders; print the scores by category.

    A line of `vidagent batch` with an error is no answer: its question is named on stderr and not judged.
    """
    console.loudness(quiet=quiet, verbose=verbose)
    _check(concurrency, max_tokens, temperature)
    read = lazy.judge_files.read_cases(questions, (answers_a, answers_b), context, rules)
    cases = read.judged
    with (
        Progress(console.stderr(), quiet=quiet, verbose=verbose, doing="judging") as progress,
        Log(output, lambda line: str(line["question_id"])) as log,
    ):
        for path, failed in read.failed.items():
            progress.tell(f"left out  {_left_out(path, failed)}", style="yellow")

        def tell(case: Case, pair: scores.Pair | None) -> None:
            words = "no two scores in the reply" if pair is None else f"{pair[0]:g} {pair[1]:g}"
            progress.tell(f"judged    {case.question_id} ({case.category}): {words}")

        vlm = lazy.vlm.VLM.connect(base_url, model, concurrency=concurrency)
        reviewer = lazy.reviewer.Judge(vlm, max_tokens, temperature)
        unread = asyncio.run(lazy.reviewer.review_all(cases, reviewer, log, concurrency, tell))
        done = [log.done[str(case.question_id)] for case in cases if str(case.question_id) in log.done]
    _print(done, ratio=False)
    if unread:
        raise ModelError(
            f"the judge gave no two scores for {len(unread)} of {len(cases)} questions "
            f"({_names([case.question_id for case in unread])}); "
            "the same command asks about these again"
        )


def reviews(files: Files, ratio: Ratio = False) -> None:
    """Print the scores of reviews by category, times ten, and the line `all`."""
    for path in files:
        rows = lazy.json_rows.read_rows(path)
        if not rows:
            raise UsageError(f"{path}: no review in it")
        for number, row in enumerate(rows, 1):
            pair = row.get("tuple") if isinstance(row, dict) else None
            if not isinstance(pair, list) or len(pair) != 2:
                raise UsageError(f"{path}, line {number}: a review has two scores in `tuple`")
        if len(files) > 1:
            console.stdout().say(str(path))
        _print(rows, ratio=ratio)


def _left_out(path: Path, failed: list[str | int]) -> str:
    errors = "has an error" if len(failed) == 1 else "have errors"
    return f"{counted(len(failed), 'question')} {errors} in place of an answer in {path} ({_names(failed)}): not judged"


def _names(questions: list[str | int]) -> str:
    more = len(questions) - _MOST_NAMED
    return ", ".join(map(str, questions[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


def _print(rows: list[dict[str, object]], *, ratio: bool) -> None:
    for line in scores.table(rows, ratio=ratio):
        console.stdout().say(line)


def _check(concurrency: int, max_tokens: int, temperature: float) -> None:
    for flag, value, least in (
        ("--concurrency", concurrency, 1),
        ("--max-tokens", max_tokens, 1),
        ("--temperature", temperature, 0),
    ):
        if not value >= least:
            raise UsageError(f"{flag} must be {least} or more, got {value:g}")
