"""Build the final answer of a run: the answer with its evidence, or a statement of what was not found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidagent.graphs.answer_text import ever_refused, final_text
from vidagent.graphs.evidence.data import data_of
from vidagent.graphs.evidence.grounding import words_of
from vidagent.graphs.evidence.ledger import coverage
from vidagent.graphs.evidence.parts import joined, ranges
from vidagent.graphs.evidence.places import count_of, none_refused, places_of
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, State, Verified
from vidagent.graphs.strategies.gaps import DENIAL, denies, highest_confidence, range_of
from vidagent.graphs.summary import summary_of
from vidagent.tools.data_schema import Schema, leaves
from vidagent.types import (
    Answer,
    BudgetReport,
    DataField,
    Evidence,
    Limit,
    Part,
    Span,
    Status,
    StepUsage,
    Usage,
    Verdict,
)

_COMPARES = frozenset({"order", "count", "how_long"})
"""Kinds of questions that one claim alone does not answer."""

FramePath = Callable[[str], Path]


def final_answer(state: State, run: Run, *, run_id: str, frame_path: FramePath) -> Answer:
    """Turn the final state into an answer; needs no model, so it works after a budget is spent."""
    progress = Progress(state)
    seen = coverage(progress.seen_entries, run.video.info.duration_s)
    steps = tuple(StepUsage(**step) for step in state.get("spent", []))
    choice = _choice(progress) if seen.spans or progress.supported else None
    answers = _answers(progress, choice)
    ended_by = _ended_by(state, answers=answers)
    unable = progress.draft is not None and progress.draft.found == "cannot_judge"
    otherwise: Status = "cannot_judge" if unable else "not_found"
    status: Status = "partial" if ended_by else "answered" if answers else otherwise
    answer = Answer(
        status=status,
        answer=final_text(progress, run, status, ended_by, seen),
        confidence=_confidence(progress, run, answers=answers),
        video=run.video.info,
        model=run.client.name,
        run_id=run_id,
        choice=choice if answers else None,
        spans=_spans(progress, run) if answers or status == "partial" else (),
        parts=_parts(progress) if answers or status == "partial" else (),
        count=count_of(progress) if answers else None,
        evidence=tuple(_evidence(item, frame_path) for item in progress.in_order),
        coverage=seen,
        usage=Usage.total(steps, seconds=state.get("elapsed_s", 0.0), rounds=state.get("rounds", 0)),
        budget=BudgetReport(run.budget, ended_by),
    )
    if run.schema is not None:
        data, fields = _data(progress, run, run.schema, frame_path)
        answer = replace(answer, data=data, fields=fields)
    return answer if run.length is None else summary_of(answer, progress, run, run.length)


def _data(
    progress: Progress, run: Run, schema: Schema, frame_path: FramePath
) -> tuple[Any, tuple[DataField, ...]]:
    """Return the data, and what proves each value, or why it is null."""
    data, reasons, checked = data_of(progress, schema, by_rules=run.client.profile.lacks("wording"))
    fields = []
    for pointer, _ in leaves(data):
        item, reason = checked.get(pointer), reasons.get(pointer)
        if item is None:
            fields.append(DataField(pointer, reason=reason))
            continue
        shown = _evidence(item, frame_path)
        fields.append(
            DataField(pointer, shown.verdict, round(shown.time_s, 6), shown.frame, shown.line, reason)
        )
    return data, tuple(fields)


def _ended_by(state: State, *, answers: bool) -> Limit | None:
    """Return what ended the run, refused a look, or left no turn for a better answer."""
    landing = state.get("landing")
    if state.get("ended_by") or landing is None:
        return state.get("ended_by")
    return None if answers and landing != "frames" else landing


def _answers(progress: Progress, choice: int | None) -> bool:
    """Tell whether a draft stands: one of its claims is supported, or it is a "no" that chooses an option.

    A "no" to a question that asks to describe the whole video, such as that nothing stands out, describes it.
    """
    draft, supported = progress.draft, progress.supported
    if draft is None or draft.found == "cannot_judge":
        return False
    if draft.found == "yes":
        return bool(supported)
    if (
        progress.in_parts
        and progress.kind == "whole"
        and any(item["verdict"] == "supported" for item in supported)
    ):
        return True
    return choice is not None and progress.stands


def _parts(progress: Progress) -> tuple[Part, ...]:
    return tuple(
        Part(item["part_s"][0], item["part_s"][1], item["claim"], item["verdict"])
        for item in joined(progress.told)
    )


def _spans(progress: Progress, run: Run) -> tuple[Span, ...]:
    """Return the drafted spans of the answer, without those of refused claims; else where its parts are."""
    draft = progress.draft
    if progress.told and not (draft and draft.spans):
        return tuple(Span(*bounds) for bounds in ranges(progress.told, run.video.info.frame_s))
    if draft is not None and progress.supported:
        return tuple(Span(place.start_s, place.end_s) for place in places_of(progress, draft))
    if ever_refused(progress):
        return ()
    if draft is not None and draft.found == "yes":
        return tuple(Span(place.start_s, place.end_s) for place in draft.spans)
    for entry in reversed(progress.own_entries):
        if entry.observation is not None and entry.observation.found and entry.observation.sightings:
            times = [sighting.time_s for sighting in entry.observation.sightings]
            return (Span(min(times), max(times)),)
    return ()


def _confidence(progress: Progress, run: Run, *, answers: bool) -> float:
    """Return the confidence: capped by the claims, and for a "no" by the coverage."""
    draft = progress.draft
    denied = draft is not None and denies(draft, progress) and progress.stands
    if draft is None or not (answers or denied):
        return 0.0
    parts = [draft.confidence, *_proved(progress)]
    if progress.worded is not None and progress.worded["verdict"] == "supported":
        parts.append(progress.worded["confidence"])
    if denied or draft.found == "no":
        parts.append(highest_confidence(progress.own_entries, *range_of(progress, run)))
    return max(0.0, min(parts))


def _proved(progress: Progress) -> Iterator[float]:
    """Yield the confidence of each claim, and that of all parts together: their mean, those that fell included."""
    yield from (
        item["confidence"] for item in progress.supported if "part_s" not in item and not progress.told
    )
    if progress.told:
        weight = {"supported": 1.0, "partial": 0.5, "unsupported": 0.0}
        parts = [item for item in progress.verified if "part_s" in item]
        yield sum(weight[item["verdict"]] * item["confidence"] for item in parts) / len(parts)


def _choice(progress: Progress) -> int | None:
    """Return the drafted option; if a claim was refused, the one of which the remaining claims speak.

    That is the drafted one if they speak of it, else the only one that they name in full. What is left of a comparison
    decides for no other option, nor does a claim that denies something.
    """
    options, draft = progress.options or [], progress.draft
    choice = None if draft is None else draft.choice
    if draft is None or choice is None or not 0 <= choice < len(options):
        return None
    if draft.found != "yes" or none_refused(progress):
        return choice
    told = " ".join(item["claim"] for item in progress.supported)
    claims = words_of(told)
    barred = words_of(" ".join(item["claim"] for item in progress.refused)) - claims
    words = [words_of(option) for option in options]
    shared = set.intersection(*words)
    telling = [own - shared or own for own in words]
    named = [number for number, own in enumerate(telling) if own and own <= claims]
    decides = progress.kind not in _COMPARES and (named == [choice] or not DENIAL.search(told))
    if len(named) == 1 and decides:
        return named[0]
    spoken_of = len(telling[choice] & claims) - len(telling[choice] & barred)
    fell = len(progress.supported) < len(draft.claims)
    return None if spoken_of < 0 or (fell and spoken_of == 0) else choice


def _evidence(item: Verified, frame_path: FramePath) -> Evidence:
    verdict: Verdict = item["verdict"]
    box = item["box_px"]
    return Evidence(
        time_s=item["time_s"],
        claim=item["claim"],
        verdict=verdict,
        frame=None if item["ref"] is None else str(frame_path(item["ref"])),
        box_px=None if box is None else (box[0], box[1], box[2], box[3]),
        line=item.get("line"),
    )
