"""`vidagent probe`: what the container says of a video, and what is known of it already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidagent.serve.terminal import printing
from vidagent.text import counted
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.api import Probe
    from vidagent.types import VideoInfo


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The result of a probe, as JSON and as lines.

    Args:
        found: What is known of the video.
    """

    found: Probe

    def to_dict(self) -> dict[str, Any]:
        """Return the contract's `video` object, and what else is known."""
        info, shots = self.found.info, self.found.shots_s
        return {
            **info.to_dict(),
            "codec": info.codec,
            "container": info.container,
            "audio": info.audio,
            "rotation_deg": info.rotation_deg,
            "subtitles": list(info.subtitles),
            "frames": info.frame_count,
            "pixel_aspect": f"{info.pixel_aspect.numerator}/{info.pixel_aspect.denominator}",
            "cropped": info.cropped,
            "hdr": info.hdr,
            "interlaced": info.interlaced,
            "stream": info.stream,
            "other_streams": list(info.other_streams),
            "clock_jumps": info.clock_jumps,
            "keyframes": self.found.keyframes,
            "shots": None if shots is None else list(shots),
        }

    def lines(self) -> list[str]:
        """Say it to people."""
        return printing.aligned(self._rows())

    def _rows(self) -> Iterator[tuple[str, str]]:
        info, shots = self.found.info, self.found.shots_s
        yield "file", info.path
        yield "duration", format_time(info.duration_s)
        frames = f", {info.frame_count:,} frames" if info.frame_count else ""
        yield "rate", f"{float(info.fps):.5g} fps ({info.fps.numerator}/{info.fps.denominator}){frames}"
        yield "picture", f"{info.width}x{info.height} {info.codec}{''.join(_changes(info))}"
        if info.other_streams:
            yield "streams", f"{info.stream} is shown; others: {'; '.join(info.other_streams)} (--stream N)"
        if info.clock_jumps:
            yield "clock", f"its time stamps jump {counted(info.clock_jumps, 'time')}; the times here go on"
        yield "keyframes", f"{self.found.keyframes:,}"
        yield "shots", "not known yet (vidagent index finds them)" if shots is None else f"{len(shots):,}"
        yield "sound", info.audio or "none"
        yield "subtitles", ", ".join(info.subtitles) or "none"
        yield "container", info.container
        yield "sha256", info.sha256


def _changes(info: VideoInfo) -> Iterator[str]:
    """Say what is done to the coded pictures to show them."""
    if info.cropped:
        yield ", cropped as its container says"
    if info.pixel_aspect != 1:
        yield f", of pixels {info.pixel_aspect.numerator}:{info.pixel_aspect.denominator}"
    if info.rotation_deg:
        yield f", turned {info.rotation_deg}° by the player"
    if info.interlaced:
        yield ", interlaced (shown from one field)"
    if info.hdr:
        yield f", {info.hdr} (shown in standard range)"
