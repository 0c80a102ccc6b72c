"""Refine the places of an answer to the frame: look between the two frames next to each edge, finer every time.

This runs after the claims are checked, so no draft is refined that is then refused, and running out of budget here
loses nothing that is supported.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from vidagent.errors import ToolError
from vidagent.graphs.budget import LIMITED
from vidagent.graphs.evidence.boundaries import (
    SAME_S,
    Edge,
    Reach,
    Refining,
    first_edges,
    frames_wanted,
    narrowed,
    placed,
    read_frames,
)
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.transcript_lines import lines_for, words_only
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Call, Run
from vidagent.graphs.strategies.strategy import Proposal, ProposedLook, Strategy
from vidagent.graphs.strategies.sweep import Sweep
from vidagent.text import counted
from vidagent.tools import Look, ToolContext
from vidagent.tools.answer import Claim, Place
from vidagent.tools.context import Window
from vidagent.types import BudgetName

MAX_LOOKS = 4
"""Most looks at one edge."""
MOST_LOOKS = 32
"""Most looks at all edges of an answer."""
_KINDS = frozenset({"locate", "how_long", "count", "order", "whether"})
"""Kinds of questions whose answers have places with a start and an end."""
_SHARE = 3
"""At most a third of the remaining budget is spent here."""
_LEAST = 3
"""Minimum frames of a look that brings two frames closer: these, and one between."""
_LISTED_S = 120.0
"""Frames of a gap up to this long are counted exactly."""
_BACK_S = 10.0
"""How far back to search for the frame on screen at a time."""
_PAST_S = 0.001
"""Added to the end of a half-open range to include its last frame."""
_PROMPT_TOKENS = 2000
"""Approximate prompt tokens of a look without its frames."""
_LONGEST_CLAIM = 360
_WHEN = re.compile(
    r"[\s,]*\b(?:(?:at|from|between|until|till|to|by|around|about)\s+)+(?:t\s*=\s*)?\d+(?::\d+)*(?:\.\d+)?"
    r"(?:\s*s)?(?:\s*(?:-|–|to|until|and)\s*\d+(?::\d+)*(?:\.\d+)?)?\s*(?:s|sec|seconds?)\b",
    re.IGNORECASE,
)


class Edges(Strategy):
    """Looks between the two frames next to each edge of the places of a supported answer."""

    name = "edges"

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Process the last looks at the edges, and return the next ones while they are worth it."""
        if not _should_refine(progress, run):
            return Proposal()
        known = progress.refining
        begun = _begun(progress, run) if known is None else _read(known, progress.entries)
        refining, looks = _next(progress, run, begun)
        line = f"finding the edges of {counted(len(refining.questions), 'place')}"
        return Proposal(looks, line, {"refining": refining.to_dict()})


def _should_refine(progress: Progress, run: Run) -> bool:
    """Tell whether an answer has places to refine: its draft is supported, and its kind of question has places."""
    draft, kind = progress.draft, progress.kind
    if draft is None or draft.found != "yes" or (kind is not None and kind not in _KINDS):
        return False
    return (
        not run.client.profile.lacks("boundaries") and run.caps.frames >= _LEAST and bool(_standing(progress))
    )


def _standing(progress: Progress) -> list[Claim]:
    """Return the supported claims of the draft."""
    claims = progress.draft.claims if progress.draft else []
    verdicts = [item["verdict"] for item in progress.verified]
    return [claim for claim, verdict in zip(claims, verdicts, strict=False) if verdict != "unsupported"]


# --- what is known before the first look


def _begun(progress: Progress, run: Run) -> Refining:
    """Return the edges as the looks that the claims name know them."""
    spans = progress.draft.spans if progress.draft else []
    claims, entries = _standing(progress), progress.entries
    edges, questions = list[Edge](), dict[str, str]()
    swept = {name for looks in progress.proposed_by(Sweep.name) for name in looks}
    for number, place in enumerate(spans):
        own = [claim for claim in claims if _in(place, claim)] or claims
        if _whole(run, place) or _in_words(entries, own) or _at_once(place, spans):
            continue
        named = {name for claim in own for name in claim.ledger} | swept
        looks = [entry for entry in entries if entry.id in named]
        frames = placed([shown for entry in looks if (shown := read_frames(entry)) is not None])
        moment_s = _frame_at(run, _moment(place, own))
        span, reach = (place.start_s, place.end_s), _reach(run, place, spans)
        edges += _opened_together(run, first_edges(number, span, frames, moment_s, reach))
        questions[str(number)] = _question(place, own, looks)
    return Refining(progress.state["draft_call"], tuple(edges), questions, _floors(run))


def _opened_together(run: Run, edges: tuple[Edge, Edge]) -> list[Edge]:
    """Open both edges if one may lie far out: the observer has to say no at the other to be believed."""
    far = any(edge.outside_s is None and _gap(run, edge) > 0 for edge in edges)
    return [dataclasses.replace(edge, sure=not far) for edge in edges]


def _whole(run: Run, place: Place) -> bool:
    info = run.video.info
    return place.start_s <= SAME_S and place.end_s >= info.duration_s - info.frame_s


def _at_once(place: Place, spans: Sequence[Place]) -> bool:
    """Tell whether another place overlaps this one, so that frames showing either locate no edge of the two."""
    return any(
        other.start_s < place.end_s - SAME_S and place.start_s < other.end_s - SAME_S
        for other in spans
        if other is not place
    )


def _in(place: Place, claim: Claim) -> bool:
    return claim.time_s is not None and place.start_s - SAME_S <= claim.time_s <= place.end_s + SAME_S


def _in_words(entries: Sequence[Entry], claims: Sequence[Claim]) -> bool:
    """Tell whether all of these claims rest only on spoken or written words, which have edges of their own."""
    return all(words_only(entries, claim, lines_for(entries, claim)) for claim in claims)


def _moment(place: Place, claims: Sequence[Claim]) -> float:
    inside = [claim.time_s for claim in claims if claim.time_s is not None and _in(place, claim)]
    return inside[0] if inside else (place.start_s + place.end_s) / 2


def _frame_at(run: Run, time_s: float) -> float:
    """Return the time of the frame on screen at a time."""
    times = run.video.frame_times(max(0.0, time_s - _BACK_S), time_s + SAME_S)
    return float(times[-1]) if len(times) else time_s


def _reach(run: Run, place: Place, spans: Sequence[Place]) -> Reach:
    before = [other.end_s for other in spans if other.end_s <= place.start_s and other is not place]
    after = [other.start_s for other in spans if other.start_s >= place.end_s and other is not place]
    return Reach(max(before, default=0.0), min(after, default=run.video.info.duration_s))


def _question(place: Place, claims: Sequence[Claim], looks: Sequence[Entry]) -> str:
    """Ask for what a claim says, without its times; if no claim is about this place, reuse a look's question there."""
    about = next((claim.text for claim in claims if _in(place, claim)), None)
    look_question = next((entry.look.question for entry in looks if _saw(entry, place)), None)
    ending = "List a sighting for every frame that shows it, and none for the others."
    if about is None and look_question is not None:
        return f"{look_question[:_LONGEST_CLAIM]} {ending}"
    thing = _WHEN.sub("", about or claims[0].text).strip(" .,;:")[:_LONGEST_CLAIM]
    return f"In which of these frames is this to be seen: {thing}? {ending}"


def _saw(entry: Entry, place: Place) -> bool:
    seen = entry.observation
    return seen is not None and any(
        place.start_s - SAME_S <= sighting.time_s <= place.end_s + SAME_S for sighting in seen.sightings
    )


def _floors(run: Run) -> dict[BudgetName, int]:
    """Return how much of each limited budget must remain."""
    left = {name: run.meter.left(name) for name in LIMITED.values()}
    return {name: math.ceil(value - value / _SHARE) for name, value in left.items() if value is not None}


# --- from one round to the next


def _read(known: Refining, entries: Sequence[Entry]) -> Refining:
    """Process the looks of the last round; if the observer contradicts itself, a place is left as it is."""
    by_id = {entry.id: entry for entry in entries}
    edges = [edge if edge.looking is None else _after(edge, by_id.get(edge.looking)) for edge in known.edges]
    doubtful = {edge.place for edge in edges if edge.standing == "doubtful"}
    return dataclasses.replace(
        known,
        edges=tuple(
            dataclasses.replace(edge, standing="left")
            if edge.place in doubtful and edge.standing == "open"
            else edge
            for edge in edges
        ),
    )


def _after(edge: Edge, entry: Entry | None) -> Edge:
    if entry is None:
        return narrowed(edge, None)
    return narrowed(edge, read_frames(entry), every=entry.look.every_frame)


def _next(progress: Progress, run: Run, known: Refining) -> tuple[Refining, list[ProposedLook]]:
    """Mark the edges that are known by now, and return further looks at the others, as far as the budget goes."""
    gaps = {number: _gap(run, edge) for number, edge in enumerate(known.edges) if edge.standing == "open"}
    edges = [
        dataclasses.replace(edge, standing=_standing_of(edge, gaps[number])) if number in gaps else edge
        for number, edge in enumerate(known.edges)
    ]
    wide = {number: max(gap, 1) for number, gap in gaps.items() if edges[number].standing == "open"}
    granted = sorted(_granted(run, known, wide))
    looks = []
    for entry, (number, frames) in zip(progress.next_entries(len(granted)), granted, strict=True):
        edges[number] = dataclasses.replace(edges[number], looking=entry)
        args = _args(edges[number], frames, known.questions[str(edges[number].place)])
        looks.append(ProposedLook("resample", args))
    return dataclasses.replace(known, edges=tuple(edges)), looks


def _gap(run: Run, edge: Edge) -> int:
    """Return the number of frame steps between the known frames on both sides of an edge."""
    low_s, high_s = sorted((edge.inside_s, edge.beyond_s))
    if high_s - low_s > _LISTED_S and not edge.stalled:
        return round((high_s - low_s) * float(run.video.info.fps))
    return len(run.video.frame_times(max(0.0, low_s - SAME_S), high_s + SAME_S)) - 1


def _standing_of(edge: Edge, gap: int) -> Literal["open", "known", "left"]:
    if gap == 0 or (gap == 1 and edge.outside_s is not None and edge.sure):
        return "known"
    return "left" if len(edge.looks) >= MAX_LOOKS or (edge.stalled and gap > 1) else "open"


def _granted(run: Run, known: Refining, gaps: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the edges to look at with their number of frames, within a share of what is left.

    Edges with the fewest looks come first.
    """
    spare, profile = run.meter.allowance(keep=known.floors), run.client.profile
    looks = MOST_LOOKS - sum(len(edge.looks) for edge in known.edges)
    for done, number in enumerate(sorted(gaps, key=lambda number: len(known.edges[number].looks))):
        gap, share = gaps[number], spare.amounts["frames"] // (len(gaps) - done)
        frames = int(min(frames_wanted(gap, run.caps.frames), share))
        needs: dict[BudgetName, float] = {
            "frames": frames,
            "model_calls": 1,
            "prompt_tokens": frames * profile.frame_tokens + _PROMPT_TOKENS,
            "completion_tokens": profile.completion_tokens.get("look", 0),
        }
        if looks and frames >= min(gap + 1, _LEAST) and spare.covers(needs):
            spare, looks = spare.less(needs), looks - 1
            yield number, frames


def _args(edge: Edge, frames: int, question: str) -> dict[str, Any]:
    low_s, high_s = sorted((edge.inside_s, edge.beyond_s))
    start_s, end_s = max(0.0, low_s), high_s + _PAST_S
    return {"start_s": start_s, "end_s": end_s, "fps": frames / (end_s - start_s), "question": question}


def look_between(desk: ToolContext, call: Call) -> Look:
    """Look at a range, showing its first and last frame.

    Raises:
        ToolError: If no frame between these can be shown.
        BudgetSpent: If no frame at all can.
    """
    start_s, end_s, fps, question = (call["args"][name] for name in ("start_s", "end_s", "fps", "question"))
    window, frames = Window(start_s, end_s), round((end_s - start_s) * fps)
    most = desk.grant(frames)
    if most < min(frames, _LEAST):
        raise ToolError(f"it takes {min(frames, _LEAST)} frames at least, and {most} are left")
    if desk.frame_times(window) is None:
        times, every = np.linspace(start_s, end_s - _PAST_S, most).tolist(), False
    else:
        chosen = desk.spread(window, most)
        times, every = chosen.times_s, chosen.every_frame
    stills, damage = desk.pictures(times)
    every &= len(stills) == len(times)
    apart_s = stills[-1].time_s - stills[0].time_s
    rate = (len(stills) - 1) / apart_s if apart_s else fps
    last_s = min(stills[-1].time_s + desk.video.info.frame_s, desk.duration_s)
    end_s = max(last_s, stills[-1].time_s)
    return Look("resample", question, start_s, end_s, stills, rate, every, notes=damage)
