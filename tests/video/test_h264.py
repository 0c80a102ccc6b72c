"""H.264 headers: a file joined of videos with different colour descriptions has the same colours after every seek."""

from __future__ import annotations

import random
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media.make import X264, encode, ffmpeg
from vidagent.video.decoders import open_decoder
from vidagent.video.decoders.h264 import Colour, _colour

BT709, BT470BG, UNKNOWN = 1, 5, 2
LIMITED = 1
PARTS = ("undef", "bt709", "undef", "bt470bg", "undef")
PART_MS = range(0, 1000, 40)


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the file as MP4, with a sample table, and as MPEG-TS, without one."""
    folder = tmp_path_factory.mktemp("joined")
    for name in set(PARTS):
        options = {**X264, "g": "10", "x264-params": f"colormatrix={name}"}
        encode(folder / f"{name}.ts", PART_MS, options=options)
    (folder / "list.txt").write_text("".join(f"file '{name}.ts'\n" for name in PARTS))
    paths = {kind: folder / f"joined.{kind}" for kind in ("mp4", "ts")}
    for path in paths.values():
        ffmpeg("-f", "concat", "-i", folder / "list.txt", "-c", "copy", path)
    return paths


def test_colours_after_a_seek_are_those_of_a_plain_pass(joined):
    with av.open(str(joined["mp4"])) as container:
        shown = [
            (frame.pts, frame.to_ndarray(format="rgb24"), frame.colorspace)
            for frame in container.decode(video=0)
        ]
    assert [matrix for _, _, matrix in shown[::25]] == [UNKNOWN, BT709, BT709, BT470BG, BT470BG]
    decoder = open_decoder("pyav", joined["mp4"])
    times_s = decoder.frame_times(-1.0, 99.0)
    assert len(times_s) == len(shown)
    for number in random.Random(5).choices(range(len(shown)), k=60):
        for snap in ("exact", "keyframe"):
            frame = decoder.frames_at([float(times_s[number])], snap=snap)[0]
            wanted = shown[int(np.abs(times_s - frame.time_s).argmin())][1]
            assert np.array_equal(frame.rgb, wanted), (number, snap)
    decoder.close()


def test_without_a_sample_table_each_part_has_the_colours_of_its_own_header(joined):
    decoder = open_decoder("pyav", joined["ts"])
    times_s = decoder.frame_times(-1.0, 99.0).tolist()
    plain = {frame.time_s: frame.rgb for frame in decoder.frames_between(-1.0, 99.0)}
    assert len(plain) == 125
    for t_s in random.Random(6).choices(times_s, k=60):
        (frame,) = decoder.frames_at([t_s])
        assert np.array_equal(frame.rgb, plain[t_s])
    first, undeclared = plain[times_s[3]], plain[times_s[53]]
    assert (
        np.abs(first.astype(int) - undeclared).max()
        == 0
        != np.abs(first.astype(int) - plain[times_s[28]]).max()
    )
    decoder.close()


@pytest.mark.parametrize(
    ("header", "declared"),
    [
        ("67640016acb405017fcb8088000003000800000300f078b175", Colour()),
        ("67640016acb405017fcb80b506010640000003004000000783c58ba8", Colour(6, LIMITED)),
        ("67640016acb405017fcb80b5010101a50000030001000003001e0f162ea0", Colour(1, LIMITED)),
        ("6764", Colour()),
        ("67", Colour()),
        ("67" + "00" * 40, Colour()),
    ],
)
def test_a_sequence_header_tells_its_colours(header, declared):
    assert _colour(bytes.fromhex(header)) == declared
