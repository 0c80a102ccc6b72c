"""Refine the places of an answer to the frame: look between the two frames next to each edge, finer every time.

Several edges share a look, and a cut of the index or the drafted time is shown with the frame before it, so that an
edge that lies there takes one look.

This runs after the claims are checked, so no draft is refined that is then refused, and running out of budget here
loses nothing that is supported.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vidagent.graphs.budget import LIMITED
from vidagent.graphs.evidence.boundaries import (
    SAME_S,
    Edge,
    Reach,
    Refining,
    between,
    first_edges,
    frames_to_show,
    frames_wanted,
    narrowed,
    placed,
    read_frames,
)
from vidagent.graphs.evidence.grounding import words_of
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.transcript_lines import lines_for, words_only
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run
from vidagent.graphs.strategies.strategy import Proposal, ProposedLook, Strategy, frames_look
from vidagent.graphs.strategies.sweep import Sweep
from vidagent.text import counted
from vidagent.tools.answer import Claim, Place
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
_MEANT = 1.5
"""Frames from which on a drafted edge lies inside of what was seen on purpose, and not by one frame too few."""
_BACK_S = 10.0
"""How far back to search for the frame on screen at a time."""
_PROMPT_TOKENS = 2000
"""Approximate prompt tokens of a look without its frames."""
_LONGEST_CLAIM = 360
_ENDING = "List a sighting for every frame that shows it, and none for the others."
_SAME_WORDS = 0.6
"""Minimum share of the thing's words that the question of a look about it contains."""
_LEAST_SHARED = 8
"""Frames for each edge below which edges no longer share a look."""
_MOST_CUTS = 4
"""Most cuts of a gap that are shown with the frame before them."""
_WHEN = re.compile(
    r"[\s,]*\b(?:(?:at|from|between|until|till|to|by|around|about)\s+)+(?:t\s*=\s*)?\d+(?::\d+)*(?:\.\d+)?"
    r"(?:\s*s)?(?:\s*(?:-|–|to|until|and)\s*\d+(?::\d+)*(?:\.\d+)?)?\s*(?:s|sec|seconds?)\b",
    re.IGNORECASE,
)


class Edges(Strategy):
    """Looks between the two frames next to each edge of the places of a supported answer."""

    name = "edges"
    optional = True

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Process the last looks at the edges, and return the next ones while they are worth it."""
        if not _should_refine(progress, run):
            return Proposal()
        known = progress.refining
        begun = _begun(progress, run) if known is None else _read(run, known, progress.entries)
        refining, looks = _next(progress, run, begun)
        line = f"finding the edges of {counted(len(refining.questions), 'place')}"
        return Proposal(looks, line, {"refining": refining.to_dict()})


def _should_refine(progress: Progress, run: Run) -> bool:
    """Tell whether an answer has places to refine: it is supported, and its question has places and asks for times."""
    draft, kind = progress.draft, progress.kind
    if draft is None or draft.found != "yes" or (kind is not None and kind not in _KINDS):
        return False
    if not progress.asks_times:
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
    """Return the edges as the looks know them that the claims name or that asked about the thing."""
    spans = progress.draft.spans if progress.draft else []
    claims, entries = _standing(progress), progress.entries
    thing = progress.route.thing if progress.route else ""
    edges, questions = list[Edge](), dict[str, str]()
    shared = {name for looks in progress.proposed_by(Sweep.name) for name in looks}
    shared |= {entry.id for entry in entries if _is_about(entry, thing)}
    for number, place in enumerate(spans):
        own = [claim for claim in claims if _in(place, claim)] or claims
        if _whole(run, place) or _in_words(entries, own) or _at_once(place, spans):
            continue
        cited = {name for claim in own for name in claim.ledger}
        looks = [entry for entry in entries if entry.id in cited | shared]
        read = [shown for entry in looks if (shown := read_frames(entry)) is not None]
        if _confirmed(progress, place):
            read += [
                _drafted_on(entry, place) for entry in looks if entry.id in cited and _is_overview(entry)
            ]
        frames = placed(read)
        moment_s = _frame_at(run, _moment(place, own))
        span, reach = (place.start_s, place.end_s), _reach(run, place, spans)
        known = (
            _as_drafted(run, edge, entries) for edge in first_edges(number, span, frames, moment_s, reach)
        )
        edges += _opened_together(run, *known)
        questions[str(number)] = _asked(thing) if thing else _question(place, own, looks)
    return Refining(progress.state["draft_call"], tuple(edges), questions, _floors(run))


def _confirmed(progress: Progress, place: Place) -> bool:
    """Tell whether a check fully supported all that is claimed of a place."""
    claims = progress.draft.claims if progress.draft else []
    own = [
        item["verdict"] for claim, item in zip(claims, progress.verified, strict=False) if _in(place, claim)
    ]
    return bool(own) and set(own) == {"supported"}


def _drafted_on(entry: Entry, place: Place) -> dict[float, bool]:
    """Return what a draft says of an overview that only its planner saw: of its frames inside, and of those beside.

    It says nothing if its times are none of that overview's.
    """
    times = [still.time_s for still in entry.look.stills]
    if not all(any(abs(t - bound_s) <= SAME_S for t in times) for bound_s in (place.start_s, place.end_s)):
        return {}
    inside = {t: True for t in times if place.start_s - SAME_S <= t < place.end_s - SAME_S}
    before = [t for t in times if t < place.start_s - SAME_S][-1:]
    after = [t for t in times if t >= place.end_s - SAME_S][:1]
    return inside | dict.fromkeys([*before, *after], False) if inside else {}


def _is_about(entry: Entry, thing: str) -> bool:
    """Tell whether a look was asked for the thing: its question has the thing's words, or it is the overview."""
    if _is_overview(entry):
        return True
    words = words_of(thing)
    return bool(words) and len(words & words_of(entry.look.question)) >= _SAME_WORDS * len(words)


def _as_drafted(run: Run, edge: Edge, entries: Sequence[Entry]) -> Edge:
    """Leave an edge where the planner drafted it, well inside of what was seen, if both frames next to it were shown.

    What an observer was asked may be more than the place, such as a movement that only ends in it.
    """
    if (edge.inside_s - edge.drafted_s) * edge.onward < _MEANT * run.video.info.frame_s:
        return edge
    start_s = max(0.0, edge.drafted_s - _BACK_S)
    before = [float(t) for t in run.video.frame_times(start_s, edge.drafted_s - SAME_S)][-1:]
    after = [float(t) for t in run.video.frame_times(edge.drafted_s - SAME_S, edge.drafted_s + SAME_S)]
    beside = [*before, *after[:1]]
    if len(beside) < 2 or not all(any(entry.shows(t) for entry in entries) for t in beside):
        return edge
    inside_s, outside_s = beside if edge.side == "end" else reversed(beside)
    return dataclasses.replace(edge, inside_s=inside_s, outside_s=outside_s, first=(inside_s, outside_s))


def _is_overview(entry: Entry) -> bool:
    return entry.look.tool == "overview" and not entry.look.question


def _opened_together(run: Run, *edges: Edge) -> list[Edge]:
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
    if about is None and look_question is not None:
        return f"{look_question[:_LONGEST_CLAIM]} {_ENDING}"
    return _asked(_WHEN.sub("", about or claims[0].text))


def _asked(thing: str) -> str:
    return f"In which of these frames is this to be seen: {thing.strip(' .,;:')[:_LONGEST_CLAIM]}? {_ENDING}"


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


def _read(run: Run, known: Refining, entries: Sequence[Entry]) -> Refining:
    """Process the looks of the last round; if the observer contradicts itself, a place is left as it is."""
    by_id = {entry.id: entry for entry in entries}
    edges = [
        edge if edge.looking is None else _after(run, edge, by_id.get(edge.looking)) for edge in known.edges
    ]
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


def _after(run: Run, edge: Edge, entry: Entry | None) -> Edge:
    frames = None if entry is None else read_frames(entry)
    own = None if frames is None else between(edge, frames)
    return narrowed(edge, own, every=own is not None and len(own) > _gap(run, edge))


def _next(progress: Progress, run: Run, known: Refining) -> tuple[Refining, list[ProposedLook]]:
    """Mark the edges that are known by now, and return further looks at the others, as far as the budget goes."""
    gaps = {number: _gap(run, edge) for number, edge in enumerate(known.edges) if edge.standing == "open"}
    edges = [
        dataclasses.replace(edge, standing=_standing_of(edge, gaps[number])) if number in gaps else edge
        for number, edge in enumerate(known.edges)
    ]
    wide = {number: max(gap, 1) for number, gap in gaps.items() if edges[number].standing == "open"}
    shared = _shared_looks(run, dataclasses.replace(known, edges=tuple(edges)), wide)
    looks = []
    for entry, look in zip(progress.next_entries(len(shared)), shared, strict=True):
        for number in look.edges:
            edges[number] = dataclasses.replace(edges[number], looking=entry)
        looks.append(frames_look(sorted(look.times), look.question))
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


@dataclass
class _SharedLook:
    """A look at the gaps of several edges with the same question."""

    question: str
    edges: list[int] = field(default_factory=list)
    times: set[float] = field(default_factory=set)


def _shared_looks(run: Run, known: Refining, gaps: Mapping[int, int]) -> list[_SharedLook]:
    """Return looks at edges, as far as a share of what is left goes; edges with the fewest looks come first."""
    spare, profile, most = run.meter.allowance(keep=known.floors), run.client.profile, run.caps.frames
    whole = sum(gap + 1 for gap in gaps.values()) <= most  # one look closes them all
    each = most if whole else min(most, max(_LEAST_SHARED, most // max(1, len(gaps))))
    left = MOST_LOOKS - len({name for edge in known.edges for name in edge.looks})
    looks: list[_SharedLook] = []
    for done, number in enumerate(sorted(gaps, key=lambda number: len(known.edges[number].looks))):
        edge, gap = known.edges[number], gaps[number]
        marks = _marks(run, edge)
        wanted = min(each, frames_wanted(gap, each) + 3 * len(marks))
        frames = int(min(wanted, spare.amounts["frames"] // (len(gaps) - done)))
        if frames < min(gap + 1, _LEAST):
            continue
        times, question = set(_times(run, edge, frames, marks)), known.questions[str(edge.place)]
        fits = (one for one in looks if one.question == question and len(one.times | times) <= most)
        look = next(fits, None)
        needs: dict[BudgetName, float] = {
            "frames": len(times),
            "model_calls": 0 if look else 1,
            "prompt_tokens": len(times) * profile.frame_tokens + (0 if look else _PROMPT_TOKENS),
            "completion_tokens": 0 if look else profile.completion_tokens.get("look", 0),
        }
        if not spare.covers(needs) or (look is None and len(looks) >= left):
            continue
        if look is None:
            looks.append(look := _SharedLook(question))
        look.edges.append(number)
        look.times |= times
        spare = spare.less(needs)
    return looks


def _marks(run: Run, edge: Edge) -> list[float]:
    """Return the times at which an edge is likely: the drafted one, and the cuts that are nearest to it."""
    low_s, high_s = sorted((edge.inside_s, edge.beyond_s))
    cuts = run.index.known_cuts()
    within = sorted((cut for cut in cuts if low_s < cut <= high_s), key=lambda cut: abs(cut - edge.drafted_s))
    drafted = [edge.drafted_s] if low_s < edge.drafted_s <= high_s else []
    return list(dict.fromkeys([*drafted, *within[:_MOST_CUTS]]))


def _times(run: Run, edge: Edge, frames: int, marks: Sequence[float]) -> list[float]:
    """Return the times of so many frames from one side of an edge to the other."""
    low_s, high_s = sorted((edge.inside_s, edge.beyond_s))
    if high_s - low_s <= _LISTED_S or edge.stalled:
        known = run.video.frame_times(max(0.0, low_s - SAME_S), high_s + SAME_S)
        return frames_to_show([float(t) for t in known], frames, marks)
    near = [
        float(t)
        for mark_s in marks[: (frames - 2) // 2]
        for t in run.video.frame_times(max(low_s, mark_s - _BACK_S), mark_s + SAME_S)[-2:]
    ]
    return sorted({*near, *np.linspace(low_s, high_s, frames - len(near)).tolist()})
