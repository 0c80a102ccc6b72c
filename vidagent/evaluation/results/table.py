"""The results as rows of text, for a terminal, a pipe and a page alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vidagent.evaluation.results.statistics import Interval
from vidagent.evaluation.results.summary import RECALLS, Score, Summary
from vidagent.evaluation.runner import COSTS
from vidagent.text import counted, one_line

Row = tuple[str, ...]
_LABELS = {
    "seconds": "seconds",
    "model_calls": "model calls",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "completion tokens",
    "thinking_tokens": "thinking tokens",
    "frames_sent": "frames sent",
}
_MOST_NAMED = 5


def head(summary: Summary) -> str:
    """Return a line on what was measured."""
    setting = summary.setting
    return f"{setting['benchmark']}: model {setting['model']}, {setting['frames']} frames a question"


def rows(summary: Summary) -> list[Row]:
    """Return the table: titles first, then a line for each score, category and cost."""
    modes = list(summary.scores)
    titles = ("", "n", *modes)
    scores = [summary.scores[mode][""]["all"] for mode in modes]
    lines = [("accuracy", _most(scores), *(share(score.accuracy) for score in scores))]
    lines += _overlaps(scores)
    for name, of in (("abstained", "abstained"), ("errors", "errors")):
        lines.append((name, "", *(str(getattr(score, of)) for score in scores)))
    lines += _categories(summary)
    for cost in COSTS:
        means = [summary.costs[mode].get(cost) for mode in modes]
        if any(means):
            lines.append(
                (f"{_LABELS[cost]}, mean", "", *("–" if mean is None else f"{mean:,.1f}" for mean in means))
            )
    return [titles, *lines]


def notes(summary: Summary) -> Iterator[str]:
    """Yield the notes below the table: the comparison, and what was not asked."""
    compared = summary.compared
    if compared is not None:
        yield (
            f"agent less direct, {compared.questions} questions: accuracy {_points(compared.accuracy)}; "
            f"right alone: agent {compared.only_agent}, direct {compared.only_direct} "
            f"(McNemar p = {compared.p:.3g})"
        )
        if compared.miou is not None:
            yield f"agent less direct: mIoU {_signed(compared.miou)}"
    if summary.missing:
        named = ", ".join(one_line(name) for name in list(summary.missing)[:_MOST_NAMED])
        more = f" and {len(summary.missing) - _MOST_NAMED} more" if len(summary.missing) > _MOST_NAMED else ""
        questions = sum(summary.missing.values())
        videos = counted(len(summary.missing), "video")
        yield f"missing: {videos} ({counted(questions, 'question')} not asked): {named}{more}"
    if summary.unanswered:
        yield f"left out: {counted(summary.unanswered, 'question')} whose right answer the file does not tell"


def share(interval: Interval) -> str:
    """Return a proportion in percent with its interval."""
    return f"{interval.value:.1%} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _categories(summary: Summary) -> Iterator[Row]:
    ranges = any(scores[""]["all"].miou for scores in summary.scores.values())
    found = dict.fromkeys(
        (name, value)
        for by in summary.scores.values()
        for name, values in by.items()
        if name
        for value in values
    )
    for name, value in found:
        scores = [by.get(name, {}).get(value) for by in summary.scores.values()]
        cells = ["–" if score is None else share(score.accuracy) for score in scores]
        yield f"{name}: {value}", _most(scores), *cells
        if ranges and any(score is not None and score.miou for score in scores):
            means = ["–" if score is None or score.miou is None else _mean(score.miou) for score in scores]
            yield f"{name}: {value}, mIoU", "", *means


def _overlaps(scores: Sequence[Score]) -> Iterator[Row]:
    if not any(score.miou for score in scores):
        return
    yield "mIoU", "", *("–" if score.miou is None else _mean(score.miou) for score in scores)
    for least in RECALLS:
        yield f"R@1, IoU ≥ {least:g}", "", *(share(score.recall[least]) for score in scores)


def _most(scores: Sequence[Score | None]) -> str:
    return str(max(score.questions for score in scores if score is not None))


def _mean(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _signed(interval: Interval) -> str:
    return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def _points(interval: Interval) -> str:
    return f"{100 * interval.value:+.1f} points [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"
