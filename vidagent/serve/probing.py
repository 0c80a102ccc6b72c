"""`vidagent probe`: what the container says of a video, and what is known of it already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vidagent import config
from vidagent.serve import printing
from vidagent.types import VideoInfo
from vidagent.video.cache import VideoCache
from vidagent.video.clock import format_time
from vidagent.video.index import Index
from vidagent.video.video import Video

__all__ = ["Probed", "probe_file"]


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe tells.

    Args:
        info: What the container says.
        keyframes: Number of keyframes.
        shots_s: Times of the shots' first frames, or None before the index holds them.
    """

    info: VideoInfo
    keyframes: int
    shots_s: tuple[float, ...] | None

    def to_dict(self) -> dict[str, Any]:
        """Return the contract's `video` object, and what else is known."""
        return {
            **self.info.to_dict(),
            "codec": self.info.codec,
            "container": self.info.container,
            "audio": self.info.audio,
            "rotation_deg": self.info.rotation_deg,
            "subtitles": list(self.info.subtitles),
            "frames": self.info.frame_count,
            "keyframes": self.keyframes,
            "shots": None if self.shots_s is None else list(self.shots_s),
        }

    def lines(self) -> list[str]:
        """Say it to people."""
        return printing.aligned(self._rows())

    def _rows(self) -> Iterator[tuple[str, str]]:
        info = self.info
        yield "file", info.path
        yield "duration", format_time(info.duration_s)
        frames = f", {info.frame_count:,} frames" if info.frame_count else ""
        yield "rate", f"{float(info.fps):.5g} fps ({info.fps.numerator}/{info.fps.denominator}){frames}"
        turned = f", turned {info.rotation_deg}° by the player" if info.rotation_deg else ""
        yield "picture", f"{info.width}x{info.height} {info.codec}{turned}"
        yield "keyframes", f"{self.keyframes:,}"
        shots = self.shots_s
        yield "shots", "not known yet (vidagent index finds them)" if shots is None else f"{len(shots):,}"
        yield "sound", info.audio or "none"
        yield "subtitles", ", ".join(info.subtitles) or "none"
        yield "container", info.container
        yield "sha256", info.sha256


def probe_file(path: str) -> Probed:
    """Probe a video without decoding it.

    Raises:
        VideoError: If it cannot be read.
    """
    settings = config.load()
    with Video.open(path, decoder=settings.decoder) as video:
        index = Index(video, VideoCache(settings.cache_dir))
        shots = (0.0, *index.scan().cuts_s) if index.scanned() else None
        return Probed(video.info, index.keyframes(), shots)
