"""How the questions of a batch are answered: what every line has in common, and workers elsewhere need to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vidagent.config import Settings
from vidagent.errors import UsageError
from vidagent.serve.batch.input_file import Item
from vidagent.video.sampling import SingleFrame

Mode = Literal["agent", "direct"]


@dataclass(frozen=True, slots=True)
class Setup:
    """What all lines have in common.

    Args:
        settings: The model, its key, the decoder, the cache, and what a question may cost whose line does not say it.
        base_urls: The servers, all of one model; none leaves it to the settings.
        root: The folder that paths of the input are relative to.
        mode: Who answers questions about videos; None is the agent, but of lines that say how many frames.
        num_frames: Frames of a direct question whose line does not say it.
        single_frame: The one frame of a direct question whose line does not say it.
        concurrency: Most lines under way at once.
        calls: Most calls of the model under way at once.

    Raises:
        UsageError: If a number is not positive, or frames are given for the agent.
    """

    settings: Settings
    base_urls: tuple[str, ...] = ()
    root: Path | None = None
    mode: Mode | None = None
    num_frames: int | None = None
    single_frame: SingleFrame | None = None
    concurrency: int = 8
    calls: int = 16

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        for name, value in (
            ("--concurrency", self.concurrency),
            ("--calls", self.calls),
            ("--num-frames", self.num_frames),
        ):
            if value is not None and value < 1:
                raise UsageError(f"{name} must be 1 or more, got {value}")
        if self.single_frame not in {None, *get_args(SingleFrame)}:
            legal = ", ".join(get_args(SingleFrame))
            raise UsageError(f"--splice-single-frame is one of {legal}; got {self.single_frame!r}")
        if self.mode == "agent" and (self.num_frames or self.single_frame):
            raise UsageError(
                "--num-frames and --splice-single-frame choose the frames of one direct call; the agent chooses its "
                "own: leave out --mode agent, or bound it with --budget-frames"
            )

    def path(self, item: Item) -> Path:
        """Return where the file of a line lies."""
        return (self.root or Path()) / item.media

    def is_direct(self, item: Item) -> bool:
        """Tell whether a question about a video is one call with frames chosen beforehand."""
        if self.mode is not None and not (item.num_frames or item.splice_single_frame):
            return self.mode == "direct"
        chosen = (self.num_frames, self.single_frame, item.num_frames, item.splice_single_frame)
        return any(one is not None for one in chosen)
