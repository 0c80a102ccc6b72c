"""Tools over small drawn clips, with a counter in place of the frame budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import StructuredTool

from tests.media.make import CLIPS
from vidagent.errors import BudgetSpent
from vidagent.graphs.nodes.look import run_tool
from vidagent.images.store import FrameStore
from vidagent.tools import Caps, Look, ToolContext, make_tools
from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index.video_index import Index
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
        self.context = ToolContext(video, self.index, self.store, caps, self.grant)

    def grant(self, wanted: int) -> int:
        if wanted and not self.left:
            raise BudgetSpent("frames")
        granted = min(wanted, self.left)
        self.left -= granted
        return granted

    @property
    def tools(self) -> dict[str, StructuredTool]:
        return make_tools(self.context)

    def use(self, tool: str, **args: Any) -> Any:
        """Use a tool as the graph does."""
        return run_tool(self.tools[tool], args)

    def times(self, look: Look) -> list[float]:
        return [round(still.time_s, 3) for still in look.stills]


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Video]]:
    """Return the function from a name in `CLIPS` to its opened video; each is opened once."""
    folder, videos = tmp_path_factory.mktemp("clips"), dict[str, Video]()

    def open_clip(kind: str) -> Video:
        if kind not in videos:
            videos[kind] = Video.open(CLIPS[kind](folder).path)
        return videos[kind]

    yield open_clip
    for video in videos.values():
        video.close()


@pytest.fixture
def bench(opened: Callable[[str], Video], tmp_path: Path) -> Callable[..., Bench]:
    """Return the function that lays the tools over a clip, or over a video of one's own."""

    def lay(kind: str = "h264", video: Video | None = None, **caps: Any) -> Bench:
        return Bench(video or opened(kind), tmp_path, Caps(**caps))

    return lay
