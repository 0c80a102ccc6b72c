"""Tools over small drawn clips, with a counter in place of the frame budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import StructuredTool

from tests.media.make import CLIPS
from vidagent.errors import BudgetSpent
from vidagent.graphs.looking import run_tool
from vidagent.images.store import FrameStore
from vidagent.tools import Caps, Desk, Look, make_tools
from vidagent.video.cache import VideoCache
from vidagent.video.index import Index
from vidagent.video.video import Video


class Bench:
    """The tools over one video.

    Attributes:
        left: Frames that the budget still allows.
    """

    def __init__(self, video: Video, folder: Path, caps: Caps) -> None:
        self.left = 10_000
        self.video, self.store = video, FrameStore(folder / "frames")
        self.index = Index(video, VideoCache(folder / "cache"))
        self.desk = Desk(video, self.index, self.store, caps, self.grant)

    def grant(self, wanted: int) -> int:
        if wanted and not self.left:
            raise BudgetSpent("frames")
        granted = min(wanted, self.left)
        self.left -= granted
        return granted

    @property
    def tools(self) -> dict[str, StructuredTool]:
        return make_tools(self.desk)

    def use(self, tool: str, **args: Any) -> Any:
        """Use a tool as the graph does."""
        return run_tool(self.tools[tool], args)

    def times(self, look: Look) -> list[float]:
        return [round(still.time_s, 3) for still in look.stills]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the clips made so far."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def bench(clips: Path, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Return the function that lays the tools over a clip of `CLIPS`, or a video of one's own."""
    opened: list[Video] = []

    def lay(kind: str = "h264", path: Path | None = None, **caps: int) -> Bench:
        if path is None:
            found = [*clips.glob(f"{kind}.made")]
            path = Path(found[0].read_text()) if found else CLIPS[kind](clips).path
            (clips / f"{kind}.made").write_text(str(path))
        opened.append(Video.open(path))
        return Bench(opened[-1], tmp_path, Caps(**caps))

    yield lay
    for video in opened:
        video.close()
