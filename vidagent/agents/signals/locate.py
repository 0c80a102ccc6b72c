"""Finding when something is shown: a coarse look, the likeliest moments, then each edge down to a frame.

An edge lies between a frame without and a frame with the thing. The gap is looked at with eight frames at a time,
so each look makes it about nine times smaller: from minutes to one frame in three or four looks.

Movement and stillness are seen in pairs: a sighting speaks of the step from the picture before it in the same look.
So the first picture of a look tells nothing, and of two looks at a frame the one with the shorter step is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vidagent.agents.signals.past import Past, Result

__all__ = ["Found", "Window", "edges_to_look_at", "runs_of"]

FRAMES_A_LOOK = 8
_HOP_S = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """A range to look at, at a frame rate."""

    start_s: float
    end_s: float
    fps: float


@dataclass(frozen=True, slots=True)
class Found:
    """A run of frames that show the thing.

    Args:
        first_s: Time of the first frame that shows it.
        last_s: Time of the last one.
        before_s: Time of the frame before the first, without it; None if the video begins with it.
        after_s: Time of the frame after the last, without it; None if the video ends with it.
        looks: Ids of the looks that saw it.
    """

    first_s: float
    last_s: float
    before_s: float | None
    after_s: float | None
    looks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Whether a frame shows the thing, which look says so, and the step from the picture before it."""

    hit: bool
    look: str
    step_s: float


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
        times = sorted(result.times_s)
        steps = [time_s - before_s for before_s, time_s in pairwise(times)]
        judged = zip(times[1:], steps, strict=True) if in_pairs else ((time_s, 0.0) for time_s in times)
        for time_s, step_s in judged:
            now, known = _Seen(round(time_s, 3) in hits, result.id, step_s), seen.get(time_s)
            finer = known is not None and step_s < known.step_s - 1e-3
            if known is None or finer or (now.hit and not known.hit and step_s < known.step_s + 1e-3):
                seen[time_s] = now
    return seen


def _run(times: Sequence[float], first: int, last: int, seen: dict[float, _Seen]) -> Found:
    looks = {seen[t].look for t in times[first : last + 1] if seen[t].hit}
    return Found(
        first_s=times[first],
        last_s=times[last],
        before_s=times[first - 1] if first else None,
        after_s=times[last + 1] if last + 1 < len(times) else None,
        looks=tuple(sorted(looks, key=lambda entry: int(entry[1:] or 0))),
    )


def edges_to_look_at(
    run: Found, results: Sequence[Result], past: Past, *, in_pairs: bool = False
) -> list[Window]:
    """Return the windows that make the edges of a run sharper; none when both are known to the frame."""
    if in_pairs:
        return _coarse_steps(run, results, past)
    hop_s = max(_HOP_S, 2 * (run.last_s - run.first_s))
    windows = []
    start = _gap(run.before_s if run.before_s is not None else 0.0, run.first_s, results, past)
    if start is not None and not _begins(run, past):
        low, high = start
        windows.append(_window(max(low, high - hop_s) if high - low > 2 * hop_s else low, high, past))
    last = past.duration_s
    end = _gap(run.last_s, run.after_s if run.after_s is not None else last, results, past)
    if end is not None:
        low, high = end
        windows.append(_window(low, min(high, low + hop_s) if high - low > 2 * hop_s else high, past))
    return windows


def _coarse_steps(run: Found, results: Sequence[Result], past: Past) -> list[Window]:
    """Return the steps at both edges that are longer than a frame: an edge may lie anywhere inside one."""
    seen = _seen(results, text=None, in_pairs=True)
    ends = [time_s for time_s in (run.before_s, run.first_s, run.last_s, run.after_s) if time_s is not None]
    steps = {time_s: seen[time_s].step_s for time_s in ends}
    windows = [
        _pair_window(time_s - step_s, time_s, past)
        for time_s, step_s in steps.items()
        if step_s > 1.5 * past.frame_s
    ]
    if run.after_s is None and past.duration_s - run.last_s > 1.5 * past.frame_s:
        windows.append(_pair_window(run.last_s, past.duration_s, past))
    return windows


def _pair_window(low: float, high: float, past: Past) -> Window:
    """Look from the frame at `low` to that at `high`, both among the pictures, whatever `fps` the tool can show."""
    start, end = max(0.0, low + past.frame_s / 4), min(past.duration_s, high + 1.5 * past.frame_s)
    return Window(round(start, 4), round(end, 4), round(1 / past.frame_s, 4))


def _begins(run: Found, past: Past) -> bool:
    """Say whether the run starts with the first frame, so that there is nothing before it."""
    return run.before_s is None and run.first_s < past.frame_s


def _gap(low: float, high: float, results: Sequence[Result], past: Past) -> tuple[float, float] | None:
    """Return the open gap between two frames that still hides an edge, or None if no frame lies in it."""
    if high - low <= 1.5 * past.frame_s:
        return None
    for result in results:
        start_s, end_s = result.told["start_s"], result.told["end_s"]
        inside = start_s <= low + past.frame_s * 1.01 and high <= end_s + 1e-3
        if result.told.get("every_frame") and inside:
            return None
    return low, high


def _window(low: float, high: float, past: Past) -> Window:
    start = low + past.frame_s / 2 if low > 0 else 0.0
    frames = (high - start) / past.frame_s
    fps = 1 / past.frame_s if frames <= FRAMES_A_LOOK + 2 else FRAMES_A_LOOK / (high - start)
    return Window(round(start, 4), round(high, 4), round(fps, 4))
