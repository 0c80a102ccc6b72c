"""Require coverage for a "no": code looks at what was not looked at before a "no" is passed on.

Something short can hide between two frames that were looked at. So looks go over all gaps between them, side by side,
with most frames in the widest, and one at the moments of the index, as short events show up there. The planner is told
so, as a search of its own for what is not there takes a turn after each of its looks.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vidagent.graphs.evidence.ledger import MOST_SEEN_S, Entry
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run
from vidagent.graphs.strategies.hints import SCAN_AT_ONCE_S, hinted_times
from vidagent.graphs.strategies.strategy import (
    Proposal,
    ProposedLook,
    Strategy,
    allowance,
    frames_look,
    may_resample,
)
from vidagent.text import counted
from vidagent.tools.answer import Draft

MOMENT_S = 6.5
"""Assumed duration of what is asked for: the shortest mean length of a moment in five sets of questions about
videos (DiDeMo 6.5 s, Charades-STA 8.1, TVR 9.1, QVHighlights 24.6, ActivityNet Captions 36.2; table 1 of Lei, Berg,
Bansal: QVHighlights, NeurIPS 2021)."""

ADVICE = (
    "Where nothing seen so far shows it, answer with found no at once, even in the first turn: before that is passed "
    "on, code looks over all gaps between the frames looked at, and you are asked again if it is seen there."
)
"""Tells the planner that it need not search for what is not there."""

_ADVISED = frozenset({"locate", "how_long", "whether"})
"""Kinds of questions about one thing that is there or not."""
_MOST_LOOKS = 3
"""Most looks over gaps: with 32 frames each, gaps of a second are left of a minute, and of 12 s of 20 minutes."""
_SHARE = 4
"""These looks take at most a quarter of what is left of a budget."""
_FINE_S = 2.0
"""If even frames are further apart, half of the frames go to the moments at which the index says something changes."""
_MOST_THING = 300
_NOES = "no|not|never|nein|nicht|non|nee|nej|nei|não|нет|ні|όχι|hayır|いいえ|아니"
_NO = re.compile(rf"\W*(?:{_NOES})\b", re.IGNORECASE)
DENIAL = re.compile(
    rf"\b(?:{_NOES}|without|none|nothing|nobody|kein\w*|nichts|niemand|sans|rien|sin|nada|nadie|sem)\b|n['’]t\b",
    re.IGNORECASE,
)
"""Words by which a claim says that something is not so."""


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
    times = sorted({start_s, end_s, *frame_times(entries, start_s, end_s)})
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
    if not frame_times(entries, start_s, end_s) or end_s <= start_s:
        return 0.0
    missed_s = sum(max(0.0, gap.length_s - MOMENT_S) for gap in gaps(entries, start_s, end_s))
    return max(0.0, 1.0 - missed_s / (end_s - start_s))


def advice(progress: Progress, run: Run) -> list[str]:
    """Return the line that leaves a search in vain to code, if code would do it.

    A long video is not scanned before the planner searches, and without a scan code knows less of where to look.
    """
    scanned = run.video.info.duration_s <= SCAN_AT_ONCE_S or bool(_searches(progress.own_entries))
    done = progress.proposed_by(Gaps.name) or not may_resample(run) or not _reach(run)[0]
    known = scanned or "search" not in run.tools
    return [ADVICE] if known and not done and not progress.in_parts and progress.kind in _ADVISED else []


class Gaps(Strategy):
    """Looks once into all gaps between frames before a "no" is passed on."""

    name = "gaps"
    reason = "no frame was looked at there yet"
    hold = "before it is passed on, code looks where no frame was looked at yet"

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Return the looks; none if they were done, all was looked at, or no budget is left for them."""
        draft = progress.reviewed_draft
        if draft is None or not denies(draft, progress) or progress.kind == "speech":
            return Proposal()
        if progress.proposed_by(self.name) or not may_resample(run):
            return Proposal()
        entries, (start_s, end_s) = progress.own_entries, range_of(progress, run)
        wide = [gap for gap in gaps(entries, start_s, end_s) if gap.length_s > MOST_SEEN_S]
        most_looks, frames = _reach(run)
        if not wide or not most_looks:
            return Proposal()
        whole = (start_s, end_s) == (0.0, run.video.info.duration_s)
        searched = whole and most_looks > 1 and frames > run.caps.frames and _moments_unseen(run, entries)
        thing = progress.route.thing if progress.route else ""
        question = " ".join((thing or progress.question).split())[:_MOST_THING]
        over_gaps = min(most_looks - searched, _MOST_LOOKS)
        most = min(frames - searched * run.caps.frames, over_gaps * run.caps.frames)
        few = min(most, run.caps.frames) // 2
        hints = hinted_times(run, start_s, end_s, few) if end_s - start_s > _FINE_S * most else []
        unseen = [t for t in hints if any(gap.start_s < t < gap.end_s for gap in wide)]
        times = sorted({*unseen, *points(wide, most - len(unseen))})
        looks = [frames_look(part, question) for part in _split(times, run.caps.frames)]
        if searched:
            looks.append(ProposedLook("search", {"query": question}))
        line = f"looking where no frame was looked at yet, before the answer: {counted(len(looks), 'look')}"
        return Proposal(looks, line)


def points(wide: Sequence[Gap], most: int) -> list[float]:
    """Cut gaps into equal parts so that the longest part is as short as so many cuts allow; return the cuts, in order.

    No part is cut that is at most `MOST_SEEN_S` long.
    """
    heap = [(-gap.length_s, gap, 1) for gap in wide]
    heapq.heapify(heap)
    for _ in range(most):
        longest_s, gap, parts = heap[0]
        if -longest_s <= MOST_SEEN_S:
            break
        heapq.heapreplace(heap, (-gap.length_s / (parts + 1), gap, parts + 1))
    return sorted(gap.start_s + gap.length_s * n / parts for _, gap, parts in heap for n in range(1, parts))


def _split(times: Sequence[float], most: int) -> list[Sequence[float]]:
    """Cut a list of times into the fewest lists of up to `most`, as equal as may be."""
    number = math.ceil(len(times) / most)
    bounds = [round(len(times) * n / number) for n in range(number + 1)]
    return [times[first:after] for first, after in pairwise(bounds)]


def frame_times(entries: Iterable[Entry], start_s: float, end_s: float) -> list[float]:
    """Return the times of the whole frames of a range that were looked at, in order; a crop shows only a part."""
    stills = (still for entry in entries if entry.look.tool != "crop" for still in entry.look.stills)
    return sorted({still.time_s for still in stills if start_s <= still.time_s <= end_s})


def _moments_unseen(run: Run, entries: Sequence[Entry]) -> bool:
    """Tell whether the index already knows moments worth a look that were not looked at."""
    known = "search" in run.tools and run.index.scanned() and bool(run.index.scan().moments)
    return known and not any(entry.look.stills for entry in _searches(entries))


def _searches(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.look.tool == "search"]


def _reach(run: Run) -> tuple[int, int]:
    """Return how many looks are allowed, and how many frames in all."""
    profile = run.client.profile
    allowed = allowance(run, _SHARE)
    most = _MOST_LOOKS + 1
    frames = int(min(most * run.caps.frames, allowed.most_frames(max(1, profile.frame_tokens))))
    looks = int(min(most, allowed.most_looks(profile.completion_tokens.get("look", 1))))
    return (looks if frames else 0), frames
