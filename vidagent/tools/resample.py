"""The resample tool: a short range at a chosen frame rate, for times exact to a frame."""

from __future__ import annotations

from langchain_core.tools import StructuredTool

from vidagent.tools.arguments import Fps, Question, Seconds
from vidagent.tools.desk import Desk, Window
from vidagent.tools.making import make_tool
from vidagent.tools.result import Look

__all__ = ["make"]


def _times(desk: Desk, window: Window, fps: float, most: int) -> tuple[list[float], float, bool]:
    """Choose frame times at `fps`, slower where `most` does not reach; return them, the rate, and if all."""
    known = desk.frame_times(window)
    if known == []:
        return [window.start_s], fps, False
    length_s = window.end_s - window.start_s
    fps = min(fps, most / length_s)
    if known is not None and len(known) <= most and fps >= 0.99 * len(known) / length_s:
        return known, len(known) / length_s, True
    count = max(1, min(most, round(length_s * fps)))
    return [window.start_s + place / fps for place in range(count)], fps, False


def make(desk: Desk) -> StructuredTool:
    """Make the tool over one video."""

    def resample(start_s: Seconds, end_s: Seconds, fps: Fps, question: Question) -> Look:
        """Look at a short range at a higher frame rate, to tell exactly when something starts or ends.

        At most {frames} frames: over a longer range the rate is lowered, and the result says so. The video has
        {video_fps:.3f} frames a second; at that rate every frame of the range is shown.

        Args:
            start_s: Start of the range in seconds, from 0 to {duration:.3f}.
            end_s: End of the range in seconds, greater than start_s.
            fps: Frames a second, up to {video_fps:.3f}.
            question: What to look for, in one self-contained sentence.
        """
        window = desk.window(start_s, end_s)
        times, used_fps, every_frame = _times(desk, window, fps, desk.grant(desk.caps.frames))
        notes = window.notes
        if not every_frame and used_fps < 0.99 * fps:
            notes = (*notes, f"fps lowered from {fps:g} to {used_fps:.3g} to stay within {len(times)} frames")
        stills = desk.pictures(times)
        return Look(
            "resample", question, window.start_s, window.end_s, stills, used_fps, every_frame, notes=notes
        )

    video_fps = float(desk.video.info.fps)
    return make_tool(resample, frames=desk.caps.frames, video_fps=video_fps, duration=desk.duration_s)
