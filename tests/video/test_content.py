"""A file's hash: read beside other work, remembered, and never that of another file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading

import pytest

from tests.media.make import encode
from vidagent import api
from vidagent.errors import VideoError
from vidagent.video import content as module
from vidagent.video.content import Content, KnownFiles, content_of


class Readings:
    """Takes every file for a large one, and holds each reading until `go` is set."""

    def __init__(self, monkeypatch):
        self.paths, self.go, self._really = [], threading.Event(), Content._hash
        readings = self

        def later(content):
            readings.paths.append(content._path)
            if threading.current_thread().name == "sha256":
                assert readings.go.wait(60)
            readings._really(content)

        monkeypatch.setattr(module, "AT_ONCE_BYTES", 0)
        monkeypatch.setattr(module, "_SETTLED_S", 0.0)
        monkeypatch.setattr(Content, "_hash", later)


@pytest.fixture
def readings(monkeypatch):
    readings = Readings(monkeypatch)
    yield readings
    readings.go.set()


@pytest.fixture
def known(tmp_path):
    return KnownFiles(tmp_path / "cache")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(os.urandom(3 << 20))
    return path


@pytest.fixture
def clip(tmp_path):
    encode(tmp_path / "clip.mp4")
    return tmp_path / "clip.mp4"


def true_hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_large_file_is_read_beside_other_work_and_only_once(file, known, readings):
    first, told = content_of(file, "file.bin", known), []
    assert first.pending
    assert content_of(file, "file.bin", known) is first
    first.when_hashed(lambda: told.append(first.sha256))
    assert told == []
    readings.go.set()
    assert first.sha256 == true_hash(file)
    later = content_of(file, "file.bin", known)
    assert (later.sha256, later.pending) == (first.sha256, False)
    assert readings.paths == [file]
    later.when_hashed(lambda: told.append("at once"))
    assert "at once" in told


def test_a_copy_of_a_known_file_is_read_before_anything_else(file, known, readings, tmp_path):
    readings.go.set()
    first = content_of(file, "file.bin", known)
    assert first.sha256 == true_hash(file)
    copy = tmp_path / "copy.bin"
    shutil.copyfile(file, copy)
    again = content_of(copy, "copy.bin", known)
    assert not again.pending
    assert (again.sha256, again.fingerprint) == (first.sha256, first.fingerprint)


def test_a_long_reading_before_anything_else_keeps_no_other_file_waiting(file, known, readings, tmp_path):
    readings.go.set()
    assert content_of(file, "file.bin", known).sha256 == true_hash(file)
    copy, other = tmp_path / "copy.bin", tmp_path / "other.bin"
    shutil.copyfile(file, copy)
    other.write_bytes(os.urandom(1 << 20))
    held, go, opened = threading.Event(), threading.Event(), []
    really = Content._hash

    def slowly(content):
        if content._path == copy:
            held.set()
            assert go.wait(60)
        really(content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Content, "_hash", slowly)
        both = [threading.Thread(target=lambda: opened.append(content_of(copy, "", known))) for _ in "ab"]
        for thread in both:
            thread.start()
        assert held.wait(60)
        aside = threading.Thread(target=lambda: opened.append(content_of(other, "", known)))
        aside.start()
        aside.join(10)
        assert [content._path for content in opened] == [other]
        go.set()
        for thread in both:
            thread.join(60)
    assert opened[1] is opened[2]
    assert (opened[1].pending, opened[1].sha256) == (False, true_hash(file))


def test_a_file_changed_in_place_has_another_hash_though_its_time_stamp_is_the_same(file, known, readings):
    readings.go.set()
    before, stat = content_of(file, "file.bin", known).sha256, file.stat()
    with file.open("r+b") as opened:
        opened.seek(1 << 20)
        opened.write(b"changed")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file.stat().st_size == stat.st_size
    assert content_of(file, "file.bin", known).sha256 == true_hash(file) != before


def test_a_file_that_has_just_changed_is_not_remembered(file, known, readings, monkeypatch):
    monkeypatch.setattr(module, "_SETTLED_S", 60.0)
    readings.go.set()
    for _ in range(2):
        assert content_of(file, "file.bin", known).sha256 == true_hash(file)
    assert readings.paths == [file, file]


def test_what_cannot_be_read_says_so(file, known, readings):
    content = content_of(file, "file.bin", known)
    file.unlink()
    readings.go.set()
    with pytest.raises(VideoError, match=r"^file\.bin: cannot be read \(No such file"):
        _ = content.sha256


def test_an_index_built_while_the_file_is_read_is_kept(clip, readings):
    built = []
    building = threading.Thread(target=lambda: built.append(api.index_video(clip)))
    building.start()
    building.join(60)
    assert built[0].seconds.keys() >= {"scan", "activity"}
    readings.go.set()
    assert built[0].video.sha256 == true_hash(clip)
    assert api.index_video(clip).seconds == {}
    moved = clip.rename(clip.with_name("moved.mp4"))
    assert api.index_video(moved).seconds == {}


def test_an_answer_waits_for_the_true_hash(clip, readings):
    threading.Timer(1.0, readings.go.set).start()
    answer = api.analyze_video(clip, "How long is this video?", model="signals")
    assert answer.to_dict()["video"]["sha256"] == true_hash(clip)
    [run] = api.list_runs()
    kept = json.loads((run.folder.path / "run.json").read_text())
    assert kept["video"]["sha256"] == true_hash(clip)


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    known = KnownFiles(tmp_path / "file" / "cache")
    stat = (tmp_path / "file").stat()
    for number in range(3):
        known.add(stat, "fingerprint", f"{number}" * 64)
        assert known.sha256(stat) is None
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        f"continuing without {tmp_path}/file/cache/v1/files.sqlite3"
    ]
