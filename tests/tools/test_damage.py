"""Pictures that the file holds damaged are never shown, and the look says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media.make import STEADY, X264, encode, spoil
from vidagent.errors import ToolError
from vidagent.video.video import Video

ASK = {"question": "What happens?"}
DAMAGED = [round(number / 25, 3) for number in range(60, 96)]
"""From the packet that is spoilt to the next keyframe."""


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Video]:
    folder: Path = tmp_path_factory.mktemp("spoilt")
    encode(folder / "intact.mp4", STEADY[:150], options=X264)
    spoil(folder / "intact.mp4", folder / "spoilt.mp4", 60)
    with Video.open(folder / "spoilt.mp4") as video:
        yield video


def test_a_look_leaves_out_what_is_damaged_and_says_so(bench, spoilt):
    tools = bench(video=spoilt, frames=100)
    look = tools.use("clip", start_s=2, end_s=4, **ASK)
    shown = tools.times(look)
    assert shown == [t for t in (round(n / 25, 3) for n in range(50, 101)) if t not in DAMAGED]
    assert (look.notes, look.every_frame) == (
        ("36 frames damaged in the file, not shown: 2.400-3.800 s",),
        False,
    )
    one = tools.use("resample", start_s=2.32, end_s=2.4, fps=25, **ASK)
    assert (tools.times(one), one.notes) == (
        [2.32, 2.36],
        ("1 frame damaged in the file, not shown: 2.400 s",),
    )
    assert tools.use("clip", start_s=4, end_s=5, **ASK).notes == ()
    seen = tools.use("overview", **ASK)
    assert not set(tools.times(seen)) & set(DAMAGED)
    assert "damaged in the file" in seen.notes[0]


@pytest.mark.parametrize(
    ("tool", "args"), [("clip", {"start_s": 3, "end_s": 3.2}), ("crop", {"time_s": 3, "grid": "1x1"})]
)
def test_where_everything_is_damaged_the_planner_is_sent_elsewhere(bench, spoilt, tool, args):
    with pytest.raises(ToolError, match=r"damaged in the file.*; look at another time"):
        bench(video=spoilt).use(tool, **args, **ASK)
