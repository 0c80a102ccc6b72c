"""The sound of a video, compared with the beeps drawn into it, on the clock of its pictures."""

from __future__ import annotations

import io
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media.make import ffmpeg
from vidagent.errors import UsageError
from vidagent.video.sound import RATE, quietest, wav
from vidagent.video.video import Video

BEEPS = ((2.0, 500), (5.5, 900), (9.25, 1400))
"""Seconds of the sound's own clock at which a tone of 0.2 s begins, and its hertz."""
LONG_S = 12.0
EDGE_S = 0.012


def beeping(rate: int = 48_000, seconds: float = LONG_S) -> np.ndarray:
    wave_ = np.zeros(int(seconds * rate), np.float32)
    for start_s, hertz in BEEPS:
        times = np.arange(int(0.2 * rate)) / rate
        first = round(start_s * rate)
        wave_[first : first + len(times)] = 0.5 * np.sin(2 * np.pi * hertz * times)
    return wave_


def draw(path: Path, *, sound_s: float = 0.0, picture_s: float = 0.0, codec: str = "aac", rate: int = 48_000):
    """Encode grey pictures and the beeps, each beginning at its own PTS."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "50"})
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream(codec, rate=rate, layout="stereo")
        for number in range(int(LONG_S * 25)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 200, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number + round(picture_s * 25), Fraction(1, 25)
            out.mux(pictures.encode(frame))
        samples = np.stack([beeping(rate)] * 2)
        for first in range(0, samples.shape[1], 1024):
            part = np.ascontiguousarray(samples[:, first : first + 1024])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = rate, first + round(sound_s * rate)
            frame.time_base = Fraction(1, rate)
            out.mux(sound.encode(frame))
        out.mux(sound.encode())
        out.mux(pictures.encode())
    return path


def heard(samples: np.ndarray, from_s: float = 0.0) -> list[tuple[float, int]]:
    """Return where tones begin, and their hertz by counting the crossings of zero."""
    loud = np.abs(samples.astype(float)) > 1500
    found: list[tuple[float, int]] = []
    places = np.flatnonzero(loud)
    for group in np.split(places, np.flatnonzero(np.diff(places) > RATE // 10) + 1) if len(places) else []:
        part = samples[group[0] : group[-1] + 1].astype(float)
        crossings = np.count_nonzero(np.diff(np.signbit(part)))
        found.append((from_s + group[0] / RATE, round(crossings / 2 / (len(part) / RATE))))
    return found


def expect(found, offset_s: float = 0.0) -> None:
    assert [t for t, _ in found] == pytest.approx([t + offset_s for t, _ in BEEPS], abs=EDGE_S)
    assert [hertz for _, hertz in found] == pytest.approx([hertz for _, hertz in BEEPS], rel=0.03)


@pytest.mark.parametrize(
    ("name", "how", "offset_s"),
    [
        ("plain.mp4", {}, 0.0),
        ("plain.mkv", {"rate": 44_100}, 0.0),
        ("late.mp4", {"sound_s": 1.5}, 1.5),
        ("late.mkv", {"sound_s": 1.5}, 1.5),
        ("late.ts", {"sound_s": 1.5}, 1.5),
        ("both_late.mkv", {"sound_s": 10.0, "picture_s": 10.0}, 0.0),
        ("picture_late.mkv", {"picture_s": 2.0}, 0.0),
        ("picture_late.ts", {"sound_s": 10.0, "picture_s": 12.0, "codec": "ac3"}, 0.0),
        ("opus.mkv", {"codec": "libopus"}, 0.0),
    ],
)
def test_tones_are_heard_when_a_player_plays_them(tmp_path, name, how, offset_s):
    with Video.open(draw(tmp_path / name, **how)) as video:
        expect(heard(video.sound(0.0, 16.0)), offset_s)


@pytest.mark.parametrize("name", ["part.mp4", "part.mkv", "part.ts"])
def test_any_stretch_is_the_same_as_in_the_whole(tmp_path, name):
    with Video.open(draw(tmp_path / name)) as video:
        whole = video.sound(0.0, LONG_S)
        for start_s, end_s in ((1.9, 2.6), (5.0, 6.0), (8.0, 11.0)):
            part = video.sound(start_s, end_s)
            assert len(part) == round((end_s - start_s) * RATE)
            there = heard(whole[round(start_s * RATE) : round(end_s * RATE)], start_s)
            assert [t for t, _ in heard(part, start_s)] == pytest.approx([t for t, _ in there], abs=0.001)
            assert there


def test_a_cut_by_an_edit_list_moves_the_sound_with_the_pictures(tmp_path):
    whole, cut = draw(tmp_path / "whole.mp4"), tmp_path / "cut.mp4"
    ffmpeg("-ss", "1", "-i", whole, "-c", "copy", cut)
    with Video.open(cut) as video:
        first_s = heard(video.sound(0.0, 10.0))[0][0]
    # A stream copy keeps the pictures from the keyframe before the cut, hidden by the edit list.
    assert first_s == pytest.approx(BEEPS[0][0] - 1.0, abs=0.03)


def test_a_gap_in_the_sound_stays_silent(tmp_path):
    path = tmp_path / "gap.mkv"
    ffmpeg(
        "-i", draw(tmp_path / "whole.mkv"), "-c:v", "copy", "-c:a", "pcm_s16le",
        "-af", "aselect='not(between(t,3,5))'", path,
    )  # fmt: skip
    with Video.open(path) as video:
        expect(heard(video.sound(0.0, LONG_S)))


def test_without_sound_there_is_silence(shelf):
    with Video.open(shelf.clip("vfr_mkv").path) as video:
        assert video.info.audio is None
        assert not video.sound(0.0, 2.0).any()
        with pytest.raises(UsageError, match="up to 900 s long, got 5000"):
            video.sound(0.0, 5000.0)


def test_the_quietest_place_lies_between_words():
    loud = np.full(10 * RATE, 3000, np.int16)
    loud[7 * RATE : 7 * RATE + RATE // 2] = 3
    assert 7.0 <= quietest(loud, 5 * RATE) / RATE <= 7.5
    assert quietest(loud[:100], 50) == 100


def test_a_wav_file_holds_the_samples():
    samples = np.arange(-300, 300, dtype=np.int16)
    with wave.open(io.BytesIO(wav(samples))) as read:
        assert (read.getframerate(), read.getnchannels(), read.getsampwidth()) == (16_000, 1, 2)
        assert np.array_equal(np.frombuffer(read.readframes(600), "<i2"), samples)
