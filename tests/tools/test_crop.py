"""crop: which pixels it shows, by box and by grid."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.media.code import Code, draw_code
from vidagent.errors import ToolError
from vidagent.images import jpeg

ASK = {"question": "What is there?"}
FRAME = draw_code(Code(50, 2000))
"""The frame shown at 2 s."""


def shows(tools, still) -> float:
    """Return how far a crop is from the same part of the drawn frame, in grey levels."""
    x0, y0, x1, y1 = still.box_px
    rgb = jpeg.decode(tools.store.get(still.ref))
    assert (rgb.shape[1], rgb.shape[0]) == still.size_wh
    assert still.size_wh >= (x1 - x0, y1 - y0)
    small = cv2.resize(rgb, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    return float(np.abs(small.astype(int) - FRAME[y0:y1, x0:x1]).mean())


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        ([0, 0, 500, 500], (0, 0, 160, 90)),
        ([500, 500, 1000, 1000], (160, 90, 320, 180)),
        ([125, 222.3, 250, 444.4], (40, 40, 80, 80)),
        ([0, 0, 1000, 1000], (0, 0, 320, 180)),
        ([0, 0, 1, 2], (0, 0, 1, 1)),
        (["0", 0, 250.0, 1000], (0, 0, 80, 180)),
    ],
)
def test_a_box_is_in_thousandths_of_the_frame(bench, box, wanted):
    tools = bench()
    look = tools.use("crop", time_s=2, box=box, **ASK)
    assert [still.box_px for still in look.stills] == [wanted]
    assert shows(tools, look.stills[0]) < 12
    assert (look.start_s, look.end_s, look.every_frame) == (2.0, 2.04, True)


def test_a_known_block_fills_its_crop(bench):
    """Each block of the code is 40 px wide and either dark or light."""
    tools = bench()
    for number in range(32):
        row, column = divmod(number, 8)
        left, top = column * 40 + 8, row * 40 + 8
        box = [1000 * left / 320, 1000 * top / 180, 1000 * (left + 24) / 320, 1000 * (top + 24) / 180]
        look = tools.use("crop", time_s=2.02, box=box, **ASK)
        shade = jpeg.decode(tools.store.get(look.stills[0].ref)).mean()
        assert abs(shade - FRAME[row * 40 + 20, column * 40 + 20].mean()) < 25


def test_a_grid_shows_all_its_cells_with_some_overlap(bench):
    tools = bench()
    look = tools.use("crop", time_s=2, grid="2x2", **ASK)
    assert [still.box_px for still in look.stills] == [
        (0, 0, 176, 99),
        (144, 0, 320, 99),
        (0, 81, 176, 180),
        (144, 81, 320, 180),
    ]
    assert {still.time_s for still in look.stills} == {2.0}
    assert all(shows(tools, still) < 12 for still in look.stills)


@pytest.mark.parametrize("grid", ["2x4:1,4", " 2 x 4 : 1 , 4 ", "2×4:1,4"])
def test_one_cell_of_a_grid(bench, grid):
    tools = bench()
    look = tools.use("crop", time_s=2, grid=grid, **ASK)
    assert [still.box_px for still in look.stills] == [(232, 0, 320, 99)]
    assert shows(tools, look.stills[0]) < 12


@pytest.mark.parametrize("kind", ["turned_90", "turned_180", "turned_270"])
def test_crops_of_turned_videos_are_upright(bench, kind):
    tools = bench(kind)
    look = tools.use("crop", time_s=2, grid="2x2", **ASK)
    assert all(shows(tools, still) < 12 for still in look.stills)


def test_a_large_crop_is_scaled_down(bench):
    tools = bench(crop_side_px=100)
    look = tools.use("crop", time_s=2, box=[0, 0, 1000, 1000], **ASK)
    assert look.stills[0].size_wh == (100, 56)
    assert look.stills[0].box_px == (0, 0, 320, 180)


@pytest.mark.parametrize(
    ("place", "sizes_wh"),
    [
        ({"box": [0, 0, 500, 500]}, [(640, 360)]),
        ({"grid": "2x2:1,1"}, [(704, 396)]),
        ({"grid": "2x2"}, [(512, 288)] * 4),
        ({"box": [0, 0, 1000, 1000]}, [(320, 180)]),
    ],
)
def test_a_small_crop_is_enlarged_and_many_share_the_size_of_one(bench, place, sizes_wh):
    """At most four times as wide, and together no larger than one crop of 1024 px; the whole frame stays as it is."""
    look = bench(crop_side_px=1024).use("crop", time_s=2, **place, **ASK)
    assert [still.size_wh for still in look.stills] == sizes_wh


def test_a_time_past_the_end_shows_the_last_frame(bench):
    tools = bench()
    for time_s in (8, 8.5, "1:00"):
        look = tools.use("crop", time_s=time_s, grid="1x1", **ASK)
        assert tools.times(look) == [7.96]
        assert look.notes == ("the video ends at 8.000 s",)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ({}, "give either box or grid, and not both"),
        ({"box": [0, 0, 500, 500], "grid": "2x2"}, "give either box or grid, and not both"),
        ({"box": [0, 0, 1280, 720]}, "a side is outside the frame"),
        ({"box": [-5, 0, 500, 500]}, "a side is outside the frame"),
        ({"box": [0.1, 0.1, 0.5, 0.5]}, "not fractions of 1"),
        ({"box": [500, 0, 100, 500]}, "left below its right"),
        ({"box": [0, 0, float("nan"), 500]}, "a side is outside the frame"),
        ({"box": [0, 0, float("inf"), 500]}, "a side is outside the frame"),
        ({"box": [0, 0, 500]}, "at least 4 items"),
        ({"box": "left"}, "valid list"),
        ({"grid": "left"}, "grid: String should match pattern"),
        ({"grid": "4x4"}, "a grid may have up to 12 cells; got 4x4"),
        ({"grid": "2x2:3,1"}, "a cell of a 2x2 grid is from 1,1 to 2,2, got 3,1"),
        ({"grid": "0x2"}, "a grid has 1 to 16 rows and columns, got 0x2"),
        ({"grid": "99x99:1,1"}, "a grid has 1 to 16 rows and columns"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_legal(bench, place, says):
    with pytest.raises(ToolError) as error:
        bench().use("crop", time_s=1, **place, **ASK)
    assert says in str(error.value)


FORMS = {
    "x_first": ([250, 500, 500, 1000], "[left, top, right, bottom], each from 0 to 1000."),
    "y_first": ([500, 250, 1000, 500], "[top, left, bottom, right], each from 0 to 1000."),
    "fraction": ([0.25, 0.5, 0.5, 1], "[left, top, right, bottom], each from 0 to 1, with three decimals."),
    "pixels": ([80, 90, 160, 180], "in pixels of the whole frame, which is 320x180."),
    "point": ([375, 750], "its middle as [x, y], each from 0 to 1000."),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_part_is_named_in_the_form_of_the_models_family(bench, form):
    tools = bench(boxes=form)
    box, asked = FORMS[form]
    look = tools.use("crop", time_s=2, box=box, **ASK)
    assert [still.box_px for still in look.stills] == [
        (80, 112, 160, 158) if form == "point" else (80, 90, 160, 180)
    ]
    described = tools.tools["crop"].args["box"]
    assert described["description"].endswith(asked)
    assert "`box_px` of results are pixels of 320x180" in described["description"]
    assert described["anyOf"][0]["minItems"] == described["anyOf"][0]["maxItems"] == len(box)


@pytest.mark.parametrize(
    ("form", "box"),
    [
        ("pixels", [0, 0, 400, 90]),
        ("fraction", [0.5, 0, 0.2, 1]),
        ("point", [1200, 10]),
        ("y_first", [0.1, 0.1, 0.5, 0.5]),
    ],
)
def test_a_box_of_another_form_is_refused(bench, form, box):
    with pytest.raises(ToolError, match=r"a side is outside|left below|not fractions"):
        bench(boxes=form).use("crop", time_s=2, box=box, **ASK)
