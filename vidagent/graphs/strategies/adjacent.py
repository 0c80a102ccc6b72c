"""Look at the time next to an event, before accepting an answer about what comes before or after it."""

from __future__ import annotations

from collections.abc import Sequence

from vidagent.agents.prompting.replies import Route
from vidagent.graphs.evidence.grounding import words_of
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.policy import LEAST_CALLS
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run
from vidagent.graphs.strategies.gaps import longest_gap
from vidagent.graphs.strategies.strategy import Proposal, ProposedLook, Strategy, may_resample
from vidagent.text import counted
from vidagent.tools.answer import Draft

BESIDE_S = 4.0
"""Seconds looked at beside the event, at twice the minimum rate."""
LEAST_FPS = 1.0
_FPS = 2.0
_SHARE = 4
"""These looks take at most a quarter of the remaining frames."""
_SAME = 0.6
"""Minimum share of an event's words that a question about it contains."""
_ROUNDED_S = 0.01
_MOST_THING = 200


class Adjacent(Strategy):
    """Looks once at the time beside the event that an order question names."""

    name = "adjacent"
    reason = "what comes before or after an event lies next to it"
    hold = "before it is accepted, code looks beside the event that the question names; see what is there, then answer"
    returns_draft = True

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Return a look at each requested side that was not looked at closely."""
        route, draft = progress.route, progress.reviewed_draft
        if route is None or route.kind != "order" or not route.anchor:
            return Proposal()
        if draft is None or progress.proposed_by(self.name):
            return Proposal()
        if not may_resample(run):
            return Proposal()
        entries = progress.own_entries
        at_s = _event(entries, route, draft)
        if at_s is None:
            return Proposal()
        windows = [window for side in _sides(route) if (window := _window(run, at_s, side)) is not None]
        missing = [window for window in windows if not _looked_at(entries, *window)]
        if not _affordable(run, len(missing)):
            return Proposal()
        thing = " ".join((route.thing or route.anchor).split())[:_MOST_THING]
        question = f"What happens here, frame by frame? Say whether this is among it, and when: {thing}"
        return Proposal(
            [
                ProposedLook(
                    "resample",
                    {"start_s": round(start, 3), "end_s": round(end, 3), "fps": _FPS, "question": question},
                )
                for start, end in missing
            ],
            f"looking beside the event before the answer is accepted: {counted(len(missing), 'look')}",
        )


def _sides(route: Route) -> Sequence[str]:
    return (route.side,) if route.side else ("before", "after")


def _window(run: Run, at_s: float, side: str) -> tuple[float, float] | None:
    """Return the seconds on one side of an instant; None where the video has none."""
    info = run.video.info
    start, end = (at_s - BESIDE_S, at_s) if side == "before" else (at_s, at_s + BESIDE_S)
    start, end = max(0.0, start), min(info.duration_s, end)
    return (start, end) if end - start > info.frame_s else None


def _event(entries: Sequence[Entry], route: Route, draft: Draft) -> float | None:
    """Return the event's time: from a claim that names it, else from a look that asked for it and saw it.

    Failing both, it is the claim nearest to the side not asked about. Among several times, the one on the side asked
    about is used.
    """
    before, words = route.side == "before", words_of(route.anchor or "")
    timed = [(claim.time_s, words_of(claim.text)) for claim in draft.claims if claim.time_s is not None]
    if named := [time_s for time_s, text_words in timed if _shares(text_words, words)]:
        return min(named) if before else max(named)
    for entry in reversed(entries):
        seen = entry.observation
        if seen and seen.found and seen.sightings and _shares(words_of(entry.look.question), words):
            times = [sighting.time_s for sighting in seen.sightings]
            return min(times) if before else max(times)
    times = [time_s for time_s, _ in timed]
    return (max(times) if before else min(times)) if times else None


def _shares(text_words: set[str], words: set[str]) -> bool:
    return bool(words) and len(words & text_words) >= _SAME * len(words)


def _looked_at(entries: Sequence[Entry], start_s: float, end_s: float) -> bool:
    """Tell whether a range was looked at, at one frame per second or more."""
    return longest_gap(entries, start_s, end_s) <= 1 / LEAST_FPS + _ROUNDED_S


def _affordable(run: Run, looks: int) -> bool:
    enough_calls = run.meter.allowance(keep={"model_calls": LEAST_CALLS}).covers({"model_calls": looks})
    return enough_calls and run.meter.allowance(_SHARE).covers({"frames": looks * BESIDE_S * _FPS})
