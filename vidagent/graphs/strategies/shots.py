"""Looks shot by shot, for answers in parts: each shot, or each group of alike ones, is seen and described once.

If the overview that the planner sees shows every shot already, in short steps, there are no looks.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidagent.agents.prompting.replies import Observation, Scene
from vidagent.errors import VideoError
from vidagent.graphs.evidence.ledger import SAME_FRAME_S
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run
from vidagent.graphs.strategies.gaps import frame_times, range_of
from vidagent.graphs.strategies.strategy import Proposal, Strategy, allowance, frames_look, may_resample
from vidagent.images.resize import fit
from vidagent.text import counted

_MOST_LOOKS = 8
"""Most looks, done in parallel."""
_STEP_S = 4.0
"""Time between the frames of a long shot, if so many looks are enough for it."""
_FINE_S = 1.0
"""If the overview's frames are no further apart, and each shot has one, it is enough; as far as a few looks go, these
come so near, too."""
_FEW_LOOKS = 2
_SHARE = 2
"""The looks take at most half of what is left of a budget."""
_LOOK_TOKENS = 1000
"""Approximate prompt tokens of a look beside its pictures."""
_SCAN_RATE = 20.0
"""A budget of seconds allows a scan if it is no shorter than the video at this many times its speed."""
_NEIGHBOURS = 2
"""How many shots on each side of a cut are compared, so that shots that take turns count as alike."""
_NEAR_S = 0.25
"""A frame this near to a moment shows it."""
_UNSEEN_S = 1.0
"""If a scene lasts longer than this after its last frame, until a cut, the planner is told."""
_SMALL_PX = 32

Shot = tuple[float, float]
Small = NDArray[np.float32]


class Shots(Strategy):
    """Looks at each group of shots once, if the answer is told in parts."""

    name = "shots"
    optional = True
    describes = True

    def propose(self, progress: Progress, run: Run) -> Proposal:
        """Return the looks, once, before the planner's first turn."""
        if not progress.in_parts or progress.kind == "speech" or progress.proposed_by(self.name):
            return Proposal()
        if not may_resample(run) or progress.follows or not _may_scan(run):
            return Proposal()
        looks, frames = _reach(run)
        start_s, end_s = range_of(progress, run)
        shots = shots_of(run.index.scan().cuts_s, start_s, end_s)
        seen = sorted(frame_times(progress.entries, start_s, end_s))
        moments = _moments(run, start_s, end_s, frames)
        missed = [time_s for time_s in moments if not _is_near(time_s, seen)]
        if not looks or (_is_seen(shots, seen) and not missed):
            return Proposal()
        if _is_seen(shots, seen):
            line = f"looking at {counted(len(missed), 'moment')} between the frames of the overview"
            return Proposal([frames_look(missed, "")], line)
        length_s = end_s - start_s
        fine = min(_FEW_LOOKS * frames, round(length_s / _FINE_S))
        most = min(looks * frames, max(2 * len(shots), round(length_s / _STEP_S), fine))
        if len(shots) > most:
            shots = joined(shots, _pictures(run, shots), most)
        times = with_moments(shots, spread(shots, most, run.video.info.frame_s), moments)
        packed = list(in_looks(times, looks, frames))
        line = f"describing {counted(len(shots), 'shot')} in {counted(len(packed), 'look')}"
        return Proposal([frames_look(times, "") for times in packed], line)


def shots_of(cuts_s: Sequence[float], start_s: float, end_s: float) -> list[Shot]:
    """Return the shots of a range."""
    return list(pairwise([start_s, *(cut for cut in cuts_s if start_s < cut < end_s), end_s]))


def joined(shots: Sequence[Shot], pictures: Sequence[Small], most: int) -> list[Shot]:
    """Join neighbouring shots until so many groups remain, those that look most alike first.

    Across a cut the most similar pair of the nearest shots counts, so that shots that take turns are one group.
    """
    if not pictures:  # without pictures, the shortest steps between cuts go first
        breaks = [after[0] - before[0] for before, after in pairwise(shots)]
    else:
        breaks = [_difference(pictures, cut) for cut in range(1, len(shots))]
    kept = sorted(sorted(range(1, len(shots)), key=lambda cut: -breaks[cut - 1])[: most - 1])
    return [(shots[first][0], shots[after - 1][1]) for first, after in pairwise([0, *kept, len(shots)])]


def spread(shots: Sequence[Shot], most: int, frame_s: float) -> list[list[float]]:
    """Return the times of frames of each shot: one in each, and the others where shots are long."""
    spare = max(0, most - len(shots))
    whole_s = sum(end_s - start_s for start_s, end_s in shots) or 1.0
    found = []
    for start_s, end_s in shots:
        length_s = end_s - start_s
        number = 1 + min(math.floor(spare * length_s / whole_s), max(0, round(length_s / frame_s) - 1))
        found.append([start_s + (place + 0.5) * length_s / number for place in range(number)])
    return found


def with_moments(
    shots: Sequence[Shot], times: Sequence[list[float]], moments: Sequence[float]
) -> list[list[float]]:
    """Add the moments of each shot to its frames, except where one is near."""
    return [
        sorted(
            [*own, *(t for t in moments if start_s <= t < end_s and not _is_near(t, own))],
        )
        for (start_s, end_s), own in zip(shots, times, strict=True)
    ]


def in_looks(times: Sequence[Sequence[float]], looks: int, frames: int) -> Iterator[list[float]]:
    """Yield the frames of each look: whole shots together as far as they fit, looks of about equal size."""
    number = sum(map(len, times))
    size = min(frames, math.ceil(number / max(1, min(looks, math.ceil(number / frames)))))
    look: list[float] = []
    for one in times:
        for time_s in one:
            if len(look) == frames or (
                time_s == one[0] and look and len(look) + len(one) > size + len(one) / 2
            ):
                yield look
                look = []
            look.append(time_s)
    if look:
        yield look


def told(
    scenes: Sequence[Scene],
    shown_s: Sequence[float],
    cuts_s: Sequence[float],
    duration_s: float,
    frame_s: float,
    others_s: Sequence[float] = (),
) -> Observation:
    """Return what a look described, each scene from cut to cut where a cut lies between it and its neighbours.

    The first and the last scene of a shot of which another look shows the rest end at the frames shown, the last frame
    included. The last frame shown of a scene is told where it gives way to the next between two frames of one shot, and
    where it lasts longer than that to the cut.

    Args:
        scenes: The scenes.
        shown_s: Times of the frames shown.
        cuts_s: The video's cuts.
        duration_s: The video's length.
        frame_s: How long a frame is on screen.
        others_s: Times of the frames that the other looks show.
    """
    scenes = sorted(scenes, key=lambda scene: scene.start_s)
    first_s = min(scenes[0].start_s, shown_s[0])
    last_s = max(scenes[-1].end_s, shown_s[-1])
    before_s, after_s = [t for t in others_s if t < first_s], [t for t in others_s if t > last_s]
    lines = []
    for place, scene in enumerate(scenes):
        if place:
            start_s = _begins(scene.start_s, scenes[place - 1].end_s, cuts_s)
        else:
            start_s = _bound(_begins(first_s, None, cuts_s), first_s, shown_s, cuts_s, before_s)
        if place + 1 < len(scenes):
            end_s = _begins(scenes[place + 1].start_s, scene.end_s, cuts_s)
        else:
            ends_s = [*cuts_s, duration_s]
            shot_end_s = ends_s[min(bisect_right(cuts_s, last_s + SAME_FRAME_S), len(cuts_s))]
            end_s = _bound(shot_end_s, last_s, shown_s, cuts_s, after_s)
        end_s = end_s if end_s > start_s else start_s + frame_s
        seen_s = max((t for t in shown_s if start_s <= t < end_s), default=scene.end_s)
        unseen_s = 1.5 * frame_s if place + 1 < len(scenes) and end_s not in cuts_s else _UNSEEN_S
        until = f" (last seen at {seen_s:.3f})" if seen_s < end_s - unseen_s else ""
        lines.append(f"{start_s:.3f}-{end_s:.3f} s{until}: {' '.join(scene.what.split())}")
    return Observation(found=None, what="\n".join(lines))


def _bound(
    cut_s: float,
    frame_s: float,
    shown_s: Sequence[float],
    cuts_s: Sequence[float],
    others_s: Sequence[float],
) -> float:
    """Return the cut at which a shot begins or ends, or the outermost frame shown of it if another look goes on there.

    It does if it shows a frame of the shot there, or if the cut is further from that frame than the frames of the shot
    are from each other.
    """
    shot = bisect_right(cuts_s, frame_s + SAME_FRAME_S)
    if any(bisect_right(cuts_s, time_s + SAME_FRAME_S) == shot for time_s in others_s):
        return frame_s
    own = [time_s for time_s in shown_s if bisect_right(cuts_s, time_s + SAME_FRAME_S) == shot]
    step_s = max((after - before for before, after in pairwise(own)), default=math.inf)
    return cut_s if abs(cut_s - frame_s) <= step_s + SAME_FRAME_S else frame_s


def _begins(first_s: float, before_s: float | None, cuts_s: Sequence[float]) -> float:
    """Return where a scene begins: at the cut before its first frame, if the frame before that is of another scene."""
    place = bisect_right(cuts_s, first_s + SAME_FRAME_S)
    cut_s = cuts_s[place - 1] if place else 0.0
    return cut_s if before_s is None or cut_s > before_s else first_s


def _difference(pictures: Sequence[Small], cut: int) -> float:
    before, after = pictures[max(0, cut - _NEIGHBOURS) : cut], pictures[cut : cut + _NEIGHBOURS]
    return min(float(np.abs(one - other).mean()) for one in before for other in after)


def _pictures(run: Run, shots: Sequence[Shot]) -> list[Small]:
    """Return a small picture of each shot, from a keyframe near its middle; none if they cannot be decoded."""
    middles = [(start_s + end_s) / 2 for start_s, end_s in shots]
    try:
        frames = run.video.frames_at(middles, snap="keyframe", max_side_px=_SMALL_PX)
    except VideoError:
        return []
    return [fit(frame.rgb, _SMALL_PX).astype(np.float32) for frame in frames]


def _moments(run: Run, start_s: float, end_s: float, most: int) -> list[float]:
    """Return the moments of the index at which something comes up; none if they are too many to say anything."""
    moments = sorted(moment.time_s for moment in run.index.scan().moments)
    inside = [time_s for time_s in moments if start_s <= time_s < end_s]
    return inside if len(inside) <= most else []


def _is_near(time_s: float, seen_s: Sequence[float]) -> bool:
    return any(abs(time_s - shown_s) <= _NEAR_S for shown_s in seen_s)


def _is_seen(shots: Sequence[Shot], seen_s: Sequence[float]) -> bool:
    """Tell whether the frames seen show each shot, in short steps."""
    inside = (
        bisect_left(seen_s, end_s - SAME_FRAME_S) > bisect_left(seen_s, start_s - SAME_FRAME_S)
        for start_s, end_s in shots
    )
    bounds = [shots[0][0], *seen_s, shots[-1][1]]
    return all(inside) and max(after - before for before, after in pairwise(bounds)) <= _FINE_S


def _may_scan(run: Run) -> bool:
    """Tell whether the index is there, or may be built within the time left."""
    if run.client.profile.lacks("index"):
        return False
    left_s = run.meter.left("seconds")
    return run.index.scanned() or left_s is None or left_s >= run.video.info.duration_s / _SCAN_RATE


def _reach(run: Run) -> tuple[int, int]:
    """Return how many looks there may be, and how many frames each."""
    profile, frames = run.client.profile, run.caps.frames
    allowed = allowance(run, _SHARE)
    most = min(_MOST_LOOKS * frames, allowed.most_frames(profile.frame_tokens + _LOOK_TOKENS / frames))
    looks = min(math.ceil(most / frames), allowed.most_looks(profile.completion_tokens.get("look", 1)))
    return int(looks), int(min(frames, most))
