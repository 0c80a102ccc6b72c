"""Verify a draft: check each claim against its best frames, in a fresh context that can veto it."""

from __future__ import annotations

from collections.abc import Sequence

from vidagent.agents.prompting.messages import verify_messages
from vidagent.agents.prompting.replies import Judgement
from vidagent.graphs.budget import CHECK_FRAMES, StepMeter
from vidagent.graphs.evidence.contradictions import contradicted
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.transcript_lines import Line, lines_for, words_only
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Refused, Run, Update, Verified, refusal
from vidagent.images.shown_frame import ShownFrame
from vidagent.text import counted
from vidagent.tools.answer import Claim
from vidagent.types import Box, Verdict
from vidagent.video.clock import format_time

MAX_VETOES = 2
"""Most times a draft is sent back because one of its claims is not supported."""

_UNSEEN = "no frame was looked at for it, or none at its time"


async def verify(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Check the claims of the draft; unsupported ones send it back to the planner a limited number of times."""
    draft, entries, verified = progress.draft, progress.entries, list[Verified]()
    if draft is None:
        return {}
    if run.client.profile.lacks("verify"):
        unchecked = [_unchecked(entries, claim, draft.confidence) for claim in draft.claims]
        return {"verified": unchecked, "stage": "verified"}
    run.tell("step", f"verifying {counted(len(draft.claims), 'claim')}", "verify")
    checks: list[Refused] = []
    meter.partial = {"verified": verified}
    for number, claim in enumerate(draft.claims):
        lines = lines_for(entries, claim)
        stills = [] if words_only(entries, claim, lines) else best_stills(entries, claim)
        stills = stills[: meter.grant(len(stills), len(draft.claims) - number)]
        box = _box(entries, claim, stills[0].time_s) if stills else None
        item = await _check(run, claim, progress.question, stills, lines, box, meter)
        checks.append(Refused(claim=claim.text, refs=[still.ref for still in stills]))
        verified.append(_weighed(item, checks[-1], progress, contradicted(entries, claim.ledger)))
    refused = [item for item in verified if item["verdict"] == "unsupported"]
    vetoes = progress.state.get("vetoes", 0)
    update: Update = {
        "verified": verified,
        "refused": [checks[n] for n, item in enumerate(verified) if item in refused],
    }
    if not refused or vetoes >= MAX_VETOES or progress.state.get("landing"):
        return {**update, "stage": "verified"}
    why = "these claims are not supported by their frames; look again, then answer"
    reasons = [{"claim": item["claim"], "why": item["why"]} for item in refused]
    reply = refusal(progress.state["draft_call"], why, claims=reasons)
    return {**update, "vetoes": vetoes + 1, "draft": None, "history": [reply]}


def best_stills(entries: Sequence[Entry], claim: Claim) -> list[ShownFrame]:
    """Return the pictures that best show a claim, best first: those at its time in the looks it names.

    All are from one look, the finest first. A whole frame comes with its neighbours in that look, as many claims (a
    cut, a movement, an appearance) are about change. A claim about a time that was not looked at has none: pictures of
    another time would show something else.
    """
    named = [entry for entry in entries if entry.id in claim.ledger and entry.look.stills]
    pool = named or [entry for entry in entries if entry.look.stills]
    if not pool:
        return []
    if claim.time_s is not None and not any(entry.looked_at(claim.time_s) for entry in pool):
        pool = [entry for entry in entries if entry.look.stills and entry.looked_at(claim.time_s)]
        if not pool:
            return []
    at_s = claim.time_s if claim.time_s is not None else _first_sighting(pool)
    best = min(pool, key=lambda entry: (_distance(entry, at_s), -(entry.look.fps or 0)))
    nearest = min(best.look.stills, key=lambda still: abs(still.time_s - at_s)).time_s
    parts = [still for still in best.look.stills if still.time_s == nearest]
    before = [still for still in best.look.stills if still.time_s < nearest][-1:]
    after = [still for still in best.look.stills if still.time_s > nearest][:1]
    return [*parts, *before, *after][:CHECK_FRAMES]


def _weighed(item: Verified, check: Refused, progress: Progress, doubted: bool) -> Verified:
    """Adjust a verdict by earlier ones on the same claim over the same pictures.

    A verifier that is asked often enough eventually says yes: as many refusals make it partly supported, more refuse
    it. A claim whose looks contradict each other is at most partly supported.
    """
    again = [
        earlier
        for earlier in progress.refused
        if earlier["refs"] == check["refs"] and earlier["claim"].casefold() == check["claim"].casefold()
    ]
    if item["verdict"] != "supported" or not (again or doubted):
        return item
    verdict: Verdict = "unsupported" if len(again) > 1 else "partial"
    why = f"refused {len(again)} times over the same frames" if again else "looks contradict each other here"
    return {**item, "verdict": verdict, "why": why, "confidence": min(item["confidence"], 0.5)}


def _distance(entry: Entry, time_s: float) -> float:
    return round(min(abs(still.time_s - time_s) for still in entry.look.stills), 4)


def _first_sighting(entries: Sequence[Entry]) -> float:
    for entry in entries:
        if entry.observation and entry.observation.sightings:
            return entry.observation.sightings[0].time_s
    return entries[0].look.stills[0].time_s


def _box(entries: Sequence[Entry], claim: Claim, time_s: float) -> Box | None:
    """Return the box in which the looks that the claim names saw it at that time."""
    for entry in entries:
        if entry.observation is None or (claim.ledger and entry.id not in claim.ledger):
            continue
        for sighting in entry.observation.sightings:
            if abs(sighting.time_s - time_s) < 1e-3 and sighting.box is not None:
                return entry.box_px(sighting)
    return None


def _unchecked(entries: Sequence[Entry], claim: Claim, confidence: float) -> Verified:
    """Pass a claim on unchecked; one without any frame looked at is still unsupported."""
    lines, why = lines_for(entries, claim), "not checked: the profile leaves it out"
    if words_only(entries, claim, lines):
        return _verified(claim, "partial", why, confidence, lines[0].start_s)
    stills = best_stills(entries, claim)
    if not stills:
        return _verified(claim, "unsupported", _UNSEEN, 1.0, claim.time_s or 0.0)
    at_s = stills[0].time_s
    box = _box(entries, claim, at_s)
    return _verified(claim, "partial", why, confidence, at_s, stills[0].ref, box)


async def _check(
    run: Run,
    claim: Claim,
    question: str,
    stills: Sequence[ShownFrame],
    lines: Sequence[Line],
    box: Box | None,
    meter: StepMeter,
) -> Verified:
    """Show the model one claim with its best frames and the words spoken at its time, and return its verdict.

    Raises:
        BudgetSpent: If no call is left for it.
    """
    if not stills and not lines:
        return _verified(claim, "unsupported", _UNSEEN, 1.0, claim.time_s or 0.0)
    at_s = stills[0].time_s if stills else lines[0].start_s
    run.tell("claim", f"checking at {format_time(at_s)}: {claim.text}", "verify", time_s=at_s)
    seen = [run.store.load(still) for still in sorted(stills, key=lambda still: (still.time_s, still.box_px))]
    messages = verify_messages(question, claim.text, seen, "\n".join(line.fact for line in lines))
    judged = await run.client.ask(
        "verify", messages, Judgement, meter, on_stream=run.thought_listener("verify")
    )
    verdict, line = judged.verdict, f"{judged.verdict}: {judged.why or claim.text}"
    run.tell("verdict", line, "verify", claim=claim.text, verdict=verdict, time_s=at_s)
    return _verified(
        claim, verdict, judged.why, judged.confidence, at_s, stills[0].ref if stills else None, box
    )


def _verified(
    claim: Claim,
    verdict: Verdict,
    why: str,
    confidence: float,
    time_s: float,
    ref: str | None = None,
    box: Box | None = None,
) -> Verified:
    return Verified(
        claim=claim.text,
        verdict=verdict,
        why=why,
        confidence=confidence,
        time_s=time_s,
        ref=ref,
        box_px=None if box is None else list(box),
    )
