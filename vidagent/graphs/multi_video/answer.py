"""Final answer of a run about several videos: one answer whose spans name their video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vidagent.agents.prompting.multi_video import Together
from vidagent.graphs.multi_video.graph import GroupState
from vidagent.types import (
    NO_CLAIMS,
    Answer,
    Budget,
    BudgetReport,
    Coverage,
    Evidence,
    Limit,
    Part,
    Span,
    Status,
    StepUsage,
    Usage,
    VideoCoverage,
    VideoInfo,
    limit_title,
)

_Answers = Mapping[int, Mapping[str, Any]]


def group_answer(
    state: GroupState, videos: Sequence[VideoInfo], *, model: str, run_id: str, budget: Budget
) -> Answer:
    """Turn the final state into an answer; needs no model, so it works after a budget is spent."""
    answers = {int(number) - 1: part["answer"] for number, part in sorted(state.get("parts", {}).items())}
    together = Together.model_validate(state["together"])
    named = sorted(number - 1 for number in together.videos)
    ended_by = _ended_by(state, answers)
    goal = state.get("single", {}).get("goal", "each")
    stands = bool(named) and not (goal == "all" and len(named) < len(videos))
    unable = answers and all(answer["status"] == "cannot_judge" for answer in answers.values())
    otherwise: Status = "cannot_judge" if unable else "not_found"
    status: Status = "partial" if ended_by else "answered" if stands else otherwise
    return Answer(
        status=status,
        answer=_words(together.answer, ended_by),
        confidence=min([together.confidence, *(answers[index]["confidence"] for index in named)])
        if stands
        else 0.0,
        video=videos[named[0] if named else 0],
        videos=tuple(videos),
        model=model,
        run_id=run_id,
        choice=_choice(state, together),
        spans=tuple(span for index in named for span in _spans(index, answers[index]["spans"])),
        parts=tuple(Part(**part, video=index) for index in named for part in answers[index]["parts"]),
        count=_count(goal, named, answers, len(videos)) if stands else None,
        evidence=tuple(_evidence(answers)),
        coverage=_coverage(answers, videos),
        usage=Usage.total(
            tuple(_steps(state, answers)),
            seconds=state.get("elapsed_s", 0.0),
            rounds=state.get("rounds", 0) + sum(answer["usage"]["rounds"] for answer in answers.values()),
        ),
        budget=BudgetReport(budget, ended_by),
    )


def _ended_by(state: GroupState, answers: _Answers) -> Limit | None:
    """Return what ended the search, before all videos were asked or in one of them."""
    parts: list[Limit | None] = [answer["budget"]["ended_by"] for answer in answers.values()]
    return state.get("ended_by") or next((name for name in parts if name is not None), None)


def _words(answer: str, ended_by: Limit | None) -> str:
    return answer if ended_by is None else f"The {limit_title(ended_by)} ended the search. {answer}"


def _choice(state: GroupState, together: Together) -> int | None:
    options, choice = state.get("options") or [], together.choice
    return choice if choice is not None and 0 <= choice < len(options) else None


def _count(goal: str, named: Sequence[int], answers: _Answers, videos: int) -> int | None:
    """Return how many videos contain it, or, where each was counted in, the total across all of them."""
    if goal == "how_many":
        return len(named)
    counts = [answer["count"] for answer in answers.values() if answer["count"] is not None]
    return sum(counts) if goal == "each" and len(counts) == videos else None


def _evidence(answers: _Answers) -> Iterator[Evidence]:
    for index, answer in answers.items():
        if answer["status"] in NO_CLAIMS:
            continue
        for item in answer["evidence"]:
            box = item["box_px"]
            yield Evidence(**{**item, "box_px": None if box is None else tuple(box), "video": index})


def _coverage(answers: _Answers, videos: Sequence[VideoInfo]) -> Coverage:
    """Combine the coverage of all videos; the fraction is of their total duration."""
    seen_s = sum(answer["coverage"]["seconds_seen"] for answer in answers.values())
    whole_s = sum(info.duration_s for info in videos)
    spans = tuple(
        span for index, answer in answers.items() for span in _spans(index, answer["coverage"]["spans"])
    )
    each = tuple(
        VideoCoverage(
            index, answers[index]["coverage"]["seconds_seen"], answers[index]["coverage"]["fraction"]
        )
        if index in answers
        else VideoCoverage(index)
        for index in range(len(videos))
    )
    return Coverage(seen_s, min(1.0, seen_s / whole_s) if whole_s else 0.0, spans, each)


def _spans(index: int, spans: Sequence[Mapping[str, float]]) -> Iterator[Span]:
    return (Span(**span, video=index) for span in spans)


def _steps(state: GroupState, answers: _Answers) -> Iterator[StepUsage]:
    """Yield every step: the rewording of the question, those of each video, the combination."""
    own = [StepUsage(**step) for step in state.get("spent", [])]
    yield from (step for step in own if step.step == "route")
    yield from (StepUsage(**step) for answer in answers.values() for step in answer["usage"]["by_step"])
    yield from (step for step in own if step.step != "route")
