"""Intervals in which something is shown: a coarse look, the likeliest moments, then each edge to one frame.

An edge lies between a frame without and a frame with the thing. Each look samples the gap with eight frames and
shrinks it about nine times: from minutes to one frame in three or four looks. An edge is exact once a look has shown
every frame of the gap; frame times are never computed from the frame rate.

Movement and stillness are seen in pairs: a sighting describes the step from the previous frame of the same look.
So the first frame of a look says nothing, and of two looks at a frame the one with the shorter step is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from vidagent.agents.signals.planning.earlier_looks import Past, Result

SeenBy = Literal["frame", "step", "calm"]
"""How a thing is seen: in a frame, in a step between two frames, or as a step without change."""

FRAMES_A_LOOK = 8
_HOP_S = 1.0
_ROUNDING_S = 1.5e-3
"""Times are reported to the millisecond."""


@dataclass(frozen=True, slots=True)
class Window:
    """A range to look at and its frame rate; None for every frame, or as many as one look shows."""

    start_s: float
    end_s: float
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A run of frames that show the thing.

    Args:
        first_s: Time of the first frame that shows it.
        last_s: Time of the last one.
        before_s: Time of the frame without it before the first; None if the video begins with it.
        after_s: Time of the frame without it after the last; None if the video ends with it.
        step_s: Length of the step that ends at `first_s`, if it is seen in steps; else 0.
        looks: Ids of the looks that saw it.
        start_s: Where it begins, if that is known better than by the frames looked at.
    """

    first_s: float
    last_s: float
    before_s: float | None
    after_s: float | None
    step_s: float
    looks: tuple[str, ...]
    start_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """Whether a frame shows the thing, the look, the step from its previous frame, and if every frame was seen."""

    hit: bool
    look: str
    step_s: float
    sharp: bool


def runs_of(
    results: Iterable[Result], flicker_s: float = 0.0, *, text: str | None = None, in_pairs: bool = False
) -> list[Found]:
    """Merge the sightings of all looks into runs, ordered by time.

    Args:
        results: The looks.
        flicker_s: A gap shorter than this does not split a run.
        text: Use only sightings with this text.
        in_pairs: Whether a sighting describes the step from the previous frame.
    """
    seen = _seen(results, text=text, in_pairs=in_pairs)
    times = sorted(seen)
    runs: list[list[int]] = []
    for place, time_s in enumerate(times):
        if not seen[time_s].hit:
            continue
        joined = runs and (runs[-1][1] == place - 1 or time_s - times[runs[-1][1]] < flicker_s)
        if joined:
            runs[-1][1] = place
        else:
            runs.append([place, place])
    return [_run(times, first, last, seen) for first, last in runs]


def _seen(results: Iterable[Result], *, text: str | None, in_pairs: bool) -> dict[float, _Seen]:
    seen: dict[float, _Seen] = {}
    for result in results:
        hits = {round(line.time_s, 3) for line in result.lines if text is None or line.text == text}
        times, sharp = sorted(result.times_s), bool(result.told.get("every_frame"))
        steps = [time_s - before_s for before_s, time_s in pairwise(times)]
        judged = zip(times[1:], steps, strict=True) if in_pairs else ((time_s, 0.0) for time_s in times)
        for time_s, step_s in judged:
            now, known = _Seen(round(time_s, 3) in hits, result.id, step_s, sharp), seen.get(time_s)
            if known is None or _better(now, known):
                seen[time_s] = now
    return seen


def _better(now: _Seen, known: _Seen) -> bool:
    """Return whether `now` is more reliable than `known`: a shorter step, else a look that saw the thing."""
    if abs(now.step_s - known.step_s) > 1e-3:
        return now.step_s < known.step_s
    return (now.hit, now.sharp) > (known.hit, known.sharp)


def _run(times: Sequence[float], first: int, last: int, seen: dict[float, _Seen]) -> Found:
    looks = {seen[t].look for t in times[first : last + 1] if seen[t].hit}
    return Found(
        first_s=times[first],
        last_s=times[last],
        before_s=times[first - 1] if first else None,
        after_s=times[last + 1] if last + 1 < len(times) else None,
        step_s=seen[times[first]].step_s,
        looks=tuple(sorted(looks, key=lambda entry: int(entry[1:] or 0))),
    )


def edges_to_look_at(
    run: Found, results: Sequence[Result], past: Past, by: SeenBy = "frame", flicker_s: float = 0.0
) -> list[Window]:
    """Return the windows that refine the edges of a run; none if both are known to the frame.

    Args:
        run: The run.
        results: The looks so far.
        past: The video's length and frame time.
        by: How it is seen.
        flicker_s: A gap shorter than this is no edge, so at least as much beyond an edge must be checked.
    """
    if by != "frame":
        return _coarse_steps(run, results, past, by)
    hop_s = max(_HOP_S, 2 * (run.last_s - run.first_s))
    end_s = past.duration_s if run.after_s is None else run.after_s
    edges = [(run.first_s, run.before_s or 0.0), (run.last_s, end_s)]
    windows = (_edge(shown_s, gone_s, hop_s, flicker_s, results, past) for shown_s, gone_s in edges)
    return [window for window in windows if window is not None]


def _edge(
    shown_s: float, gone_s: float, hop_s: float, flicker_s: float, results: Sequence[Result], past: Past
) -> Window | None:
    """Return the window between a frame that shows the thing and one that does not, else just beyond the latter.

    For a long gap it is the part next to the frame that shows it, `hop_s` long, or longer where that has been seen.
    """
    way = 1 if gone_s > shown_s else -1
    gap_s = abs(gone_s - shown_s)
    near_s = min(max(0.0, shown_s + way * flicker_s), past.duration_s)
    if gap_s > 0 and not _sharp(shown_s, gone_s, results):
        while gap_s > 2 * hop_s and _sharp(shown_s, shown_s + way * hop_s, results):
            hop_s *= 2
        far_s = shown_s + way * hop_s if gap_s > 2 * hop_s else gone_s
        return _window(shown_s, far_s, results, past)
    if way * (near_s - gone_s) > 0 and not _sharp(gone_s, near_s, results):
        return Window(round(min(shown_s, near_s), 3), round(max(shown_s, near_s), 3))
    return None


def _coarse_steps(run: Found, results: Sequence[Result], past: Past, by: SeenBy) -> list[Window]:
    """Return the steps longer than a frame that may contain an edge.

    Movement begins in the first step that moved and ends in the last one; stillness begins in the step before the
    first still one and ends in the one after the last.
    """
    seen = _seen(results, text=None, in_pairs=True)
    inner, outer = (run.first_s, run.last_s), (run.before_s, run.after_s)
    ends = outer if by == "calm" else (*inner, run.after_s if seen[run.last_s].sharp else None)
    windows = [
        _pair_window(time_s - seen[time_s].step_s, time_s, past)
        for time_s in dict.fromkeys(ends)
        if time_s is not None and not seen[time_s].sharp
    ]
    if run.after_s is None and past.duration_s - run.last_s > 1.5 * past.frame_s:
        windows.append(_pair_window(run.last_s, past.duration_s, past))
    return windows


def _pair_window(low: float, high: float, past: Past) -> Window:
    """Return the window from the frame at `low` to the one at `high`, both included."""
    return Window(round(low, 3), round(min(past.duration_s, high + past.frame_s / 2), 3))


def _sharp(one_s: float, other_s: float, results: Sequence[Result]) -> bool:
    """Return whether some look has shown every frame between two frames."""
    low, high = min(one_s, other_s), max(one_s, other_s)
    return any(
        result.told.get("every_frame")
        and result.told["start_s"] <= low + _ROUNDING_S
        and result.told["end_s"] >= high - _ROUNDING_S
        for result in results
    )


def _window(one_s: float, other_s: float, results: Sequence[Result], past: Past) -> Window:
    """Sample a gap with eight frames; use every frame if there are few, or if the gap was already sampled."""
    low, high = round(min(one_s, other_s), 3), round(max(one_s, other_s), 3)
    looked = any(
        abs(result.told["start_s"] - low) < _ROUNDING_S and abs(result.told["end_s"] - high) < _ROUNDING_S
        for result in results
    )
    one_tool = not (past.has("clip") and past.has("resample"))
    if looked or one_tool or (high - low) / past.frame_s <= FRAMES_A_LOOK + 2:
        return Window(low, high)
    return Window(low, high, round(FRAMES_A_LOOK / (high - low), 4))
