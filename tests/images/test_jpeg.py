import struct
import zlib

import numpy as np
import pytest

from vidagent.images import jpeg


def test_colours_survive_the_way_out_and_back():
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[:, :32] = (200, 30, 40)
    rgb[:, 32:] = (20, 60, 220)
    back = jpeg.decode(jpeg.encode(rgb, quality=95))
    assert back.shape == rgb.shape
    assert np.abs(back[24, 8].astype(int) - (200, 30, 40)).max() <= 4
    assert np.abs(back[24, 56].astype(int) - (20, 60, 220)).max() <= 4


def test_bytes_are_jpeg_and_lower_quality_is_smaller():
    rgb = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
    best, small = jpeg.encode(rgb, 95), jpeg.encode(rgb, 20)
    assert best[:3] == b"\xff\xd8\xff"
    assert len(small) < len(best)


def test_a_view_with_strides_encodes_like_its_copy():
    rgb = np.random.default_rng(2).integers(0, 256, (40, 60, 3), np.uint8)[::2, ::-1]
    assert jpeg.encode(rgb) == jpeg.encode(np.ascontiguousarray(rgb))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(H, W, 3\)"):
        jpeg.encode(np.zeros(shape, np.uint8))


def test_floats_and_odd_qualities_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        jpeg.encode(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="from 1 to 100, got 0"):
        jpeg.encode(np.zeros((4, 4, 3), np.uint8), 0)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff"])
def test_bytes_that_are_no_picture_are_refused(data):
    with pytest.raises(ValueError, match="not a picture"):
        jpeg.decode(data)


@pytest.mark.parametrize("shape", [(1, 1, 3), (48, 64, 3), (767, 1023, 3)])
def test_the_size_is_read_from_the_header(shape):
    assert jpeg.size_wh(jpeg.encode(np.zeros(shape, np.uint8))[:1000]) == (shape[1], shape[0])


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"])
def test_bytes_that_do_not_begin_like_a_jpeg_have_no_size(data):
    with pytest.raises(ValueError, match="not the beginning of a JPEG"):
        jpeg.size_wh(data)


def test_a_header_that_claims_too_many_pixels_is_refused():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))
    with pytest.raises(ValueError, match="too large"):
        jpeg.decode(png)
