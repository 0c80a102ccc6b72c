from __future__ import annotations

import os

import pytest

from tests.media.bad import BAD
from vidagent.errors import VideoError
from vidagent.video.source import check, container_of
from vidagent.video.video import Video


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line_that_says_what_and_why(name, tmp_path):
    make, words = BAD[name]
    path = make(tmp_path)
    with pytest.raises(VideoError) as caught:
        Video.open(path)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert len(message) < 400
    assert message.startswith(path or "''")


# As root, no file can be made unreadable.
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission_is_said(tmp_path):
    path = tmp_path / "locked.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom")
    path.chmod(0)
    with pytest.raises(VideoError, match="permission denied"):
        check(path)


def test_a_nul_byte_in_the_name_is_no_path():
    with pytest.raises(VideoError, match="not a path"):
        check("a\0b.mp4")


def test_the_absolute_path_comes_back(clip_path, monkeypatch):
    path = clip_path("h264")
    monkeypatch.chdir(path.parent)
    assert check(path.name) == path


@pytest.mark.parametrize(
    ("clip", "container"),
    [("h264", "mov"), ("fragmented", "mov"), ("vp9", "matroska"), ("mpegts", "mpegts"), ("mpeg4_avi", "avi")],
)
def test_containers_are_known_by_their_first_bytes(clip, container, clip_path):
    assert container_of(clip_path(clip).read_bytes()[:65536]) == container
