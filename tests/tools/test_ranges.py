"""clip, resample and overview: the window as it was really looked at, and the frames in it."""

from __future__ import annotations

import pytest

from tests.media.code import read_code
from tests.media.truth import full_decode
from vidagent.errors import BudgetSpent, ToolError
from vidagent.images import jpeg

ASK = {"question": "What happens?"}


def steady(first: int, end: int) -> list[float]:
    """Return the times of frames `first` to `end - 1` at 25 frames a second."""
    return [round(number / 25, 3) for number in range(first, end)]


def test_clip_shows_first_and_last_frame_and_evenly_between(bench):
    tools = bench(frames=5)
    look = tools.use("clip", start_s=1, end_s=2, **ASK)
    assert tools.times(look) == [1.0, 1.24, 1.48, 1.76, 2.0]
    assert (look.tool, look.start_s, look.end_s, look.fps, look.every_frame) == ("clip", 1, 2, 4, False)
    assert (look.question, look.notes) == ("What happens?", ())


def test_clip_of_a_short_range_shows_every_frame(bench):
    tools = bench(frames=32)
    look = tools.use("clip", start_s=1, end_s=2, **ASK)
    assert tools.times(look) == steady(25, 51)
    assert look.every_frame


def test_only_a_range_between_two_frames_includes_the_one_at_its_end(bench):
    tools = bench(frames=32)
    for start_s, end_s in ((1, 1.99), (0.99, 2)):
        assert tools.times(tools.use("clip", start_s=start_s, end_s=end_s, **ASK)) == steady(25, 50)
    tools = bench(frames=4)
    for tool, rate in (("clip", {}), ("resample", {"fps": 4})):
        sparse = tools.use(tool, start_s=1, end_s=1.99, **rate, **ASK)
        assert tools.times(sparse)[0] == 1.0
        assert tools.times(sparse)[-1] < 1.99
        both = tools.use(tool, start_s=1, end_s=2, **rate, **ASK)
        assert tools.times(both)[0::3] == [1.0, 2.0]
        assert (len(both.stills), both.every_frame) == (4, False)


def test_a_window_past_the_end_is_clamped_and_said(bench):
    tools = bench()
    look = tools.use("clip", start_s=7.5, end_s=99, **ASK)
    assert (look.start_s, look.end_s) == (7.5, 8.0)
    assert look.notes == ("end clamped to the end of the video, 8.000 s",)
    assert tools.times(look)[-1] == 7.96


@pytest.mark.parametrize("start", [2, "2", "2.0", "0:02", "00:02.000", "0:00:02"])
def test_times_may_be_written_as_people_do(bench, start):
    tools = bench(frames=2)
    assert tools.times(tools.use("clip", start_s=start, end_s="0:03", **ASK)) == [2.0, 3.0]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"start_s": 3, "end_s": 3}, "end_s must be greater than start_s; got 3 to 3"),
        ({"start_s": 5, "end_s": 3}, "end_s must be greater than start_s; got 5 to 3"),
        ({"start_s": 8, "end_s": 9}, "the video ends at 8.000 s; got a start of 8"),
        ({"start_s": -1, "end_s": 3}, "start_s: Value error, a time must be finite and at least 0 s, got -1"),
        (
            {"start_s": "soon", "end_s": 3},
            "a time must be SS, SS.mmm, MM:SS(.mmm) or HH:MM:SS(.mmm), got 'soon'",
        ),
        ({"start_s": None, "end_s": 3}, "a time must be a number of seconds, such as 75.2, got None"),
        ({"start_s": [1], "end_s": 3}, "a time must be a number of seconds"),
        ({"start_s": True, "end_s": 3}, "a time must be a number of seconds"),
        ({"start_s": float("nan"), "end_s": 3}, "a time must be finite"),
        ({"start_s": 0, "end_s": float("inf")}, "a time must be finite"),
        ({"end_s": 3}, "start_s: Field required"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_legal(bench, args, says):
    with pytest.raises(ToolError) as error:
        bench().use("clip", **args, **ASK)
    assert says in str(error.value)


@pytest.mark.parametrize("question", ["", None, 7])
def test_a_look_needs_a_question(bench, question):
    with pytest.raises(ToolError, match="question"):
        bench().use("clip", start_s=0, end_s=1, question=question)


def test_a_long_question_is_cut(bench):
    assert len(bench(frames=1).use("clip", start_s=0, end_s=1, question="x" * 900).question) == 500


@pytest.mark.parametrize("fps", [25, 25.0, 24.9, 100])
def test_resample_at_the_rate_of_the_video_shows_every_frame(bench, fps):
    tools = bench()
    look = tools.use("resample", start_s=2, end_s=3, fps=fps, **ASK)
    assert tools.times(look) == steady(50, 76)
    assert (look.every_frame, look.fps, look.notes) == (True, 25, ())


def test_resample_at_a_lower_rate(bench):
    tools = bench()
    look = tools.use("resample", start_s=2, end_s=4, fps=5, **ASK)
    assert tools.times(look) == [2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2, 3.4, 3.6, 3.8, 4.0]
    assert (look.every_frame, look.fps, look.notes) == (False, 5, ())
    open_end = tools.use("resample", start_s=2, end_s=4.01, fps=5, **ASK)
    assert tools.times(open_end) == tools.times(look)[:-1]


def test_resample_over_a_long_range_lowers_the_rate_and_says_so(bench):
    tools = bench(frames=8)
    look = tools.use("resample", start_s=0, end_s=4, fps=25, **ASK)
    assert len(look.stills) == 8
    assert tools.times(look)[0::7] == [0.0, 4.0]
    assert look.fps == 7 / 4
    assert look.notes == ("fps lowered from 25 to 1.75 to stay within 8 frames",)


def test_resample_between_two_frames_shows_the_one_that_stands(bench):
    tools = bench()
    look = tools.use("resample", start_s=2.01, end_s=2.03, fps=25, **ASK)
    assert tools.times(look) == [2.0]


@pytest.mark.parametrize("fps", [0, -1, float("inf"), float("nan"), "fast", None])
def test_resample_refuses_rates_that_are_none(bench, fps):
    with pytest.raises(ToolError, match="resample was not called rightly: fps: "):
        bench().use("resample", start_s=0, end_s=1, fps=fps, **ASK)


@pytest.mark.parametrize("kind", ["vfr_mp4", "edit_list", "late_video_mp4"])
def test_every_frame_of_an_odd_video_is_every_frame(bench, kind):
    tools = bench(kind, frames=100)
    known = [round(t, 3) for t in full_decode(tools.video.path).times_s if 1 <= t < 2.5]
    assert tools.times(tools.use("clip", start_s=1, end_s=2.5, **ASK)) == known
    look = tools.use("resample", start_s=1, end_s=2.5, fps=60, **ASK)
    assert tools.times(look) == known
    assert look.every_frame


def test_overview_spreads_over_the_whole_video(bench):
    tools = bench(overview_frames=9)
    look = tools.use("overview", **ASK)
    assert tools.times(look)[::4] == [0.0, 4.0, 7.96]
    assert (look.start_s, look.end_s, look.fps) == (0, 8, 9 / 8)


def test_overview_of_one_frame(bench):
    tools = bench("one_frame")
    look = tools.use("overview", **ASK)
    assert tools.times(look) == [0.0]
    assert look.every_frame


def test_the_pictures_are_the_frames_of_their_times(bench):
    tools = bench(frames=7)
    look = tools.use("clip", start_s=0, end_s=8, **ASK)
    codes = [read_code(jpeg.decode(tools.store.get(still.ref))) for still in look.stills]
    assert [code.millis for code in codes] == [round(1000 * still.time_s) for still in look.stills]
    assert {still.box_px for still in look.stills} == {(0, 0, 320, 180)}


def test_pictures_are_scaled_down_never_up(bench):
    small = bench(frames=1, side_px=160).use("clip", start_s=0, end_s=1, **ASK)
    assert [still.size_wh for still in small.stills] == [(160, 90)]
    same = bench(frames=1, side_px=9000).use("clip", start_s=0, end_s=1, **ASK)
    assert [still.size_wh for still in same.stills] == [(320, 180)]


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("clip", {"start_s": 0, "end_s": 8}),
        ("resample", {"start_s": 0, "end_s": 8, "fps": 25}),
        ("overview", {}),
        ("crop", {"time_s": 1, "grid": "2x3"}),
    ],
)
def test_the_frame_budget_limits_every_look(bench, tool, args):
    tools = bench()
    tools.left = 3
    look = tools.use(tool, **args, **ASK)
    assert len(look.stills) == 3
    with pytest.raises(BudgetSpent, match="frames"):
        tools.use(tool, **args, **ASK)
