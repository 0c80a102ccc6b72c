"""The check of a draft: each claim against its best frames, in a fresh context that can veto."""

from __future__ import annotations

from collections.abc import Sequence

from vidagent.agents.messages import verify_messages
from vidagent.agents.replies import Judgement
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.ledger import Entry
from vidagent.graphs.looking import shown
from vidagent.graphs.state import Run, Verified
from vidagent.images.still import Still
from vidagent.tools.answer import Claim
from vidagent.types import Box
from vidagent.video.clock import format_time

__all__ = ["best_stills", "check_claim"]

BEST_FRAMES = 3


def best_stills(entries: Sequence[Entry], claim: Claim) -> list[Still]:
    """Choose the pictures that show a claim best: those nearest to its time in the looks it names.

    Pictures of one look are preferred over mixed ones, a finer look over a coarse one.
    """
    named = [entry for entry in entries if entry.id in claim.ledger and entry.look.stills]
    pool = named or [entry for entry in entries if entry.look.stills]
    if not pool:
        return []
    at_s = claim.time_s if claim.time_s is not None else _first_sighting(pool)
    best = min(pool, key=lambda entry: (_distance(entry, at_s), -(entry.look.fps or 0)))
    nearest = sorted(best.look.stills, key=lambda still: (abs(still.time_s - at_s), still.box_px))
    exact = [still for still in nearest if still.time_s == nearest[0].time_s]
    return sorted(exact[:BEST_FRAMES], key=lambda still: still.box_px)


def _distance(entry: Entry, time_s: float) -> float:
    return round(min(abs(still.time_s - time_s) for still in entry.look.stills), 4)


def _first_sighting(entries: Sequence[Entry]) -> float:
    for entry in entries:
        if entry.observation and entry.observation.sightings:
            return entry.observation.sightings[0].time_s
    return entries[0].look.stills[0].time_s


def _box(entries: Sequence[Entry], claim: Claim, time_s: float) -> Box | None:
    """Return where the looks that the claim names saw it at that time."""
    for entry in entries:
        if entry.observation is None or (claim.ledger and entry.id not in claim.ledger):
            continue
        for sighting in entry.observation.sightings:
            if abs(sighting.time_s - time_s) < 1e-3 and sighting.box is not None:
                return entry.box_px(sighting)
    return None


async def check_claim(
    run: Run, claim: Claim, question: str, entries: Sequence[Entry], meter: StepMeter
) -> Verified:
    """Show the model one claim with its best frames and take its verdict.

    Raises:
        BudgetSpent: If no call or frame is left for it.
    """
    stills = best_stills(entries, claim)
    if not stills:
        return Verified(
            claim=claim.text,
            verdict="unsupported",
            why="no frame was looked at for it",
            confidence=1.0,
            time_s=claim.time_s or 0.0,
            ref=None,
            box_px=None,
        )
    at_s = stills[0].time_s
    run.tell("claim", f"checking at {format_time(at_s)}: {claim.text}", "verify", time_s=at_s)
    stills = stills[: meter.grant(len(stills))]
    messages = verify_messages(question, claim.text, shown(run, stills))
    verdict = await run.client.ask("verify", messages, Judgement, meter)
    run.tell(
        "verdict",
        f"{verdict.verdict}: {verdict.why or claim.text}",
        "verify",
        claim=claim.text,
        verdict=verdict.verdict,
        time_s=at_s,
    )
    box = _box(entries, claim, at_s)
    return Verified(
        claim=claim.text,
        verdict=verdict.verdict,
        why=verdict.why,
        confidence=verdict.confidence,
        time_s=at_s,
        ref=stills[0].ref,
        box_px=None if box is None else list(box),
    )
