"""`vidagent probe`: what the container says of a video, and what is known of it already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidagent.serve.terminal import printing
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.api import Probe


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
        turned = f", turned {info.rotation_deg}° by the player" if info.rotation_deg else ""
        yield "picture", f"{info.width}x{info.height} {info.codec}{turned}"
        yield "keyframes", f"{self.found.keyframes:,}"
        yield "shots", "not known yet (vidagent index finds them)" if shots is None else f"{len(shots):,}"
        yield "sound", info.audio or "none"
        yield "subtitles", ", ".join(info.subtitles) or "none"
        yield "container", info.container
        yield "sha256", info.sha256
