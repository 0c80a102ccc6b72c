"""Videos are seen as a player shows them: geometry, colours, streams, clocks, and headers that lie."""

from __future__ import annotations

import gzip
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media import odd
from tests.media.code import read_code
from tests.media.make import X264
from vidagent.errors import UsageError, VideoError
from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video

CASES = Path(__file__).parents[3] / "shared" / "cases"
MIRROR = (-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
QUARTER = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
MPEG2 = {"b": "4M", "g": "12"}
SD_WH, PAL_WH = (720, 480), (720, 576)

SHAPES = {
    "wide_pixels_mp4": (
        lambda f: odd.write(f / "a.mp4", odd.codes(12, (160, 180)), aspect=Fraction(2)),
        (320, 180),
    ),
    "wide_pixels_mkv": (
        lambda f: odd.write(f / "a.mkv", odd.codes(12, (240, 180)), aspect=Fraction(4, 3)),
        (320, 180),
    ),
    "pal_wide_mpeg2": (
        lambda f: odd.write(
            f / "a.ts", odd.codes(12, PAL_WH), codec="mpeg2video", options=MPEG2, aspect=Fraction(64, 45)
        ),
        (1024, 576),
    ),
    "ntsc_mpeg2": (
        lambda f: odd.write(
            f / "a.mpg", odd.codes(12, SD_WH), codec="mpeg2video", options=MPEG2, aspect=Fraction(8, 9)
        ),
        (640, 480),
    ),
    "mpeg4_avi_wide": (
        lambda f: odd.write(
            f / "a.avi", odd.codes(12, (160, 180)), codec="mpeg4", options={"b": "2M"}, aspect=Fraction(2)
        ),
        (320, 180),
    ),
    "wide_pixels_turned": (
        lambda f: odd.write(
            f / "a.mp4",
            [np.rot90(odd.stretched(odd.coded_frame(n), (320, 180)), 1)[::2] for n in range(12)],
            aspect=Fraction(1, 2),
            display=QUARTER,
        ),
        (160, 90),
    ),
    "impossible_aspect": (
        lambda f: odd.write(f / "a.mp4", odd.codes(12), aspect=Fraction(1, 1000)),
        (320, 180),
    ),
    "matroska_crop": (odd.matroska_cropped, (320, 180)),
    "clean_aperture": (odd.aperture_cropped, (320, 180)),
    "mirrored": (
        lambda f: odd.write(f / "a.mp4", [p[:, ::-1] for p in odd.codes(12)], display=MIRROR),
        (320, 180),
    ),
    "bottom_up_bgr_avi": (
        lambda f: odd.write(f / "a.avi", odd.codes(12), codec="rawvideo", pix_fmt="bgr24", options={}),
        (320, 180),
    ),
    "bottom_up_gray_avi": (
        lambda f: odd.write(
            f / "a.avi", odd.codes(12), codec="rawvideo", pix_fmt="gray", options={}, extradata=b"BottomUp\0"
        ),
        (320, 180),
    ),
    "odd_size": (
        lambda f: odd.write(f / "a.mkv", odd.codes(12, (319, 179)), pix_fmt="yuv444p"),
        (319, 179),
    ),
    "prores_mov": (
        lambda f: odd.write(f / "a.mov", odd.codes(12), codec="prores_ks", pix_fmt="yuv422p10le", options={}),
        (320, 180),
    ),
    "ffv1_gray16": (
        lambda f: odd.write(f / "a.mkv", odd.codes(12), codec="ffv1", pix_fmt="gray16le", options={}),
        (320, 180),
    ),
    "png_alpha_mov": (
        lambda f: odd.write(f / "a.mov", odd.codes(12), codec="png", pix_fmt="rgba", options={}),
        (320, 180),
    ),
    "mjpeg_full_range_avi": (
        lambda f: odd.write(
            f / "a.avi", odd.codes(12), codec="mjpeg", pix_fmt="yuvj422p", options={"q": "3"}
        ),
        (320, 180),
    ),
    "uyvy_mov": (
        lambda f: odd.write(f / "a.mov", odd.codes(12), codec="rawvideo", pix_fmt="uyvy422", options={}),
        (320, 180),
    ),
    "h264_gbrp": (
        lambda f: odd.write(f / "a.mkv", odd.codes(12), codec="libx264rgb", pix_fmt="rgb24", options=X264),
        (320, 180),
    ),
}
"""Kinds of pictures, with the size shown."""


@pytest.mark.parametrize("kind", SHAPES)
def test_pictures_are_shown_whole_upright_and_of_square_pixels(kind, tmp_path):
    make, size_wh = SHAPES[kind]
    with Video.open(make(tmp_path)) as video:
        assert (video.info.width, video.info.height) == size_wh
        frames = video.frames_at([0.0, 0.2, 0.4])
        assert [read_code(frame.rgb).number for frame in frames] == [0, 5, 10]
        assert frames[0].rgb.shape[:2] == size_wh[::-1]
        small = video.frames_at([0.2], max_side_px=160)[0].rgb
        assert read_code(small).number == 5
        assert max(small.shape) == 160
        half = (0, 0, size_wh[0] // 2, size_wh[1])
        assert np.array_equal(video.frames_at([0.2], box_px=half)[0].rgb, frames[1].rgb[:, : half[2]])
        assert len(video.scan().motion) == 1


def test_a_crop_counts_for_the_scan_and_for_a_turned_picture(tmp_path):
    with Video.open(odd.aperture_cropped(tmp_path, display=MIRROR)) as video:
        assert video.info.cropped
        assert read_code(video.frames_at([0.2])[0].rgb[:, ::-1]).number == 5
    with Video.open(odd.matroska_cropped(tmp_path)) as video:
        assert video.info.cropped
        assert video.frames_at([0.0])[0].rgb[:, -1].max() < 250  # nothing of the white border is left


COLOURS = {
    "hd_untagged": {"wh": (1280, 720), "matrix": 1},
    "sd_untagged": {"wh": (640, 360), "matrix": 5},
    "hd_tagged_601": {"wh": (1280, 720), "matrix": 5, "colours": {"colorspace": 6}},
    "sd_tagged_709": {"wh": (640, 360), "matrix": 1, "colours": {"colorspace": 1}},
    "hd_untagged_hevc": {
        "wh": (1280, 720),
        "matrix": 1,
        "codec": "libx265",
        "options": {"preset": "ultrafast", "x265-params": "log-level=none"},
    },
}


@pytest.mark.parametrize("kind", COLOURS)
def test_the_colour_of_a_plain_picture_is_the_one_that_was_filmed(kind, tmp_path):
    options = dict(COLOURS[kind])
    path = odd.write(tmp_path / "a.mp4", odd.flat(options.pop("wh")), **options)
    with Video.open(path) as video:
        assert video.info.hdr is None
        colour = video.frames_at([0.04])[0].rgb.mean((0, 1))
    assert colour == pytest.approx(odd.RED, abs=5)


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "HDR10 (PQ)"), ("arib-std-b67", "HLG")])
def test_high_dynamic_range_is_mapped_to_standard_and_told(transfer, name, tmp_path):
    with Video.open(odd.high_range(tmp_path, transfer)) as video:
        assert video.info.hdr == name
        red, green, blue = video.frames_at([0.04])[0].rgb.mean((0, 1))
        again = video.frames_at([0.08], max_side_px=100)[0].rgb.mean((0, 1))
    assert red == pytest.approx(odd.RED[0], abs=40)
    assert max(green, blue) < 80
    assert again == pytest.approx([red, green, blue], abs=3)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {**X264, "x264-params": "tff=1"}),
        ("a.ts", "mpeg2video", {"b": "6M", "flags": "+ildct+ilme"}),
    ],
)
def test_an_interlaced_picture_is_shown_without_combs_and_told(name, codec, options, tmp_path):
    with Video.open(odd.interlaced(tmp_path / name, codec, options)) as video:
        assert video.info.interlaced
        rgb = video.frames_at([0.12])[0].rgb.astype(int)
    combs = np.abs(np.diff(rgb[20:-20, 120:180, 1], axis=0)).mean()
    assert combs < 20  # it is 235 in the picture as it is coded


def test_a_cover_is_not_the_video(tmp_path):
    for flagged in (True, False):
        folder = tmp_path / str(flagged)
        folder.mkdir()
        with Video.open(odd.with_cover(folder, flagged=flagged)) as video:
            assert (video.info.width, video.info.stream) == (320, 1)
            assert video.info.duration_s == pytest.approx(1.0, abs=0.01)
            assert video.info.other_streams[0].startswith("0: mjpeg 200x200")
            assert read_code(video.frames_at([0.48])[0].rgb).number == 12


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_longest_stream_is_shown_and_of_equal_ones_the_default(suffix, tmp_path):
    for name, counts, default, width in [
        ("longer", (25, 75), 0, 640),
        ("default", (50, 50), 1, 640),
        ("first", (50, 50), 0, 320),
    ]:
        folder = tmp_path / name
        folder.mkdir()
        with Video.open(odd.two_streams(folder, counts, default=default, suffix=suffix)) as video:
            assert video.info.width == width, name
            assert read_code(video.frames_at([0.4])[0].rgb).number == 10


def test_another_stream_is_shown_where_it_is_chosen(tmp_path):
    path = odd.two_streams(tmp_path, (25, 75), default=0)
    with Video.open(path, stream=0) as video:
        assert (video.info.width, video.info.duration_s) == (320, pytest.approx(1.0))
        cache = VideoCache(tmp_path / "cache")
        assert Index(video, cache).report().frames_decoded > 0
    with Video.open(path) as video:
        assert (
            Index(video, cache).report().frames_decoded > 0
        )  # what is kept of one stream is not the other's
    with pytest.raises(UsageError, match="stream 7 is not a video stream of this file; those are: 0, 1"):
        Video.open(path, stream=7)


CLOCKS = {
    "back_to_the_start": lambda f: odd.joined(
        f, odd.transport(f, "a", range(50)), odd.transport(f, "b", range(25))
    ),
    "forward_by_an_hour": lambda f: odd.joined(
        f, odd.transport(f, "a", range(50)), odd.transport(f, "b", range(25), start_s=3600)
    ),
    "back_from_high_times": lambda f: odd.joined(
        f, odd.transport(f, "a", range(50), start_s=5000), odd.transport(f, "b", range(25), start_s=3)
    ),
}


@pytest.mark.parametrize("kind", CLOCKS)
def test_the_clock_goes_on_where_time_stamps_jump(kind, tmp_path):
    with Video.open(CLOCKS[kind](tmp_path)) as video:
        info = video.info
        assert info.clock_jumps == 1
        assert info.duration_s == pytest.approx(3.08, abs=0.1)
        times_s = video.frame_times(0, 10)
        assert len(times_s) == len(video.packets().times_s) == 75
        assert np.all(np.diff(times_s) > 0)
        assert np.diff(times_s).max() < 0.2
        shown = [*range(50), *range(25)]
        order = [70, 3, 52, 49, 50, 10, 74]
        frames = video.frames_at([float(times_s[place]) for place in order])
        assert [read_code(frame.rgb).number for frame in frames] == [shown[place] for place in order]
        assert [read_code(frame.rgb).number for frame in video.frames_between(0, 10)] == shown
        assert video.frames_at([2.5], snap="keyframe")[0].time_s == pytest.approx(float(times_s[50]))


def test_three_parts_and_their_sound_follow_each_other(tmp_path):
    parts = [odd.transport(tmp_path, name, range(25), tone_s=1) for name in "abc"]
    with Video.open(odd.joined(tmp_path, *parts)) as video:
        assert video.info.clock_jumps == 2
        sound = video.sound(0, video.info.duration_s).astype(float)
        loud = [np.abs(sound[round(t * 16_000) :][:1600]).mean() for t in (0.4, 1.5, 2.6)]
        assert min(loud) > 500


def test_time_stamps_that_wrap_are_no_jump(tmp_path):
    path = odd.transport(tmp_path, "wrapping", range(50), start_s=95_442.7)
    with Video.open(path) as video:
        assert video.info.clock_jumps == 0
        assert video.info.duration_s == pytest.approx(2.0, abs=0.1)
        assert [read_code(frame.rgb).number for frame in video.frames_between(0, 3)] == list(range(50))


def test_pictures_of_another_size_are_shown_in_the_first_ones(tmp_path):
    small = odd.write(tmp_path / "a.ts", odd.codes(12))
    large = odd.write(tmp_path / "b.ts", odd.codes(12, (640, 360)))
    with Video.open(odd.joined(tmp_path, small, large)) as video:
        frames = video.frames_between(0, 5)
        assert {frame.rgb.shape for frame in frames} == {(180, 320, 3)}
        assert [read_code(frame.rgb).number for frame in frames] == [*range(12), *range(12)]


def test_a_table_that_lies_is_not_believed(tmp_path):
    with Video.open(odd.lying_table(tmp_path)) as video:
        assert video.info.frame_count == 25
        assert video.info.duration_s == pytest.approx(1.0, abs=0.05)
        assert read_code(video.frames_at([0.96])[0].rgb).number == 24


def test_a_file_of_very_many_streams_is_refused_at_once(tmp_path):
    began = time.process_time()
    with pytest.raises(VideoError, match="more than 128 streams"):
        Video.open(odd.many_streams(tmp_path))
    assert time.process_time() - began < 2


def test_a_box_larger_than_any_disk_is_an_error(tmp_path):
    with pytest.raises(VideoError, match="cut off or unfinished"):
        Video.open(odd.endless_box(tmp_path))


@pytest.mark.parametrize(
    "kind", [lambda f: odd.high_range(f, "smpte2084"), SHAPES["wide_pixels_mp4"][0], odd.aperture_cropped]
)
def test_another_decoder_refuses_what_it_would_show_otherwise(kind, tmp_path):
    with pytest.raises(VideoError, match="use the pyav decoder"):
        Video.open(kind(tmp_path), decoder="decord")


GIVEN = {
    "bottomup_gray.avi": (160, 90, 0.4),
    "jump_back.ts": (640, 360, 9.08),
    "cover_plain.mkv": (640, 360, 10.0),
    "sar2.mp4": (640, 360, 10.0),
    "c_smpte2084.mp4": (640, 360, 2.0),
    "c709.mp4": (640, 360, 2.0),
    "c1080_untagged.mp4": (1920, 1080, 1.0),
    "stts_huge.mp4": (640, 360, 10.0),
    "size64.mp4": None,
    "900_streams.mp4.gz": None,
}
RED_ONES = {"c_smpte2084.mp4", "c709.mp4", "c1080_untagged.mp4"}


@pytest.mark.parametrize("name", GIVEN)
def test_the_files_that_were_shown_wrongly(name, tmp_path):
    path = CASES / name
    if not path.exists():
        pytest.skip("the folder of cases is not here")
    if path.suffix == ".gz":
        (tmp_path / "unpacked.mp4").write_bytes(gzip.decompress(path.read_bytes()))
        path = tmp_path / "unpacked.mp4"
    right = GIVEN[name]
    if right is None:
        with pytest.raises(VideoError):
            Video.open(path)
        return
    with Video.open(path) as video:
        info = video.info
        assert (info.width, info.height, round(info.duration_s, 2)) == right
        assert info.frame_count is None or info.frame_count == round(info.duration_s * 25)
        frames = video.frames_at([info.duration_s * share for share in (0.1, 0.9)])
        assert len(video.scan().motion) >= 1
    if name in RED_ONES:
        red, green, blue = frames[0].rgb.mean((0, 1))
        assert red > 150
        assert max(green, blue) < 60
