"""The end of a run: the answer with its evidence, or plainly what was not found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from vidagent.agents.replies import Composition
from vidagent.graphs.ledger import Entry, coverage
from vidagent.graphs.state import Run, State, Verified
from vidagent.tools.answer import Draft
from vidagent.types import (
    Answer,
    BudgetReport,
    Coverage,
    Evidence,
    Span,
    Status,
    StepUsage,
    Usage,
    Verdict,
)
from vidagent.video.clock import format_time

__all__ = ["close"]

FramePath = Callable[[str], Path]


def close(state: State, run: Run, *, run_id: str, frame_path: FramePath) -> Answer:
    """Turn the final state into the answer; needs no model, so it works when a budget is spent."""
    entries = [Entry.from_dict(entry) for entry in state.get("ledger", [])]
    seen = coverage(entries, run.video.info.duration_s)
    steps = tuple(StepUsage(**step) for step in state.get("spent", []))
    verified = [item for item in state.get("verified", []) if item["verdict"] != "unsupported"]
    status = _status(state, verified)
    draft = Draft.model_validate(state["draft"]) if state.get("draft") else None
    composed = Composition.model_validate(state["composed"]) if state.get("composed") else None
    good = draft is not None and status != "not_found" and bool(verified)
    return Answer(
        status=status,
        answer=_words(status, state, draft, composed, verified, entries, seen),
        confidence=_confidence(composed, draft, verified) if good else 0.0,
        video=run.video.info,
        model=run.client.name,
        run_id=run_id,
        choice=_choice(state, draft, composed) if good else None,
        spans=_spans(draft, verified, entries) if good or status == "partial" else (),
        count=draft.count if draft is not None and good else None,
        evidence=tuple(_evidence(item, frame_path) for item in verified),
        coverage=seen,
        usage=Usage.total(steps, seconds=state.get("elapsed_s", 0.0)),
        budget=BudgetReport(run.budget, state.get("ended_by")),  # type: ignore[arg-type]  # a BudgetName by BudgetSpent
    )


def _status(state: State, verified: Sequence[Verified]) -> Status:
    if state.get("ended_by"):
        return "partial"
    draft = state.get("draft")
    return "answered" if draft and draft["found"] == "yes" and verified else "not_found"


def _words(
    status: Status,
    state: State,
    draft: Draft | None,
    composed: Composition | None,
    verified: Sequence[Verified],
    entries: Sequence[Entry],
    seen: Coverage,
) -> str:
    if status == "answered" and composed is not None:
        return composed.answer
    if status == "partial":
        return f"The {state['ended_by']} budget ended the search. {_so_far(draft, verified, entries)} {_looked(seen)}"
    if draft is not None and draft.found != "yes":
        return f"{draft.answer.rstrip('. ')}. {_looked(seen)}"
    return f"Not found: what was thought to be seen did not stand up to a second look. {_looked(seen)}"


def _so_far(draft: Draft | None, verified: Sequence[Verified], entries: Sequence[Entry]) -> str:
    if verified:
        return "Supported so far: " + " ".join(item["claim"] for item in verified)
    if draft is not None and draft.found == "yes":
        return f"Not verified: {draft.answer}"
    for entry in reversed(entries):
        if entry.observation is not None and entry.observation.found:
            return f"Not verified: {entry.observation.what}"
    return "Nothing was found so far."


def _looked(seen: Coverage) -> str:
    share = f"{100 * seen.fraction:.0f}%" if seen.fraction >= 0.1 else f"{100 * seen.fraction:.1f}%"
    if not seen.spans:
        return "No frame was looked at."
    first, last = seen.spans[0].start_s, seen.spans[-1].end_s
    where = f"from {format_time(first)} to {format_time(last)}"
    return f"Looked at {seen.seconds_seen:.1f} s ({share}) of the video, {where}."


def _spans(draft: Draft | None, verified: Sequence[Verified], entries: Sequence[Entry]) -> tuple[Span, ...]:
    if draft is not None:
        return tuple(Span(place.start_s, place.end_s) for place in draft.spans)
    if verified:
        return tuple(Span(item["time_s"], item["time_s"]) for item in verified)
    for entry in reversed(entries):
        if entry.observation is not None and entry.observation.found and entry.observation.sightings:
            times = [sighting.time_s for sighting in entry.observation.sightings]
            return (Span(min(times), max(times)),)
    return ()


def _confidence(composed: Composition | None, draft: Draft | None, verified: Sequence[Verified]) -> float:
    parts = [item["confidence"] for item in verified]
    parts += [1.0 if composed is None else composed.confidence, 1.0 if draft is None else draft.confidence]
    return max(0.0, min(parts))


def _choice(state: State, draft: Draft | None, composed: Composition | None) -> int | None:
    options = state.get("options") or []
    for choice in (composed.choice if composed else None, draft.choice if draft else None):
        if choice is not None and 0 <= choice < len(options):
            return choice
    return None


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
