from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
import pytest

from tests.media.code import read_code
from tests.media.make import CLIPS, STEADY, X264, encode, ffmpeg, spoil
from tests.media.truth import Truth, full_decode
from vidagent.errors import UsageError, VideoError
from vidagent.video.packets import Packets
from vidagent.video.process.client import Limits
from vidagent.video.video import Video


@pytest.mark.parametrize("clip", CLIPS)
def test_facts_frames_and_packets_come_through_the_process(clip, shelf):
    path, truth = shelf.clip(clip).path, shelf.truth(clip)
    with Video.open(path) as video:
        info = video.info
        assert (info.width, info.height) == (320, 180)
        assert info.path == str(path)
        assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert truth.times_s[-1] < info.duration_s <= truth.times_s[-1] + 0.5
        times_s = [info.duration_s * i / 8 for i in (5, 1, 8, 0, 3)]
        for t_s, frame in zip(times_s, video.frames_at(times_s), strict=True):
            assert read_code(frame.rgb) == truth.codes[truth.at(t_s)]
            assert frame.time_s == pytest.approx(truth.times_s[truth.at(t_s)], abs=2e-6)
        assert video.frames_decoded > 0
        check_packets(video.packets(), truth)


def check_packets(packets: Packets, truth: Truth) -> None:
    assert len(packets.times_s) == len(packets.sizes) == len(packets.keyframes) == len(truth.times_s)
    assert np.all(np.diff(packets.times_s) >= 0)
    assert packets.sizes.min() > 0
    assert packets.keyframes.any()
    if packets.exact_times:
        assert packets.times_s == pytest.approx(np.array(truth.times_s), abs=2e-6)
    for index, t_s in enumerate(packets.times_s):
        # A sample table holds decoding times, displaced by at most the pictures that B-frames hold back.
        near = truth.times_s[max(0, index - 3)], truth.times_s[min(index + 3, len(truth.times_s) - 1)]
        assert near[0] - 1e-6 <= t_s <= near[1] + 0.05


def test_facts_of_a_plain_file(clip_path):
    with Video.open(clip_path("h264")) as video:
        info = video.info
    assert info.fps == Fraction(25)
    assert info.duration_s == pytest.approx(8.0)
    assert (info.codec, info.audio, info.rotation_deg, info.frame_count) == ("h264", "aac", 0, 200)
    assert "mp4" in info.container


@pytest.mark.parametrize(("clip", "degrees"), [("turned_90", 90), ("turned_180", 180), ("turned_270", 270)])
def test_the_turn_is_told(clip, degrees, clip_path):
    with Video.open(clip_path(clip)) as video:
        assert video.info.rotation_deg == degrees


@pytest.mark.parametrize("clip", ["subtitled_mp4", "subtitled_mkv"])
def test_embedded_subtitles_are_read(clip, clip_path):
    with Video.open(clip_path(clip)) as video:
        assert video.info.subtitles[0] == "eng"
        cues = video.subtitles()
    assert cues == [
        (pytest.approx(1.0), pytest.approx(2.5), "Good morning"),
        (pytest.approx(4.0), pytest.approx(5.0), "two\nlines"),
    ]


def test_subtitle_files_beside_the_video_are_named(tmp_path):
    encode(tmp_path / "talk.mp4", times_ms=STEADY[:10])
    (tmp_path / "talk.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with Video.open(tmp_path / "talk.mp4") as video:
        assert video.info.subtitles == ("talk.srt",)
        assert video.subtitles() == []


def test_dense_reading_comes_in_parts_and_is_complete(clip_path, shelf):
    truth = shelf.truth("vfr_mp4")
    with Video.open(clip_path("vfr_mp4"), limits=Limits(reply_bytes=600_000)) as video:
        frames = video.frames_between(0.5, 12.0)
        every_third = video.frames_between(0.5, 12.0, stride=3)
        singles = video.frames_at([5.0, 0.2, 9.0, 9.0])
    wanted = [(t, c) for t, c in zip(truth.times_s, truth.codes, strict=True) if 0.5 <= t < 12.0]
    assert [read_code(frame.rgb) for frame in frames] == [code for _, code in wanted]
    assert [read_code(frame.rgb) for frame in every_third] == [code for _, code in wanted[::3]]
    assert [read_code(frame.rgb) for frame in singles] == [
        truth.codes[truth.at(t)] for t in (5.0, 0.2, 9.0, 9.0)
    ]


def test_a_range_that_holds_nothing_is_empty(clip_path):
    with Video.open(clip_path("h264")) as video:
        assert video.frames_between(3.0, 3.0) == []
        assert video.frames_between(3.01, 3.03) == []
        assert video.frames_between(50.0, 60.0) == []
        assert video.frame_times(50.0, 60.0).tolist() == []
        assert video.frames_at([]) == []


def test_what_cannot_be_asked_is_said(clip_path):
    with Video.open(clip_path("h264"), limits=Limits(call_bytes=1_000_000)) as video:
        for times_s in ([float("nan")], [float("inf")]):
            with pytest.raises(UsageError, match="finite"):
                video.frames_at(times_s)
        with pytest.raises(
            UsageError, match=r"box \[0, 0, 400, 10\] must lie within the picture \[0, 0, 320, 180\]"
        ):
            video.frames_at([1.0], box_px=(0, 0, 400, 10))
        with pytest.raises(UsageError, match="snap must be one of exact, keyframe; got 'near'"):
            video.frames_at([1.0], snap="near")
        with pytest.raises(UsageError, match="max_side_px must be 1 or more, got 0"):
            video.frames_at([1.0], max_side_px=0)
        with pytest.raises(UsageError, match="stride must be 1 or more, got 0"):
            video.frames_between(0, 1, stride=0)
        with pytest.raises(UsageError, match="one call returns at most 1 MB"):
            video.frames_at([0.1 * i for i in range(20)])
        with pytest.raises(UsageError, match="one call returns at most 1 MB"):
            video.frames_between(0, 8)
        assert len(list(video.walk(0, 8, max_side_px=160))) == 200
    with pytest.raises(UsageError, match="decoder must be one of pyav, decord, torchcodec; got 'vlc'"):
        Video.open(clip_path("h264"), decoder="vlc")


def test_decord_reads_through_the_process_too(clip_path):
    with Video.open(clip_path("h264"), decoder="decord") as video:
        assert [read_code(f.rgb).number for f in video.frames_at([4.0, 1.0])] == [100, 25]
    with pytest.raises(VideoError, match="decord does not read this file rightly"):
        Video.open(clip_path("hevc"), decoder="decord")


def test_a_cut_off_file_is_read_to_where_it_ends(tmp_path):
    encode(tmp_path / "whole.mp4")
    ffmpeg("-i", tmp_path / "whole.mp4", "-c", "copy", "-movflags", "faststart", tmp_path / "front.mp4")
    for suffix, whole in ((".mp4", "front.mp4"), (".mkv", "whole.mkv"), (".ts", "whole.ts")):
        if suffix != ".mp4":
            encode(tmp_path / whole)
        data = (tmp_path / whole).read_bytes()
        path = tmp_path / f"cut{suffix}"
        path.write_bytes(data[: len(data) * 6 // 10])
        with Video.open(path) as video:
            duration_s = video.info.duration_s
            assert 2.0 < duration_s < 7.0
            frames = video.frames_between(0, 99)
            assert [read_code(frame.rgb).number for frame in frames[:-4]] == list(range(len(frames) - 4))
            last = video.frames_at([duration_s])[0]
            assert last.time_s == pytest.approx(frames[-1].time_s)
            assert abs(frames[-1].time_s - duration_s) < 0.5


def test_other_bytes_in_the_middle_do_not_end_the_reading(tmp_path):
    encode(
        tmp_path / "hurt.mp4",
        options={"crf": "18", "preset": "veryfast", "bf": "3", "g": "25", "sc_threshold": "0"},
    )
    data = bytearray((tmp_path / "hurt.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    (tmp_path / "hurt.mp4").write_bytes(data)
    with Video.open(tmp_path / "hurt.mp4") as video:
        frames = video.frames_at([0.04 * number for number in range(0, 200, 5)])
    assert len(frames) == 40
    good = 0
    for number, frame in zip(range(0, 200, 5), frames, strict=True):
        try:
            good += read_code(frame.rgb).number == number
        except ValueError:
            continue
    assert good >= 30


def test_a_lone_picture_before_much_sound(shelf):
    with Video.open(shelf.clip("one_frame").path) as video:
        assert [frame.time_s for frame in video.frames_at([0.0, 5.0])] == [0.0, 0.0]
        assert video.info.duration_s == pytest.approx(0.04, abs=0.001)


def test_a_scan_sees_every_frame(clip_path):
    seen = []
    with Video.open(clip_path("h264")) as video:
        scan = video.scan(seen.append)
        assert video.frames_decoded >= len(STEADY)
    assert scan.exact
    assert len(scan.motion) == 8


def test_a_name_that_is_no_utf8_is_opened(tmp_path):
    import os

    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 [x]%d.mp4")
    encode(tmp_path / "plain.mp4", times_ms=STEADY[:30])
    (tmp_path / "plain.mp4").rename(path)
    with Video.open(path) as video:
        assert video.info.duration_s == pytest.approx(1.2)
    assert len(full_decode(tmp_path / path).times_s) == 30


B_FRAMES = {**X264, "x264-params": "b-adapt=0"}


@pytest.mark.parametrize(("options", "spoilt", "first"), [(X264, 60, 60), (B_FRAMES, 57, 57)])
def test_what_shows_damaged_data_is_marked_and_nothing_else(options, spoilt, first, tmp_path):
    """Packet 57 of the second is picture 60, which the B-pictures 57 to 59 before it refer to."""
    encode(tmp_path / "intact.mp4", STEADY[:150], options=options)
    spoil(tmp_path / "intact.mp4", tmp_path / "spoilt.mp4", spoilt)
    truth = full_decode(tmp_path / "intact.mp4")
    with Video.open(tmp_path / "spoilt.mp4") as video:
        frames = [video.frames_at([t_s])[0] for t_s in truth.times_s]
        plain = video.frames_between(0.0, 9.0)
    marked = [number for number, frame in enumerate(frames) if frame.damaged]
    assert marked == list(range(first, 96))  # up to the next keyframe
    assert [frame.damaged for frame in plain] == [frame.damaged for frame in frames]
    assert np.array_equal([frame.time_s for frame in frames], truth.times_s)
    for number, frame in enumerate(frames):
        assert frame.damaged or read_code(frame.rgb) == truth.codes[number]
