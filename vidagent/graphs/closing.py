"""The end of a run: the answer with its evidence, or plainly what was not found."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from vidagent.agents.replies import Composition
from vidagent.graphs.boundaries import Refined
from vidagent.graphs.grounds import ground_of, stood_up, supported_words, words_of
from vidagent.graphs.ledger import Entry, coverage
from vidagent.graphs.places import refined_places, told_exactly
from vidagent.graphs.state import Run, State, Verified, entries_of, own_entries
from vidagent.tools.answer import Draft
from vidagent.types import (
    Answer,
    BudgetName,
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

_SLACK_S = 0.05
"""A claim is checked at the frame nearest to its time, which may lie just outside its span."""

_ROUGH_S = 1.0
"""The same where all claims stood up, and none could be that of another place."""

_NUMERALS = "no one two three four five six seven eight nine ten eleven twelve".split()

FramePath = Callable[[str], Path]


def close(state: State, run: Run, *, run_id: str, frame_path: FramePath) -> Answer:
    """Turn the final state into the answer; needs no model, so it works when a budget is spent."""
    entries = entries_of(state)
    seen = coverage(entries, run.video.info.duration_s)
    steps = tuple(StepUsage(**step) for step in state.get("spent", []))
    verified = stood_up(state)
    draft = Draft.model_validate(state["draft"]) if state.get("draft") else None
    composed = Composition.model_validate(state["composed"]) if state.get("composed") else None
    choice = _choice(state, draft, composed) if seen.spans or verified else None
    ended_by = _ended_by(state, draft, verified, choice)
    answers = draft is not None and _answers(state, draft, verified, choice)
    status: Status = "partial" if ended_by else "answered" if answers else "not_found"
    return Answer(
        status=status,
        answer=_words(status, state, ended_by, draft, composed, seen),
        confidence=_confidence(composed, draft, verified) if answers else 0.0,
        video=run.video.info,
        model=run.client.name,
        run_id=run_id,
        choice=choice if answers else None,
        spans=_spans(state, draft, entries) if answers or status == "partial" else (),
        count=_count(state, draft, entries) if answers else None,
        evidence=tuple(_evidence(item, frame_path) for item in verified),
        coverage=seen,
        usage=Usage.total(steps, seconds=state.get("elapsed_s", 0.0)),
        budget=BudgetReport(run.budget, ended_by),
    )


def _ended_by(
    state: State, draft: Draft | None, verified: Sequence[Verified], choice: int | None
) -> BudgetName | None:
    """Return the budget that ended the run: it cut it off, refused a look, or left no turn for a better answer."""
    landing = state.get("landing")
    if state.get("ended_by") or landing is None:
        return state.get("ended_by")
    answers = draft is not None and _answers(state, draft, verified, choice)
    return None if answers and landing != "frames" else landing


def _answers(state: State, draft: Draft, verified: Sequence[Verified], choice: int | None) -> bool:
    """Tell whether a draft stands: a claim of it stood up, or it is a "no" that chooses an option."""
    if draft.found == "yes":
        return bool(verified)
    return draft.found == "no" and choice is not None and len(verified) == len(draft.claims)


def _words(
    status: Status,
    state: State,
    ended_by: BudgetName | None,
    draft: Draft | None,
    composed: Composition | None,
    seen: Coverage,
) -> str:
    if status == "answered" and draft is not None:
        return told_exactly(
            supported_words(draft, state) if composed is None else composed.answer, state, draft
        )
    if status == "partial":
        return f"The {ended_by} budget ended the search. {_so_far(state, draft)} {_looked(seen)}"
    if draft is not None and draft.found != "yes":
        return f"{_denial(state, draft)} {_looked(seen)}"
    return f"Not found: what was thought to be seen did not stand up to a second look. {_looked(seen)}"


def _denial(state: State, draft: Draft) -> str:
    """Return the words of a draft that says no; where a claim in them was refused, only that it says so."""
    refused = len(stood_up(state)) < len(draft.claims) or ground_of(draft, state).says_refused(draft.answer)
    plainly = {"no": "Not found", "cannot_judge": "It cannot be judged"}.get(draft.found, "Not found")
    return f"{plainly if refused else draft.answer.rstrip('. ')}."


def _so_far(state: State, draft: Draft | None) -> str:
    verified = stood_up(state)
    if verified and draft is not None:
        return f"Supported so far: {told_exactly(supported_words(draft, state), state, draft)}"
    if verified:
        return f"Supported so far: {' '.join(item['claim'] for item in verified)}"
    if draft is not None and draft.found == "yes" and not _ever_refused(state):
        return f"Not verified: {draft.answer}"
    for entry in reversed(own_entries(state)):
        if entry.observation is not None and entry.observation.found and not _refused_by(state, entry):
            return f"Not verified: {entry.observation.what}"
    return "Nothing was found so far."


def _all_stood(state: State, draft: Draft) -> bool:
    """Tell whether no claim was refused, in this draft or an earlier one."""
    return not state.get("refused") and len(stood_up(state)) == len(draft.claims)


def _ever_refused(state: State) -> bool:
    return bool(state.get("verified") or state.get("refused"))


def _refused_by(state: State, entry: Entry) -> bool:
    """Tell whether a claim was refused over pictures of a look."""
    refs = {ref for item in state.get("refused", []) for ref in item["refs"]}
    return any(still.ref in refs for still in entry.look.stills)


def _looked(seen: Coverage) -> str:
    share = f"{100 * seen.fraction:.0f}%" if seen.fraction >= 0.1 else f"{100 * seen.fraction:.1f}%"
    if not seen.spans:
        return "No frame was looked at."
    first, last = seen.spans[0].start_s, seen.spans[-1].end_s
    where = f"from {format_time(first)} to {format_time(last)}"
    return f"Looked at {seen.seconds_seen:.1f} s ({share}) of the video, {where}."


def _spans(state: State, draft: Draft | None, entries: Sequence[Entry]) -> tuple[Span, ...]:
    """Return where the answer is: what the planner drafted, without the places of claims that were refused."""
    verified = stood_up(state)
    if draft is not None and verified:
        return tuple(Span(place.start_s, place.end_s) for place in _places(state, draft, entries))
    if _ever_refused(state):
        return ()
    if draft is not None and draft.found == "yes":
        return tuple(Span(place.start_s, place.end_s) for place in draft.spans)
    for entry in reversed(own_entries(state)):
        if entry.observation is not None and entry.observation.found and entry.observation.sightings:
            times = [sighting.time_s for sighting in entry.observation.sightings]
            return (Span(min(times), max(times)),)
    return ()


def _places(state: State, draft: Draft, entries: Sequence[Entry]) -> list[Refined]:
    """Return the draft's places that a claim which stood up is in, or what a look named by such a claim saw.

    Where a claim was refused or not checked, only those with a claim in them that stood up.
    """
    stood, places = stood_up(state), refined_places(state, draft)
    if _all_stood(state, draft):
        return places
    times, slack_s = [item["time_s"] for item in stood], _SLACK_S
    if len(stood) == len(draft.claims):
        named = {name for claim in draft.claims for name in claim.ledger}
        times, slack_s = [*times, *_sighted(entries, named)], _ROUGH_S
    return [
        refined
        for refined, place in zip(places, draft.spans, strict=True)
        if any(place.start_s - slack_s <= t <= place.end_s + slack_s for t in times)
    ]


def _sighted(entries: Sequence[Entry], named: Collection[str]) -> list[float]:
    """Return when these looks saw what they were asked for."""
    return [
        sighting.time_s
        for entry in entries
        if entry.id in named and entry.observation is not None and entry.observation.found
        for sighting in entry.observation.sightings
    ]


def _count(state: State, draft: Draft | None, entries: Sequence[Entry]) -> int | None:
    """Return the draft's count if it follows from claims that stood up; where places fell, that of those left."""
    if draft is None or draft.count is None:
        return None
    if _all_stood(state, draft):
        return draft.count
    places, stood = _places(state, draft, entries), stood_up(state)
    if len(places) < len(draft.spans) or len(stood) < len(draft.claims):
        return len(places) if places and draft.count == len(draft.spans) else None
    said = {word for item in stood for word in re.findall(r"\w+", item["claim"].casefold())}
    facts = {word for entry in entries for fact in entry.look.facts for word in re.findall(r"\d+", fact)}
    follows = draft.count in {len(places), len(stood)} or str(draft.count) in said | facts
    named = draft.count < len(_NUMERALS) and _NUMERALS[draft.count] in said
    return draft.count if follows or named else None


def _confidence(composed: Composition | None, draft: Draft | None, verified: Sequence[Verified]) -> float:
    parts = [item["confidence"] for item in verified]
    parts += [1.0 if composed is None else composed.confidence, 1.0 if draft is None else draft.confidence]
    return max(0.0, min(parts))


def _choice(state: State, draft: Draft | None, composed: Composition | None) -> int | None:
    """Return the option chosen: of the composer's and the planner's, the one of which the claims say more.

    Where a claim fell, the planner's alone counts only if those left speak of it.
    """
    options = state.get("options") or []
    told = (composed.choice if composed else None, draft.choice if draft else None)
    choices = [choice for choice in told if choice is not None and 0 <= choice < len(options)]
    if draft is None or draft.found != "yes" or not choices or _all_stood(state, draft):
        return choices[0] if choices else None
    claims = words_of(" ".join(item["claim"] for item in stood_up(state)))
    barred = words_of(" ".join(item["claim"] for item in state.get("refused", []))) - claims

    def spoken_of(choice: int) -> int:
        words = words_of(options[choice])
        return len(words & claims) - len(words & barred)

    best = max(choices, key=spoken_of)
    fell = len(stood_up(state)) < len(draft.claims) and composed is None
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
