"""Require coverage for a "no": code looks at what was not looked at before a "no" is passed on.

Something short can hide between two frames that were looked at. So the widest gaps between them are halved, and the
moments of the index go first, as short events show up there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vidagent.graphs.evidence.ledger import MOST_SEEN_S, Entry
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run
from vidagent.graphs.strategies.strategy import Proposal, ProposedLook, Strategy, allowance, may_resample
from vidagent.text import counted
from vidagent.tools.answer import Draft

MAX_ROUNDS = 2
"""Most rounds of looks at the widest gaps before a "no" is passed on."""

MOMENT_S = 6.5
"""Assumed duration of what is asked for: the shortest mean length of a moment in five sets of questions about
videos (DiDeMo 6.5 s, Charades-STA 8.1, TVR 9.1, QVHighlights 24.6, ActivityNet Captions 36.2; table 1 of Lei, Berg,
Bansal: QVHighlights, NeurIPS 2021)."""

_MOST_LOOKS = 2
"""Most looks of one round."""
_SHARE = 8
"""A round takes at most an eighth of what is left of a budget, so that both take a quarter."""
_EVEN = 0.1
"""How much steps between frames may differ and still count as even."""
_MOST_THING = 300
_NO = re.compile(
    r"\W*(?:no|not|never|nein|nicht|non|nee|nej|nei|não|нет|ні|όχι|hayır|いいえ|아니)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """A stretch in which no frame was looked at."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


def denies(draft: Draft, progress: Progress) -> bool:
    """Tell whether a draft says that something is not there, or answers a yes-or-no question with a no."""
    whether = progress.kind == "whether"
    return draft.found == "no" or (whether and draft.found == "yes" and bool(_NO.match(draft.answer)))


def range_of(progress: Progress, run: Run) -> tuple[float, float]:
    """Return the range in question, inside the video; all of it if the question names none."""
    route, last_s = progress.route, run.video.info.duration_s
    start_s, end_s = (route.start_s or 0.0, route.end_s) if route else (0.0, None)
    start_s, end_s = min(start_s, last_s), last_s if end_s is None else min(end_s, last_s)
    return (start_s, end_s) if end_s > start_s else (start_s, min(last_s, start_s + run.video.info.frame_s))


def gaps(entries: Iterable[Entry], start_s: float, end_s: float) -> list[Gap]:
    """Return the stretches of a range between the frames looked at, in order."""
    times = sorted({start_s, end_s, *_times(entries, start_s, end_s)})
    return [Gap(one, other) for one, other in pairwise(times) if other > one]


def longest_gap(entries: Iterable[Entry], start_s: float, end_s: float) -> float:
    """Return the length in seconds of the longest stretch of a range without a frame looked at."""
    return max((gap.length_s for gap in gaps(entries, start_s, end_s)), default=0.0)


def highest_confidence(entries: Iterable[Entry], start_s: float, end_s: float) -> float:
    """Return the maximum confidence of a "no", from 0 to 1.

    It is the chance that something of length `MOMENT_S`, at a random time, would have been in a frame looked at: it is
    missed if it begins and ends within one gap. Without any frame looked at it is 0.
    """
    entries = list(entries)
    if not _times(entries, start_s, end_s) or end_s <= start_s:
        return 0.0
    missed_s = sum(max(0.0, gap.length_s - MOMENT_S) for gap in gaps(entries, start_s, end_s))
    return max(0.0, 1.0 - missed_s / (end_s - start_s))


class Gaps(Strategy):
    """Looks at the widest gaps between frames before a "no" is passed on."""

    name = "gaps"
    reason = "no frame was looked at there yet"
    hold = "before it is passed on, code looks where no frame was looked at yet"

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Return the looks of the next round; none if all was looked at, or no budget is left for them."""
        draft = progress.reviewed_draft
        rounds = len(progress.proposed_by(self.name))
        if draft is None or not denies(draft, progress) or rounds >= MAX_ROUNDS or progress.kind == "speech":
            return Proposal()
        if not may_resample(run):
            return Proposal()
        most_looks, frames = _reach(run)
        entries, (start_s, end_s) = progress.own_entries, range_of(progress, run)
        wide = [gap for gap in gaps(entries, start_s, end_s) if gap.length_s > MOST_SEEN_S]
        if not wide or not most_looks:
            return Proposal()
        thing = progress.route.thing if progress.route else ""
        question = " ".join((thing or progress.question).split())[:_MOST_THING]
        looks: list[ProposedLook] = []
        whole = (start_s, end_s) == (0.0, run.video.info.duration_s)
        if whole and not rounds and _moments_unseen(run, entries):
            looks.append(ProposedLook("search", {"query": question}))
            frames = max(1, frames - run.caps.frames)
        for times in _runs(_points(wide, frames), run.caps.frames)[: most_looks - len(looks)]:
            step_s = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else run.video.info.frame_s
            last_s = min(end_s, times[0] + (len(times) - 0.4) * step_s)
            window = {"start_s": round(times[0], 3), "end_s": round(last_s, 3), "fps": round(1 / step_s, 6)}
            looks.append(ProposedLook("resample", {**window, "question": question}))
        line = f"looking where no frame was looked at yet, before the answer: {counted(len(looks), 'look')}"
        return Proposal(looks, line)


def _times(entries: Iterable[Entry], start_s: float, end_s: float) -> set[float]:
    """Return the times of the whole frames of a range that were looked at; a crop shows only a part."""
    stills = (still for entry in entries if entry.look.tool != "crop" for still in entry.look.stills)
    return {still.time_s for still in stills if start_s <= still.time_s <= end_s}


def _moments_unseen(run: Run, entries: Sequence[Entry]) -> bool:
    """Tell whether the index already knows moments worth a look that were not looked at."""
    searched = any(entry.look.tool == "search" and entry.look.stills for entry in entries)
    return not searched and "search" in run.tools and run.index.scanned() and bool(run.index.scan().moments)


def _reach(run: Run) -> tuple[int, int]:
    """Return how many looks a round may take, and how many frames in all."""
    profile = run.client.profile
    allowed = allowance(run, _SHARE)
    frames = int(min(_MOST_LOOKS * run.caps.frames, allowed.most_frames(max(1, profile.frame_tokens))))
    looks = int(min(_MOST_LOOKS, allowed.most_looks(profile.completion_tokens.get("look", 1))))
    return (looks if frames else 0), frames


def _points(wide: Sequence[Gap], frames: int) -> list[float]:
    """Cut the widest gaps into equal parts, as finely as so many frames allow; return the cuts, in order.

    Between two neighbouring gaps that are cut alike more than once, the frame that was seen is one of the cuts: a look
    goes over both of them in even steps.
    """
    widest_s = max(gap.length_s for gap in wide)
    cuts = _cut([gap for gap in wide if gap.length_s > widest_s * (1 - _EVEN)][:frames], widest_s / 2)
    part = 2
    while len(finer := _cut(wide, max(MOST_SEEN_S, widest_s / part))) <= frames:
        cuts = finer
        if widest_s / part <= MOST_SEEN_S:
            break
        part *= 2
    return cuts


def _cut(wide: Sequence[Gap], finest_s: float) -> list[float]:
    points: list[float] = []
    last: Gap | None = None
    for gap in wide:
        parts = math.ceil(gap.length_s / finest_s - _EVEN)
        if parts < 2:
            continue
        if parts > 2 and last is not None and last.end_s == gap.start_s:
            points.append(gap.start_s)
        points += [gap.start_s + gap.length_s * n / parts for n in range(1, parts)]
        last = gap
    return points


def _runs(points: Sequence[float], most: int) -> list[list[float]]:
    """Return the points in evenly spaced runs of at most so many each, the longest stretch first."""
    runs: list[list[float]] = []
    for point in points:
        run = runs[-1] if runs else []
        step_s = run[1] - run[0] if len(run) > 1 else None
        even = run and len(run) < most
        if even and (step_s is None or abs(point - run[-1] - step_s) <= _EVEN * step_s):
            run.append(point)
        else:
            runs.append([point])
    return sorted(runs, key=lambda run: run[0] - run[-1])
