"""Finding when something is shown: a coarse look, the likeliest moments, then each edge down to a frame.

An edge lies between a frame without and a frame with the thing. The gap is looked at with eight frames at a time,
so each look makes it about nine times smaller: from minutes to one frame in three or four looks. It is known to the
frame once a look has shown every frame in it; frame times are never reckoned from the frame rate.

Movement and stillness are seen in pairs: a sighting speaks of the step from the picture before it in the same look.
So the first picture of a look tells nothing, and of two looks at a frame the one with the shorter step is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from vidagent.agents.signals.planning.earlier_looks import Past, Result

SeenBy = Literal["frame", "step", "calm"]
"""How a thing is seen: in a frame, in a step from one frame to the next, or as a step in which nothing happens."""

FRAMES_A_LOOK = 8
_HOP_S = 1.0
_ROUNDING_S = 1.5e-3
"""Times are told to the millisecond."""


@dataclass(frozen=True, slots=True)
class Window:
    """A range to look at, at a frame rate; None for every frame, or as many as one look shows."""

    start_s: float
    end_s: float
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A run of frames that show the thing.

    Args:
        first_s: Time of the first frame that shows it.
        last_s: Time of the last one.
        before_s: Time of the frame before the first, without it; None if the video begins with it.
        after_s: Time of the frame after the last, without it; None if the video ends with it.
        step_s: Length of the step that `first_s` ends, where it is seen in steps; else 0.
        looks: Ids of the looks that saw it.
    """

    first_s: float
    last_s: float
    before_s: float | None
    after_s: float | None
    step_s: float
    looks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Whether a frame shows the thing, which look says so, the step from its picture before, and if that is a frame."""

    hit: bool
    look: str
    step_s: float
    sharp: bool


def runs_of(
    results: Iterable[Result], flicker_s: float = 0.0, *, text: str | None = None, in_pairs: bool = False
) -> list[Found]:
    """Join what the looks saw, by time, into runs.

    Args:
        results: The looks.
        flicker_s: A gap shorter than this does not split a run.
        text: Take only sightings with this text.
        in_pairs: Whether a sighting speaks of the step from the picture before it.
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
    """Say which of two looks at a frame is right: that with the shorter step, else one that saw the thing."""
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
    """Return the windows that make the edges of a run sharper; none when both are known to the frame.

    Args:
        run: The run.
        results: The looks so far.
        past: The video's length and frame time.
        by: How it is seen.
        flicker_s: A gap shorter than this is no edge, so that nothing may be seen for as long beyond one.
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
    """Return what to look at between a frame that shows the thing and one that does not, else just behind that.

    Of a long gap it is the part next to the frame that shows it: as long as `hop_s`, or longer if no frame is in that.
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
    """Return the steps longer than a frame in which an edge may lie.

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
    """Look from the frame at `low` to that at `high`, both among the pictures."""
    return Window(round(low, 3), round(min(past.duration_s, high + past.frame_s / 2), 3))


def _sharp(one_s: float, other_s: float, results: Sequence[Result]) -> bool:
    """Say whether every frame between two frames has been looked at."""
    low, high = min(one_s, other_s), max(one_s, other_s)
    return any(
        result.told.get("every_frame")
        and result.told["start_s"] <= low + _ROUNDING_S
        and result.told["end_s"] >= high - _ROUNDING_S
        for result in results
    )


def _window(one_s: float, other_s: float, results: Sequence[Result], past: Past) -> Window:
    """Look at a gap with eight frames; with all where these are few, or where those eight have shown nothing new."""
    low, high = round(min(one_s, other_s), 3), round(max(one_s, other_s), 3)
    looked = any(
        abs(result.told["start_s"] - low) < _ROUNDING_S and abs(result.told["end_s"] - high) < _ROUNDING_S
        for result in results
    )
    one_tool = not (past.has("clip") and past.has("resample"))
    if looked or one_tool or (high - low) / past.frame_s <= FRAMES_A_LOOK + 2:
        return Window(low, high)
    return Window(low, high, round(FRAMES_A_LOOK / (high - low), 4))
