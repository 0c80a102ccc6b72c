"""Dry run: estimate what a question would look at and cost at most, without decoding or calling a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vidagent.graphs.state import Run
from vidagent.types import VideoInfo
from vidagent.video.clock import format_time

_USUAL_LOOKS = 5


@dataclass(frozen=True, slots=True)
class DryRun:
    """The plan and cost estimate for one video.

    Args:
        video: The video.
        model: The model that would answer.
        overview_frames: Frames of the first look over the whole video.
        spacing_s: Seconds between two of them.
        frames_per_look: Most frames of each further look.
        frames: Frames of a usual run, within the frame budget.
        prompt_tokens: Prompt tokens of those frames by the model's profile; 0 for the embedded model.
        scan: Whether a search would first have to decode the whole video once at small size.
        notes: Differences from the request.
    """

    video: VideoInfo
    model: str
    overview_frames: int
    spacing_s: float
    frames_per_look: int
    frames: int
    prompt_tokens: int
    scan: bool
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "video": self.video.to_dict(),
            "model": self.model,
            "overview_frames": self.overview_frames,
            "spacing_s": round(self.spacing_s, 3),
            "frames_per_look": self.frames_per_look,
            "frames": self.frames,
            "prompt_tokens": self.prompt_tokens,
            "scan": self.scan,
            "notes": list(self.notes),
        }

    def named(self, paths: Sequence[str]) -> DryRun:
        """Return it with another path of its video, such as the address of which that is a copy."""
        (path,) = paths
        return replace(self, video=replace(self.video, path=path))

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.video.path}: {format_time(self.video.duration_s)}, model {self.model}"
        yield (
            f"first look: {self.overview_frames} frames, one every {self.spacing_s:.2f} s; "
            f"then looks of up to {self.frames_per_look} frames"
        )
        tokens = f", about {self.prompt_tokens:,} prompt tokens" if self.prompt_tokens else ""
        yield f"a usual run sends up to {self.frames} frames{tokens}"
        if self.scan:
            yield "a search would first decode the whole video once at small size, and keep what it finds"
        yield from (f"note: {note}" for note in self.notes)


@dataclass(frozen=True, slots=True)
class DryRuns:
    """Estimates for several videos, looked at in turn.

    Args:
        runs: The estimate for each video, as if it were the only one.
        most_frames: Most frames that may be sent across all of them.
    """

    runs: tuple[DryRun, ...]
    most_frames: int | None

    @property
    def frames(self) -> int:
        """Frames of a usual run, within the frame budget."""
        frames = sum(run.frames for run in self.runs)
        return frames if self.most_frames is None else min(frames, self.most_frames)

    @property
    def prompt_tokens(self) -> int:
        """Prompt tokens of those frames by the model's profile."""
        each = sum(run.frames for run in self.runs)
        return round(sum(run.prompt_tokens for run in self.runs) * self.frames / each) if each else 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "videos": [run.to_dict() for run in self.runs],
            "model": self.runs[0].model,
            "frames": self.frames,
            "prompt_tokens": self.prompt_tokens,
        }

    def named(self, paths: Sequence[str]) -> DryRuns:
        """Return it with other paths of its videos."""
        runs = tuple(run.named([path]) for run, path in zip(self.runs, paths, strict=True))
        return replace(self, runs=runs)

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        tokens = f", about {self.prompt_tokens:,} prompt tokens" if self.prompt_tokens else ""
        whole = f"all {len(self.runs)} videos together: up to {self.frames} frames{tokens}"
        return [*(line for run in self.runs for line in run.lines()), whole]


def forecast(run: Run, notes: tuple[str, ...] = ()) -> DryRun:
    """Estimate the cost of a question about this video, from the container's header alone."""
    info, caps, profile = run.video.info, run.caps, run.client.profile
    whole = max(1, round(info.duration_s * float(info.fps)))
    overview = min(caps.overview_frames, whole)
    usual = overview + min(_USUAL_LOOKS * caps.frames, whole)
    frames = usual if run.budget.frames is None else min(usual, run.budget.frames)
    return DryRun(
        video=info,
        model=run.client.name,
        overview_frames=overview,
        spacing_s=info.duration_s / overview,
        frames_per_look=caps.frames,
        frames=frames,
        prompt_tokens=frames * profile.frame_tokens,
        scan=not run.index.scanned(),
        notes=notes,
    )
