import numpy as np
import pytest

from vidagent.images import tiles


@pytest.mark.parametrize(
    ("size_wh", "max_tiles", "shape"),
    [
        ((1280, 720), 12, (2, 1)),
        ((640, 360), 12, (2, 1)),
        ((3840, 2160), 12, (4, 2)),
        ((1080, 1920), 12, (2, 4)),
        ((1000, 1000), 12, (2, 2)),
        ((4000, 4000), 12, (3, 3)),
        ((300, 300), 12, (1, 1)),
        ((1280, 720), 1, (1, 1)),
        ((5000, 100), 6, (6, 1)),
    ],
)
def test_grid_shape_follows_the_aspect_and_the_pixels(size_wh, max_tiles, shape):
    assert tiles.grid_shape(size_wh, max_tiles=max_tiles, tile_px=512) == shape


def test_no_overlap_partitions_the_picture():
    size_wh = (1279, 719)
    covered = np.zeros(size_wh[::-1], int)
    for x0, y0, x1, y1 in tiles.grid(size_wh, max_tiles=12, tile_px=512):
        covered[y0:y1, x0:x1] += 1
    assert (covered == 1).all()


def test_boxes_come_row_by_row():
    assert tiles.grid((400, 200), max_tiles=2, tile_px=512) == [(0, 0, 200, 200), (200, 0, 400, 200)]


def test_overlap_reaches_into_neighbours_but_not_outside():
    left, right = tiles.grid((400, 200), max_tiles=2, tile_px=512, overlap=0.1)
    assert left == (0, 0, 220, 200)
    assert right == (180, 0, 400, 200)


def test_tiny_pictures_have_no_empty_tile():
    for size_wh in [(1, 1), (2, 300), (300, 1)]:
        for x0, y0, x1, y1 in tiles.grid(size_wh, max_tiles=12, tile_px=512):
            assert 0 <= x0 < x1 <= size_wh[0]
            assert 0 <= y0 < y1 <= size_wh[1]


def test_cell_counts_rows_and_columns_from_one():
    assert tiles.cell((900, 600), 3, 3, 2, 1) == (0, 200, 300, 400)
    assert tiles.cell((900, 600), 3, 3, 3, 3) == (600, 400, 900, 600)
    assert tiles.cell((900, 600), 3, 3, 2, 2, 0.5) == (150, 100, 750, 500)


@pytest.mark.parametrize("overlap", [-0.1, 1.5])
def test_cell_refuses_overlaps_out_of_range(overlap):
    with pytest.raises(ValueError, match="from 0 to 1"):
        tiles.cell((900, 600), 3, 3, 2, 2, overlap)


def test_parse_grid_reads_rows_first():
    assert tiles.parse_grid(" 2x3:1,3 ") == tiles.GridCell(rows=2, cols=3, row=1, col=3)


@pytest.mark.parametrize("text", ["", "3x3", "3x3:2", "ax3:1,1", "3x3:1,1;2,2", "-3x3:1,1"])
def test_parse_grid_names_the_legal_form(text):
    with pytest.raises(ValueError, match="ROWSxCOLS:ROW,COL"):
        tiles.parse_grid(text)


@pytest.mark.parametrize("text", ["3x3:0,1", "3x3:4,1", "3x3:1,4"])
def test_parse_grid_names_the_legal_cells(text):
    with pytest.raises(ValueError, match="from 1,1 to 3,3"):
        tiles.parse_grid(text)


@pytest.mark.parametrize("text", ["0x3:1,1", "17x3:1,1"])
def test_parse_grid_names_the_legal_sizes(text):
    with pytest.raises(ValueError, match="1 to 16"):
        tiles.parse_grid(text)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((-5, -5, 500, 500), (0, 0, 100, 50)),
        ((30, 40, 10, 20), (10, 20, 30, 40)),
        ((99, 10, 99, 10), (99, 10, 100, 11)),
        ((400, 400, 500, 500), (99, 49, 100, 50)),
        ((-9, -9, -5, -5), (0, 0, 1, 1)),
    ],
)
def test_clamp_box_stays_inside_and_is_never_empty(box, expected):
    assert tiles.clamp_box(box, (100, 50)) == expected


def test_crop_returns_the_pixels_of_the_box_as_a_copy():
    rgb = np.arange(50 * 100 * 3, dtype=np.uint32).astype(np.uint8).reshape(50, 100, 3)
    part = tiles.crop(rgb, (10, 20, 30, 40))
    assert np.array_equal(part, rgb[20:40, 10:30])
    part[:] = 0
    assert rgb[20:40, 10:30].any()


def test_denormalise_places_a_box_in_the_shown_part():
    assert tiles.denormalise((0, 0, 1000, 1000), (100, 50, 300, 150)) == (100, 50, 300, 150)
    assert tiles.denormalise((500, 500, 1000, 1000), (100, 50, 300, 150)) == (200, 100, 300, 150)
    assert tiles.denormalise((900, 750, 250, 100), (0, 0, 1280, 720)) == (320, 72, 1152, 540)


def test_denormalise_clamps_and_keeps_a_pixel():
    assert tiles.denormalise((-50, -50, 1200, 1200), (100, 50, 300, 150)) == (100, 50, 300, 150)
    assert tiles.denormalise((1000, 1000, 1000, 1000), (100, 50, 300, 150)) == (299, 149, 300, 150)


def test_denormalise_refuses_what_is_no_number():
    with pytest.raises(ValueError, match="0 to 1000"):
        tiles.denormalise((0, 0, float("nan"), 5), (0, 0, 10, 10))
