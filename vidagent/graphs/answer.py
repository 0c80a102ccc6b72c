"""Build the final answer of a run: the answer with its evidence, or a statement of what was not found."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from vidagent.graphs.answer_text import ever_refused, final_text
from vidagent.graphs.evidence.boundaries import Refined
from vidagent.graphs.evidence.grounding import NUMERALS, words_of
from vidagent.graphs.evidence.ledger import Entry, coverage
from vidagent.graphs.evidence.parts import joined, ranges
from vidagent.graphs.evidence.refined_spans import refined_places
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, State, Verified
from vidagent.graphs.strategies.gaps import denies, highest_confidence, range_of
from vidagent.tools.answer import Draft
from vidagent.types import (
    Answer,
    BudgetName,
    BudgetReport,
    Evidence,
    Part,
    Span,
    Status,
    StepUsage,
    Usage,
    Verdict,
)

_SLACK_S = 0.05
"""Tolerance around a claim's span: the nearest frame may lie just outside it."""

_LOOSE_SLACK_S = 1.0
"""Tolerance where every claim was supported, so that none can belong to another place."""

FramePath = Callable[[str], Path]


def final_answer(state: State, run: Run, *, run_id: str, frame_path: FramePath) -> Answer:
    """Turn the final state into an answer; needs no model, so it works after a budget is spent."""
    progress = Progress(state)
    seen = coverage(progress.entries, run.video.info.duration_s)
    steps = tuple(StepUsage(**step) for step in state.get("spent", []))
    choice = _choice(progress) if seen.spans or progress.supported else None
    answers = _answers(progress, choice)
    ended_by = _ended_by(state, answers=answers)
    status: Status = "partial" if ended_by else "answered" if answers else "not_found"
    return Answer(
        status=status,
        answer=final_text(progress, run, status, ended_by, seen),
        confidence=_confidence(progress, run, answers=answers),
        video=run.video.info,
        model=run.client.name,
        run_id=run_id,
        choice=choice if answers else None,
        spans=_spans(progress, run) if answers or status == "partial" else (),
        parts=_parts(progress) if answers or status == "partial" else (),
        count=_count(progress) if answers else None,
        evidence=tuple(_evidence(item, frame_path) for item in progress.supported),
        coverage=seen,
        usage=Usage.total(steps, seconds=state.get("elapsed_s", 0.0), rounds=state.get("rounds", 0)),
        budget=BudgetReport(run.budget, ended_by),
    )


def _ended_by(state: State, *, answers: bool) -> BudgetName | None:
    """Return the budget that ended the run, refused a look, or left no turn for a better answer."""
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


def _none_refused(progress: Progress, draft: Draft) -> bool:
    """Tell whether no claim was refused, in this draft or an earlier one."""
    return not progress.refused and progress.stands


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
        return tuple(Span(place.start_s, place.end_s) for place in _places(progress, draft))
    if ever_refused(progress):
        return ()
    if draft is not None and draft.found == "yes":
        return tuple(Span(place.start_s, place.end_s) for place in draft.spans)
    for entry in reversed(progress.own_entries):
        if entry.observation is not None and entry.observation.found and entry.observation.sightings:
            times = [sighting.time_s for sighting in entry.observation.sightings]
            return (Span(min(times), max(times)),)
    return ()


def _places(progress: Progress, draft: Draft) -> list[Refined]:
    """Return the draft's places that hold a supported claim, or a sighting from a look that such a claim names.

    If any claim was refused or left unchecked, only places with a supported claim remain.
    """
    stood, places = progress.supported, refined_places(progress, draft)
    if _none_refused(progress, draft):
        return places
    times, slack_s = [item["time_s"] for item in stood], _SLACK_S
    if len(stood) == len(draft.claims):
        named = {name for claim in draft.claims for name in claim.ledger}
        times, slack_s = [*times, *_sighting_times(progress.entries, named)], _LOOSE_SLACK_S
    return [
        refined
        for refined, place in zip(places, draft.spans, strict=True)
        if any(place.start_s - slack_s <= t <= place.end_s + slack_s for t in times)
    ]


def _sighting_times(entries: Sequence[Entry], named: Collection[str]) -> list[float]:
    """Return the sighting times of the named looks."""
    return [
        sighting.time_s
        for entry in entries
        if entry.id in named and entry.observation is not None and entry.observation.found
        for sighting in entry.observation.sightings
    ]


def _count(progress: Progress) -> int | None:
    """Return the draft's count if supported claims imply it; if places were dropped, the number that remain."""
    draft = progress.draft
    if draft is None or draft.count is None:
        return None
    if _none_refused(progress, draft):
        return draft.count
    places, stood = _places(progress, draft), progress.supported
    if len(places) < len(draft.spans) or len(stood) < len(draft.claims):
        return len(places) if places and draft.count == len(draft.spans) else None
    claim_words = {word for item in stood for word in re.findall(r"\w+", item["claim"].casefold())}
    facts = {
        word for entry in progress.entries for fact in entry.look.facts for word in re.findall(r"\d+", fact)
    }
    follows = draft.count in {len(places), len(stood)} or str(draft.count) in claim_words | facts
    named = draft.count < len(NUMERALS) and NUMERALS[draft.count] in claim_words
    return draft.count if follows or named else None


def _confidence(progress: Progress, run: Run, *, answers: bool) -> float:
    """Return the confidence: capped by the claims, and for a "no" by the coverage."""
    draft = progress.draft
    denied = draft is not None and denies(draft, progress) and progress.stands
    if draft is None or not (answers or denied):
        return 0.0
    parts = [draft.confidence, *_proved(progress)]
    if progress.composed is not None:
        parts.append(progress.composed.confidence)
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
    """Return the option that the claims say more about: the composer's or the planner's.

    If a claim was refused, the planner's choice alone counts only if the remaining claims mention it.
    """
    options, draft, composed = progress.options or [], progress.draft, progress.composed
    candidates = (composed.choice if composed else None, draft.choice if draft else None)
    choices = [choice for choice in candidates if choice is not None and 0 <= choice < len(options)]
    if draft is None or draft.found != "yes" or not choices or _none_refused(progress, draft):
        return choices[0] if choices else None
    claims = words_of(" ".join(item["claim"] for item in progress.supported))
    barred = words_of(" ".join(item["claim"] for item in progress.refused)) - claims

    def spoken_of(choice: int) -> int:
        words = words_of(options[choice])
        return len(words & claims) - len(words & barred)

    best = max(choices, key=spoken_of)
    fell = len(progress.supported) < len(draft.claims) and composed is None
    return None if spoken_of(best) < 0 or (fell and spoken_of(best) == 0) else best


def _evidence(item: Verified, frame_path: FramePath) -> Evidence:
    verdict: Verdict = item["verdict"]
    box = item["box_px"]
    return Evidence(
        time_s=item["time_s"],
        claim=item["claim"],
        verdict=verdict,
        frame=None if item["ref"] is None else str(frame_path(item["ref"])),
        box_px=None if box is None else (box[0], box[1], box[2], box[3]),
    )
