"""Texts on screen, found in drawn clips: their first and last frames, places, readings, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index.moments import thin_strokes
from vidagent.video.index.scan import SCAN_WH
from vidagent.video.index.video_index import _TEXTS_VERSION, Index
from vidagent.video.texts.candidate_finder import CandidateFinder
from vidagent.video.texts.candidates import Candidates
from vidagent.video.texts.finder import TextFinder
from vidagent.video.texts.reader import shared_reader
from vidagent.video.texts.track import Tracks, plain
from vidagent.video.video import Video

FPS = 25
WHITE = (245, 245, 245)


def write(picture, text, at, scale=1.0, colour=WHITE):
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_DUPLEX, scale, colour, 1 + round(scale), cv2.LINE_AA)


def encode(path: Path, pictures: Iterable[np.ndarray]) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.options = {"preset": "superfast", "crf": "20", "g": "120"}
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    return path


def clip(path: Path, frames: int, drawn: Callable[[int, np.ndarray], None]) -> Path:
    """Draw a clip on a plain ground."""

    def pictures():
        for number in range(frames):
            picture = np.full((360, 640, 3), (46, 60, 80), np.uint8)
            drawn(number, picture)
            yield picture

    return encode(path, pictures())


@pytest.fixture
def tracks_of(tmp_path) -> Callable[..., Tracks]:
    def find(path: Path, cpu_s: float | None = None) -> Tracks:
        with Video.open(path) as video:
            found = Index(video, VideoCache(tmp_path / "cache")).text_tracks(read=True, cpu_s=cpu_s)
        assert found is not None
        return found

    return find


def shown(found: Tracks, text: str) -> list[tuple[int, int]]:
    """Return the frames `[first, end)` of the tracks with a text."""
    return [
        (round(one.start_s * FPS), round(one.end_s * FPS))
        for one in found.tracks
        if plain(one.text) == plain(text)
    ]


def test_every_showing_of_a_text_is_a_track_of_its_own_to_the_frame(tmp_path, tracks_of):
    spans = [(10, 40), (60, 65), (90, 101)]

    def drawn(number, picture):
        cv2.circle(picture, (40 + 4 * number, 300), 20, (200, 120, 40), -1)
        if any(first <= number < end for first, end in spans):
            write(picture, "Chapter One", (60, 100))

    found = tracks_of(clip(tmp_path / "clip.mp4", 130, drawn))
    assert shown(found, "Chapter One") == spans
    assert found.complete
    assert all(one.sureness > 0.9 for one in found.tracks)


def test_texts_of_a_long_video_have_their_times_to_the_frame_too(tmp_path, tracks_of, monkeypatch):
    monkeypatch.setattr("vidagent.video.video._EXACT_SCAN_S", 1.0)

    def drawn(number, picture):
        if 22 <= number < 53:
            write(picture, "GATE 7", (60, 100))

    (track,) = tracks_of(clip(tmp_path / "long.mp4", 100, drawn)).tracks
    assert (track.text, track.start_s, track.end_s) == ("GATE 7", pytest.approx(0.88), pytest.approx(2.12))


def test_a_text_in_place_of_another_that_differs_in_one_digit(tmp_path, tracks_of):
    def drawn(number, picture):
        write(picture, f"BERTH {14 + number // 30}", (200, 180), 1.2)

    found = tracks_of(clip(tmp_path / "clip.mp4", 90, drawn))
    assert [shown(found, f"BERTH {number}") for number in (14, 15, 16)] == [[(0, 30)], [(30, 60)], [(60, 90)]]


def test_words_far_apart_in_one_line_are_tracks_of_their_own(tmp_path, tracks_of):
    def drawn(number, picture):
        write(picture, "BERTH", (150, 180), 1.2)
        write(picture, f"{14 + number // 30}", (330, 180), 1.2)

    found = tracks_of(clip(tmp_path / "clip.mp4", 60, drawn))
    words = sorted((one.text, round(one.start_s * FPS), round(one.end_s * FPS)) for one in found.tracks)
    assert words == [("14", 0, 30), ("15", 30, 60), ("BERTH", 0, 60)]


def test_a_line_is_not_cut_short_by_pieces_of_its_letters(tmp_path, tracks_of):
    def drawn(number, picture):
        picture[:] = 250
        cv2.circle(picture, (40 + 4 * number, 300), 14, (180, 90, 60), -1)
        write(picture, "Deep Sea Currents", (20, 120), 2.0, (20, 20, 60))

    found = tracks_of(clip(tmp_path / "clip.mp4", 120, drawn))
    assert shown(found, "Deep Sea Currents") == [(0, 120)]


def test_a_text_that_is_typed_is_whole_from_its_last_letter_on(tmp_path, tracks_of):
    word = "harbour"

    def drawn(number, picture):
        write(picture, word[: max(0, min(len(word), number // 4 - 2))], (120, 140))

    found = tracks_of(clip(tmp_path / "clip.mp4", 80, drawn))
    ((first, end),) = shown(found, word)
    assert abs(first - 36) <= 1  # a frame between two others may show a shadow of the next one
    assert end == 80


def test_a_text_that_moves_is_one_track_with_two_places(tmp_path, tracks_of):
    def drawn(number, picture):
        if 20 <= number < 80:
            write(picture, "Moving Title", (20 + 5 * (number - 20), 200))

    found = tracks_of(clip(tmp_path / "clip.mp4", 100, drawn))
    (one,) = [track for track in found.tracks if plain(track.text) == "movingtitle"]
    assert one.moves
    assert abs(one.start_s * FPS - 20) <= 1
    assert abs(one.end_s * FPS - 80) <= 1
    assert one.last_box_px[0] - one.box_px[0] == pytest.approx(5 * 59, abs=12)


def test_small_text_beside_large_text_and_their_sizes(tmp_path, tracks_of):
    def drawn(number, picture):
        if number >= 20:
            write(picture, "SUMMIT", (200, 120), 2.0)
            write(picture, "page 3 of 12", (500, 345), 0.45)

    found = tracks_of(clip(tmp_path / "clip.mp4", 60, drawn))
    assert shown(found, "SUMMIT") == shown(found, "page 3 of 12") == [(20, 60)]
    large, small = (
        next(one for one in found.tracks if one.text == text) for text in ("SUMMIT", "page 3 of 12")
    )
    assert large.height_px > 2 * small.height_px
    assert small.box_px[0] > 450
    assert small.box_px[1] > 310


def test_what_stands_for_less_than_a_fifth_of_a_second_is_left_out(tmp_path, tracks_of):
    def drawn(number, picture):
        if 30 <= number < 33:
            write(picture, "BLINK", (200, 120))

    assert tracks_of(clip(tmp_path / "clip.mp4", 60, drawn)).tracks == ()


def test_a_limit_of_cpu_leaves_a_part_and_a_later_call_goes_on(tmp_path, tracks_of):
    def drawn(number, picture):
        write(picture, f"SIGN {number // 20}", (200, 180), 1.2)

    path = clip(tmp_path / "clip.mp4", 160, drawn)
    part = tracks_of(path, cpu_s=0.0)
    assert not part.complete
    assert part.read < 1
    whole = tracks_of(path)
    assert whole.complete
    assert [shown(whole, f"SIGN {number}") for number in range(8)] == [
        [(20 * number, 20 * number + 20)] for number in range(8)
    ]
    with Video.open(path) as video:
        opened, index = video.frames_decoded, Index(video, VideoCache(tmp_path / "cache"))
        assert index.text_tracks() == whole
        assert index.text_tracks(read=True) == whole
        assert video.frames_decoded == opened


def test_what_was_too_much_to_follow_is_not_taken_for_read(tmp_path, tracks_of, monkeypatch):
    def drawn(_, picture):
        write(picture, "GATE 7", (60, 100))
        write(picture, "BERTH 14", (60, 200))

    path = clip(tmp_path / "clip.mp4", 20, drawn)
    with Video.open(path) as video:
        frame = video.frames_at([0.0])[0].rgb

    def found_with_room_for(most):
        monkeypatch.setattr("vidagent.video.texts.candidate_finder._MOST_STANDING", most)
        finder, grey = CandidateFinder((640, 360)), cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        strokes = thin_strokes(cv2.resize(grey, SCAN_WH))
        for number in range(10):
            finder.add(number / 25, grey, strokes, lambda box: frame[box[1] : box[3], box[0] : box[2]])
        return finder.finish()

    assert found_with_room_for(120).left_out == 0
    found = found_with_room_for(1)
    assert (len(found.found), found.left_out) == (1, 1)
    assert Candidates.unpacked(*found.packed()) == found
    finder = TextFinder(found, 1.0, shared_reader())
    finder.read(None, lambda state: None)
    assert finder.tracks().read == 0.5
    assert not finder.tracks().complete


def test_candidates_that_are_damaged_are_found_anew(tmp_path, tracks_of, caplog):
    path = clip(tmp_path / "clip.mp4", 20, lambda _, picture: write(picture, "GATE 7", (60, 100)))
    tracks_of(path, cpu_s=0.0)
    with Video.open(path) as video:
        sha256 = video.info.sha256
    VideoCache(tmp_path / "cache").put_json(sha256, f"candidates-{_TEXTS_VERSION}", {"found": []})
    found = tracks_of(path)
    assert [one.text for one in found.tracks] == ["GATE 7"]
    assert "is damaged and found anew" in caplog.text
