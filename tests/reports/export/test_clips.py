"""Clips cut to the frame: each is decoded again, and the code in every frame compared with the source's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media.make import CLIPS
from tests.media.speaking import speak
from tests.media.truth import Truth, full_decode
from vidagent.errors import VideoError
from vidagent.reports.export.clips import write_clip
from vidagent.types import Span
from vidagent.video.video import Video


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Callable[[str], tuple[Path, Truth]]:
    folder, made = tmp_path_factory.mktemp("sources"), {}

    def make(kind: str) -> tuple[Path, Truth]:
        if kind not in made:
            path = CLIPS[kind](folder).path
            made[kind] = path, full_decode(path)
        return made[kind]

    return make


def cut(path: Path, span: Span, to: Path) -> Truth:
    with Video.open(path) as video:
        write_clip(video, span, to)
    return full_decode(to)


def length_s(path: Path) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return float(stream.duration * stream.time_base)


@pytest.mark.parametrize(
    "kind",
    ["h264", "vfr_mp4", "vfr_mkv", "turned_90", "edit_list", "start_10_mkv", "late_video_mp4", "mpegts"],
)
def test_every_frame_of_the_span_and_no_other(source, tmp_path, kind):
    path, truth = source(kind)
    first, end = len(truth.times_s) // 3, len(truth.times_s) // 2
    span = Span(truth.times_s[first], truth.times_s[end])
    clip = cut(path, span, tmp_path / "clip.mp4")
    assert clip.codes == truth.codes[first:end]
    steps = [after - before for before, after in pairwise(truth.times_s[first:end])]
    assert [after - before for before, after in pairwise(clip.times_s)] == pytest.approx(steps, abs=1e-4)
    assert clip.times_s[0] == 0
    assert length_s(tmp_path / "clip.mp4") == pytest.approx(span.length_s, abs=1e-3)


@pytest.mark.parametrize("kind", ["h264", "vfr_mp4"])
def test_a_span_between_frames_begins_with_the_one_shown_then(source, tmp_path, kind):
    path, truth = source(kind)
    start, end = truth.times_s[10] + 0.004, truth.times_s[14] + 0.004
    assert cut(path, Span(start, end), tmp_path / "clip.mp4").codes == truth.codes[10:15]


@pytest.mark.parametrize("place", [0, 57, -1])
def test_an_instant_is_one_frame(source, tmp_path, place):
    path, truth = source("h264")
    at = truth.times_s[place]
    assert cut(path, Span(at, at), tmp_path / "clip.mp4").codes == (truth.codes[place],)
    assert length_s(tmp_path / "clip.mp4") == pytest.approx(0.04, abs=1e-3)


def test_the_whole_video(source, tmp_path):
    path, truth = source("h264")
    assert cut(path, Span(0.0, 1e6), tmp_path / "clip.mp4").codes == truth.codes


def test_colours_stay(source, tmp_path):
    path, truth = source("h264")
    span = Span(truth.times_s[50], truth.times_s[52])
    cut(path, span, tmp_path / "clip.mp4")
    with Video.open(path) as before, Video.open(tmp_path / "clip.mp4") as after:
        was, now = before.frames_at([span.start_s])[0].rgb, after.frames_at([0.0])[0].rgb
    assert np.abs(was.astype(int) - now).mean() < 2.0


def test_an_odd_side_is_made_even(tmp_path):
    with av.open(str(tmp_path / "odd.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 65, 49, "yuv444p"
        for shade in (40, 120, 200):
            picture = np.full((49, 65, 3), shade, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    with Video.open(tmp_path / "odd.mkv") as video:
        write_clip(video, Span(0.0, 0.08), tmp_path / "clip.mp4")
    with Video.open(tmp_path / "clip.mp4") as clip:
        assert (clip.info.width, clip.info.height) == (64, 48)
        assert [round(float(frame.rgb.mean())) for frame in clip.walk(0, 1)] == pytest.approx(
            [40, 120], abs=2
        )


def test_nothing_half_written_is_left(source, tmp_path):
    path, _ = source("h264")
    (tmp_path / "clip.mp4").write_bytes(b"an earlier clip")
    with Video.open(path) as video:
        walk, shown = video.walk, []

        def failing(*span: float):
            for frame in walk(*span):
                shown.append(frame)
                if len(shown) == 20:
                    video.close()
                    raise VideoError("the decoder crashed")
                yield frame

        video.walk = failing
        with pytest.raises(VideoError, match="crashed"):
            write_clip(video, Span(0.0, 8.0), tmp_path / "clip.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]
    assert (tmp_path / "clip.mp4").read_bytes() == b"an earlier clip"


def loudness(path: Path, start_s: float, end_s: float) -> float:
    with Video.open(path) as video:
        return float(np.abs(video.sound(start_s, end_s).astype(float)).mean())


@pytest.mark.parametrize("kind", ["said.mp4", "said.mkv"])
def test_what_is_heard_in_the_span_is_heard_in_the_clip(tmp_path, kind):
    path = speak(tmp_path / kind, [(1.0, "harbour"), (3.0, "seven")], 16.0)
    with Video.open(path) as video:
        write_clip(video, Span(2.6, 15.0), tmp_path / "clip.mp4")
    assert loudness(tmp_path / "clip.mp4", 0.0, 0.38) < 100
    assert loudness(tmp_path / "clip.mp4", 0.42, 0.98) > 5000
    assert loudness(tmp_path / "clip.mp4", 1.1, 12.4) < 100
    with av.open(str(tmp_path / "clip.mp4")) as container:
        (sound,) = container.streams.audio
        assert float(sound.duration * sound.time_base) == pytest.approx(12.4, abs=0.1)
    assert full_times(tmp_path / "clip.mp4") == pytest.approx([0.2 * n for n in range(62)], abs=1e-4)


def full_times(path: Path) -> list[float]:
    with Video.open(path) as video:
        return [float(time_s) for time_s in video.frame_times(0, 1e6)]


def test_sound_that_cannot_be_decoded_costs_no_picture(source, tmp_path, monkeypatch, caplog):
    def broken(*_: float):
        raise VideoError("holds sound whose codec is not known here")

    monkeypatch.setattr(Video, "sound", broken)
    path, truth = source("h264")
    assert cut(path, Span(0.0, 1.0), tmp_path / "clip.mp4").codes == truth.codes[:25]
    assert "the clip has no sound from 0.000 s on" in caplog.text
