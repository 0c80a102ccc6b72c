"""A full run over a scripted server: every picture in every request is the frame of the time beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vidagent
from tests.graphs.scripts import Script, answer
from tests.media.code import SIZE_WH, draw_code, read_code
from tests.media.make import Clip
from tests.media.truth import Truth, full_decode
from tests.scripted_server import (
    LABEL,
    ScriptedServer,
    block_of,
    frames_shown,
    grids,
    labelled_images,
    parts,
    step_of,
    tool_names,
)
from vidagent.images import jpeg
from vidagent.images.resize import enlarge
from vidagent.images.tiles import crop
from vidagent.tools import NAMES
from vidagent.types import Answer
from vidagent.video.index.activity import Activity
from vidagent.video.index.scan import Moment, Scan
from vidagent.video.index.video_index import Index

pytestmark = pytest.mark.network

KINDS = ["h264", "vfr_mp4", "vfr_mkv", "turned_90", "turned_270", "edit_list"]
KINDS += ["start_10_mp4", "start_100_ts", "late_video_mp4", "mpegts"]
MORE_KINDS = ["h264_mkv", "open_gop", "turned_180", "start_10_mkv", "late_video_mkv", "hevc", "vp9", "av1"]
ASKED = 3.3, 0.111, 6.0
"""Times of the moments that search finds here, on and between frames."""
CHANGES = np.array([0, 0, 9, 0, 0, 5, 0, 0], np.float32)
"""Change in each second here: most in the third, less in the sixth."""
BUSY = 3.0, 2.5, 5.5
"""Ends and middles of these seconds, without 6.0, at which there is a moment."""
LABEL_S = 0.0005
"""Times beside pictures have three decimals."""
NOISE = 12.0
"""Mean difference of grey levels that two lossy codings leave; another frame's code differs by 40 and more."""
CROP = re.compile(r"crop (\d+),(\d+),(\d+),(\d+) px$")
ENLARGED = 4
"""How many times a crop of these small videos is enlarged: the most there is."""
WHOLE = (0, 0, *SIZE_WH)
LEFT = (0, 0, 160, 180)


@dataclass(frozen=True)
class Ran:
    """A run that is over, and all that is known of its video."""

    clip: Clip
    truth: Truth
    bodies: list[dict[str, Any]]
    steps: list[str | None]
    answer: Answer

    def looks(self) -> dict[str, list[float]]:
        """Return the times beside the pictures of each look, by its question."""
        looks = [body for body in self.bodies if step_of(body) == "look"]
        return {block_of(body, "looking_for"): labels(body) for body in looks}

    def at(self, time_s: float) -> float:
        """Return the label of the frame shown at a time."""
        return round(self.truth.times_s[self.truth.at(time_s)], 3)

    def between(self, start_s: float, end_s: float) -> list[float]:
        """Return the labels of all frames in a range."""
        return [round(t, 3) for t in self.truth.times_s if start_s - 1e-6 <= t < end_s - 1e-6]


@pytest.fixture(
    scope="module",
    params=[*KINDS, *(pytest.param(kind, marks=pytest.mark.slow) for kind in MORE_KINDS)],
)
def ran(request: pytest.FixtureRequest, clip, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run once over each kind of clip."""
    video = clip(request.param)
    with ScriptedServer(whole_run()) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(
            Index, "scan", lambda _: Scan(tuple(Moment(1.0, t, WHOLE) for t in ASKED), (), (), True)
        )
        patch.setattr(Index, "activity", lambda _: Activity(1.0, CHANGES))
        found = vidagent.analyze_video(video.path, "Where is the bar?", base_url=server.url, model="scripted")
    return Ran(video, full_decode(video.path), server.bodies, server.steps, found)


def whole_run() -> Script:
    """Use every tool, several at once in two of the turns."""
    return Script(
        [("overview", {"question": "What is shown?"})],
        [
            ("clip", {"start_s": 1, "end_s": 4, "question": "Where is the bar?"}),
            (
                "resample",
                {"start_s": "0:02", "end_s": "0:02.5", "fps": 100, "question": "When does it move?"},
            ),
        ],
        [
            ("crop", {"time_s": "00:00:02.500", "grid": "1x2", "question": "What is in the halves?"}),
            ("crop", {"time_s": 3.3, "box": [0, 0, 500, 1000], "question": "What is on the left?"}),
            ("search", {"query": "a red bar"}),
        ],
        [answer(claims=[{"text": "The bar is at the left.", "ledger": ["L3"], "time_s": 2.3}])],
    )


def boxes(body) -> list[tuple[int, int, int, int]]:
    """Return the part of the frame that each picture of a request is said to show."""
    labels = [part["text"] for part in parts(body) if LABEL.fullmatch(part.get("text", ""))]
    found = [CROP.search(label) for label in labels]
    return [tuple(int(side) for side in match.groups()) if match else WHOLE for match in found]


def wrong_pictures(body, truth: Truth, clip) -> list[str]:
    """Compare each picture of a request with the frame that a full decode shows at the time beside it."""
    wrong = []
    for (time_s, data), box in zip(labelled_images(body), boxes(body), strict=True):
        index = truth.at(time_s + LABEL_S)
        code, rgb = truth.codes[index], jpeg.decode(data)
        wanted = crop(draw_code(code), box)
        if box != WHOLE:
            wanted = enlarge(wanted, ENLARGED * max(wanted.shape[:2]))
        if abs(truth.times_s[index] - time_s) > LABEL_S + 1e-6:
            wrong.append(f"{time_s}: no frame begins then, the nearest at {truth.times_s[index]}")
        if abs(code.millis / 1000 + clip.offset_s - time_s) > clip.tolerance_s + LABEL_S:
            wrong.append(f"{time_s}: its pixels say {code.millis} ms")
        if box == WHOLE and read_code(rgb) != code:
            wrong.append(f"{time_s}: shows frame {read_code(rgb).number}, not {code.number}")
        if rgb.shape != wanted.shape:
            wrong.append(f"{time_s}: {rgb.shape} for {box}")
        elif np.abs(rgb.astype(int) - wanted).mean() > NOISE:
            wrong.append(f"{time_s} {box}: not the pixels of frame {code.number}")
    return wrong


def labels(body) -> list[float]:
    return [time_s for time_s, _ in labelled_images(body)]


def test_every_picture_is_the_frame_of_its_time(ran: Ran):
    assert ran.answer.status == "answered"
    assert sorted(ran.steps) == [*["look"] * 6, *["plan"] * 4, "route", "verify"]
    assert [fault for body in ran.bodies for fault in wrong_pictures(body, ran.truth, ran.clip)] == []
    assert ran.answer.usage.frames_sent == sum(frames_shown(body) for body in ran.bodies) > 180


def test_the_planner_is_shown_the_whole_video_and_all_tools(ran: Ran):
    plans = [body for body in ran.bodies if step_of(body) == "plan"]
    assert [tool_names(body) for body in plans] == [list(NAMES)] * len(plans)
    assert [len(labels(body)) for body in plans] == [32, 0, 0, 0]
    later = [[time_s for times, _ in grids(body) for time_s in times] for body in plans[1:]]
    assert later == [labels(plans[0])] * 3, "the overview comes again as grids of its frames"
    overview = ran.looks()["What is shown?"]
    assert labels(plans[0]) == overview
    assert len(overview) == 32
    assert (overview[0], overview[-1]) == (ran.at(0), ran.at(60))


def test_each_tool_shows_the_frames_asked_for(ran: Ran):
    shown = ran.looks()
    assert shown["When does it move?"] == ran.between(2.0, 2.5)
    assert shown["What is in the halves?"] == [ran.at(2.5)] * 2
    assert shown["What is on the left?"] == [ran.at(3.3)]
    assert shown["a red bar"] == sorted({ran.at(t) for t in (*ASKED, *BUSY)}), "moments, and change"
    known, seen = ran.between(1.0, 4.0), shown["Where is the bar?"]
    if {ran.at(1.0), ran.at(4.0)} == {1.0, 4.0}:  # both bounds are frames, so both are shown
        known.append(4.0)
    assert (seen[0], seen[-1]) == (known[0], known[-1])
    assert len(seen) == min(32, len(known))
    steps = [known.index(after) - known.index(before) for before, after in pairwise(seen)]
    assert max(steps) - min(steps) <= 1


def test_crops_are_cut_from_the_frame_at_full_resolution(ran: Ran):
    looks = {block_of(body, "looking_for"): boxes(body) for body in ran.bodies if step_of(body) == "look"}
    assert looks["What is in the halves?"] == [(0, 0, 176, 180), (144, 0, 320, 180)]
    assert looks["What is on the left?"] == [LEFT]
    assert {box for name, shown in looks.items() if "halves" not in name for box in shown} == {WHOLE, LEFT}


def test_the_frames_of_the_evidence_are_kept(clip, tmp_path: Path):
    video = clip("h264")
    with ScriptedServer(whole_run()) as server:
        found = vidagent.analyze_video(
            video.path, "Where?", base_url=server.url, model="scripted", save_frames=tmp_path / "kept"
        )
    (evidence,) = found.evidence
    assert evidence.verdict == "supported"
    frame = Path(evidence.frame)
    assert frame.parent == tmp_path / "kept"
    assert read_code(jpeg.decode(frame.read_bytes())).millis == round(1000 * evidence.time_s) == 2280
    kept = [path.stem.split("-")[2] for path in (tmp_path / "kept").glob("look-*.jpg")]
    assert sorted(kept) == ["clip", "crop", "crop", "overview", "overview", "resample", "search"]
