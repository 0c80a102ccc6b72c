"""How many pictures, and how large, a model is shown at once: from its profile and the caller's request."""

from __future__ import annotations

from vidagent.agents.profiles.schema import Profile
from vidagent.tools import Caps
from vidagent.types import Overview, VideoInfo
from vidagent.video.sampling import sample_indices

MOST_OVERVIEW_FRAMES = 512
"""Most overview frames that `fps` or `num_frames` may request; more are cut to it, with a note."""
_CONTEXT_SHARE = 0.6


def caps_of(profile: Profile, overview: Overview, info: VideoInfo) -> tuple[Caps, str | None]:
    """Return the caps of a run, and a note where its overview differs from the request."""
    frames, note = _overview_frames(profile, overview, info)
    caps = Caps(
        frames=profile.frames_per_call,
        overview_frames=frames,
        side_px=profile.frame_side_px,
        crop_side_px=profile.crop_side_px,
        tiles=max(profile.tiles, Caps.tiles),
        boxes=profile.boxes,
    )
    return caps, note


def _overview_frames(profile: Profile, overview: Overview, info: VideoInfo) -> tuple[int, str | None]:
    if overview == Overview():
        return profile.overview_frames, None
    total = info.frame_count or max(1, round(info.duration_s * float(info.fps)))
    most = MOST_OVERVIEW_FRAMES
    if profile.frame_tokens:
        most = max(1, min(most, int(_CONTEXT_SHARE * profile.context_tokens / profile.frame_tokens)))
    chosen = sample_indices(
        total, info.fps, fps=overview.fps, num_frames=overview.num_frames, max_frames=most
    )
    return len(chosen.indices), chosen.note
