"""Verify a draft: check its claims against their frames, in fresh contexts that can veto them."""

from __future__ import annotations

from collections.abc import Sequence

from vidagent.graphs.budget import StepMeter
from vidagent.graphs.evidence.claim_frames import claim_frames, with_labels
from vidagent.graphs.evidence.contradictions import contradicted
from vidagent.graphs.evidence.grounding import sentences_of
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.transcript_lines import lines_for, words_only
from vidagent.graphs.nodes.check import Asked, ask_all, closer_crops
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Update, Verified, refusal
from vidagent.text import counted
from vidagent.tools.answer import Claim, Draft
from vidagent.types import Box

MAX_VETOES = 2
"""Most times a draft is sent back because one of its claims is not supported."""
MAX_UNCLEAR = 1
"""Most times a draft is sent back only because frames that would show one of its claims are missing."""
_MOST_SENTENCES = 8
"""Most sentences of a "no" that are checked; a longer one is worded by code."""
_LONGEST_SENTENCE = 500

_UNSEEN = "no frame was looked at for it, or none at its time"
_UNCLEAR = "the frames looked at neither show it nor rule it out"


async def verify(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Check the claims of the draft; unsupported ones send it back to the planner a limited number of times.

    A verdict that was given on the same claim over the same pictures is used again. A claim on which its frames allow
    no verdict is asked about once more with closer ones, then the planner is told once which are missing, and then
    the claim passes as partly supported.
    """
    draft = progress.draft
    if draft is None:
        return {}
    claims = claims_of(draft, by_rules=run.client.profile.lacks("wording") or progress.kind == "speech")
    if not any(entry.look.stills for entry in progress.entries):
        claims = draft.claims
    asked = [_asked(progress, run, draft, claim) for claim in claims]
    if run.client.profile.lacks("verify"):
        for item in asked:
            _leave_unchecked(item, draft)
        return {"verified": [_verified(item, progress.entries) for item in asked], "stage": "verified"}
    run.tell("step", f"verifying {counted(len(claims), 'claim')}", "verify")
    try:
        await ask_all(run, progress.question, asked, meter)
        unclear = [item for item in asked if item.verdict == "cannot_tell"]
        closer = [item for item in unclear if await _looks_closer(progress, run, draft, item, meter)]
        await ask_all(run, progress.question, closer, meter)
    finally:  # also where a budget cuts it off
        done = [item for item in asked if item.verdict is not None]
        meter.partial = {
            "verified": [_verified(item, progress.entries) for item in done],
            "checks": [check for item in done for check in item.given],
        }
    return {**meter.partial, **_sent_back(progress, asked)}


def claims_of(draft: Draft, *, by_rules: bool) -> list[Claim]:
    """Return what is to be checked of a draft: its claims, and of one that says no each sentence of its answer.

    Args:
        draft: The draft.
        by_rules: Whether its words are those of rules, or are about what is heard, so that no frame can show them.
    """
    if draft.found == "yes" or by_rules:
        return draft.claims
    sentences = sentences_of(draft.answer)
    if len(sentences) > _MOST_SENTENCES or any(len(text) > _LONGEST_SENTENCE for text in sentences):
        return draft.claims
    claimed = {claim.text for claim in draft.claims}
    return [*draft.claims, *(Claim(text=text) for text in sentences if text not in claimed)]


def _asked(progress: Progress, run: Run, draft: Draft, claim: Claim) -> Asked:
    """Choose the evidence of a claim, and take an earlier verdict over the same one."""
    entries = progress.entries
    lines = lines_for(entries, claim)
    worded = words_only(entries, claim, lines)
    stills = [] if worded else claim_frames(entries, claim, draft, run.caps.frames)
    item = Asked(claim, with_labels(claim.text, stills, entries), stills, lines)
    if not stills and not lines:
        item.give("unsupported", _UNSEEN, 1.0)
    else:
        item.use(progress.checks)
    return item


async def _looks_closer(progress: Progress, run: Run, draft: Draft, item: Asked, meter: StepMeter) -> bool:
    """Give a claim better frames than those that allowed no verdict; tell whether there are any."""
    if not item.stills:
        return False
    stills = claim_frames(progress.entries, item.claim, draft, run.caps.frames, anywhere=True)
    box = _box(progress.entries, item.claim, item.stills[0].time_s)
    crops = await closer_crops(run, item.stills[0].time_s, box, meter) if box is not None else []
    known = {still.ref for still in item.stills}
    new = [still for still in (*crops, *stills) if still.ref not in known]
    if not new:
        return False
    item.stills = [*crops, *dict.fromkeys([*item.stills, *stills])][: run.caps.frames]
    item.text = with_labels(item.claim.text, item.stills, progress.entries)
    item.verdict, item.judged = None, []
    item.use([*progress.checks, *item.given])
    return item.verdict is None


def _sent_back(progress: Progress, asked: Sequence[Asked]) -> Update:
    """Send the draft back for the claims that were refused, or for lack of frames that show them."""
    refused = [item for item in asked if item.verdict == "unsupported"]
    missing = [item for item in asked if item.verdict == "cannot_tell"]
    vetoes, unclear = progress.state.get("vetoes", 0), progress.state.get("unclear", 0)
    vetoed = bool(refused) and vetoes < MAX_VETOES
    wanted = bool(missing) and not refused and unclear < MAX_UNCLEAR
    if progress.state.get("landing") or not (vetoed or wanted):
        return {"stage": "verified"}
    why = (
        "these claims are not supported by their frames; look again, then answer"
        if vetoed
        else "these claims cannot be judged from their frames; look where `why` says, closer or at more frames, or "
        "leave them out, then answer"
    )
    reply = refusal(
        progress.state["draft_call"], why, claims=[item.refusal() for item in (*refused, *missing)]
    )
    counts = {"vetoes": vetoes + 1} if vetoed else {"unclear": unclear + 1}
    return {**counts, "draft": None, "history": [reply]}


def _verified(item: Asked, entries: Sequence[Entry]) -> Verified:
    """Return the claim after its check, with one of the verdicts of an answer.

    A claim whose looks contradict each other is at most partly supported.
    """
    verdict, why, confidence = item.verdict or "cannot_tell", item.why, item.confidence
    if verdict == "cannot_tell":
        verdict, why, confidence = "partial", f"{_UNCLEAR}: {why}" if why else _UNCLEAR, min(confidence, 0.5)
    elif verdict == "supported" and contradicted(entries, item.claim.ledger):
        verdict, why, confidence = "partial", "looks contradict each other here", min(confidence, 0.5)
    still = item.best
    box = None if still is None else _box(entries, item.claim, still.time_s)
    return Verified(
        claim=item.claim.text,
        verdict=verdict,
        why=why,
        confidence=confidence,
        time_s=item.at_s,
        ref=None if still is None else still.ref,
        box_px=None if box is None else list(box),
    )


def _leave_unchecked(item: Asked, draft: Draft) -> None:
    """Pass a claim on unchecked; one without any frame looked at is still unsupported."""
    if item.verdict != "unsupported":
        item.verdict, item.confidence = "partial", draft.confidence
        item.why = "not checked: the profile leaves it out"


def _box(entries: Sequence[Entry], claim: Claim, time_s: float) -> Box | None:
    """Return the box in which the looks that the claim names saw it at that time."""
    for entry in entries:
        if entry.observation is None or (claim.ledger and entry.id not in claim.ledger):
            continue
        for sighting in entry.observation.sightings:
            if abs(sighting.time_s - time_s) < 1e-3 and sighting.box is not None:
                return entry.box_px(sighting)
    return None
