import json
import shutil
import subprocess
import sys
import textwrap

import pytest

from tests.video.drawn import Drawn, draw
from vidagent.video.cache.video_cache import FoundText, VideoCache
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Drawn:
    """Return a drawn clip with what is known of it."""
    return draw(tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def cache(tmp_path):
    return VideoCache(tmp_path / "cache")


@pytest.fixture
def opened(drawn, cache):
    """Return the function that opens a video with its index, and close all of them at the end."""
    videos = []

    def open_index(path=drawn.path, **rest):
        videos.append(Video.open(path))
        return Index(videos[-1], cache, **rest)

    yield open_index
    for video in videos:
        video.close()


def test_the_scan_finds_cuts_and_texts(drawn, opened):
    scan = opened().scan()
    assert scan.exact
    assert scan.cuts_s == pytest.approx(drawn.cuts_s)
    assert any(
        drawn.text.start_s <= moment.time_s < drawn.text.end_s
        for moment in scan.moments
        if moment.box[1] < 0.6
    )
    assert len(scan.motion) == pytest.approx(drawn.duration_s, abs=1)


def test_a_second_opening_decodes_nothing(opened):
    first = opened()
    assert not first.scanned()
    scan, activity, keyframes = first.scan(), first.activity(), first.keyframes()
    assert set(first.seconds) == {"scan", "activity"}
    again = opened()
    before = again.video.frames_decoded
    assert again.scanned()
    assert again.scan() == scan
    assert again.activity().bytes_per_s.tolist() == activity.bytes_per_s.tolist()
    assert again.activity().bin_s == activity.bin_s
    assert again.keyframes() == keyframes
    assert (again.video.frames_decoded - before, again.seconds) == (0, {})


def test_the_cache_goes_by_content_and_not_by_name(drawn, opened, tmp_path):
    opened().scan()
    renamed = tmp_path / "another name.mp4"
    shutil.copyfile(drawn.path, renamed)
    index = opened(renamed)
    assert index.scanned()
    assert index.report().frames_decoded == 0


def test_other_content_under_the_same_name_is_scanned_anew(drawn, opened, tmp_path):
    path = tmp_path / "video.mp4"
    shutil.copyfile(drawn.path, path)
    opened(path).scan()
    path.write_bytes(drawn.path.read_bytes() + b"\0\0\0\x08free")
    assert not opened(path).scanned()


def test_progress_is_passed_on_from_the_scan(opened, monkeypatch):
    told, calls = [], []
    index = opened(on_progress=lambda doing, share: told.append((doing, share)))
    scanned = index.video.scan

    def scan(on_progress, texts):
        calls.append(texts)
        on_progress(0.0)
        return scanned(on_progress, texts=texts)

    monkeypatch.setattr(index.video, "scan", scan)
    index.scan()
    index.scan()
    assert told[0] == ("indexing", 0.0)
    assert told == sorted(told)
    assert calls == [False]


def test_the_report(drawn, opened):
    index = opened()
    index.note_texts([FoundText(1.0, "EXIT", (1, 2, 3, 4))])
    report = index.report()
    assert report.shots == pytest.approx((0.0, *drawn.cuts_s))
    assert (report.shots_exact, report.texts, report.subtitles) == (True, 1, 0)
    assert report.keyframes >= 1
    assert report.moments >= 1
    assert report.frames_decoded >= drawn.duration_s * 25
    assert set(report.seconds) == {"activity", "scan"}
    told = json.loads(json.dumps(report.to_dict()))
    assert told["shots"] == list(report.shots)
    assert told["video"]["sha256"] == index.video.info.sha256
    lines = report.lines()
    assert f"{len(drawn.cuts_s) + 1} shots, " in lines[1]
    assert f"{report.frames_decoded} frames decoded" in lines[-1]


def test_the_second_report_comes_from_the_cache(opened):
    opened().report()
    again = opened().report()
    assert (again.seconds, again.frames_decoded) == ({}, 0)
    assert again.lines()[-1] == "cost: all from the cache; 0 frames decoded"


def test_texts_that_were_read_are_kept(opened):
    found = [FoundText(2.0, "GATE 7", (1, 2, 3, 4)), FoundText(9.5, "EXIT", None)]
    opened().note_texts(found)
    assert opened().texts() == found


def test_subtitles_of_the_file_and_beside_it_come_in_order_of_time(clip_path, opened, tmp_path):
    path = tmp_path / "film.mkv"
    shutil.copyfile(clip_path("subtitled_mkv"), path)
    (tmp_path / "film.srt").write_text("1\n00:00:03,000 --> 00:00:03,500\nfrom beside\n")
    cues = opened(path).cues()
    assert [(cue.start_s, " ".join(cue.text.split())) for cue in cues] == [
        (1.0, "Good morning"),
        (3.0, "from beside"),
        (4.0, "two lines"),
    ]
    assert opened(path).report().subtitles == 3


def test_two_processes_share_one_cache(drawn, cache):
    """Both build the index of one video at once: both succeed, agree, and a third finds all of it."""
    script = """
        import json, sys
        from vidagent.video.cache.video_cache import FoundText, VideoCache
        from vidagent.video.index.video_index import Index
        from vidagent.video.video import Video

        with Video.open(sys.argv[1]) as video:
            index = Index(video, VideoCache(sys.argv[2]))
            sys.stdin.readline()
            for number in range(20):
                index.note_texts([FoundText(number, sys.argv[3], None)])
            report = index.report().to_dict()
            print(json.dumps([report["shots"], report["moments"], report["keyframes"]]))
    """
    folder = cache.folder.parent
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), str(drawn.path), str(folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert told[0] == told[1]
    assert len(json.loads(told[0])[0]) == len(drawn.cuts_s) + 1
    with Video.open(drawn.path) as video:
        third = Index(video, cache)
        assert third.scanned()
        assert len(third.texts()) == 40
        assert third.report().frames_decoded == 0


def test_without_a_cache_folder_it_is_built_each_time(drawn, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    for _ in range(2):
        with Video.open(drawn.path) as video:
            index = Index(video, VideoCache(tmp_path / "file" / "cache"))
            assert index.scan().cuts_s == pytest.approx(drawn.cuts_s)
            assert "scan" in index.seconds
    assert "continuing without the cache" in caplog.text


def test_a_damaged_entry_is_made_anew(drawn, opened, cache):
    index = opened()
    scan = index.scan()
    index.activity()
    for path in cache.folder.rglob("*.arrays"):
        path.write_bytes(b"\0" * 64)
    cache.put_json(index.video.info.sha256, "scan-5", {"moments": "none of it"})
    again = opened()
    assert again.keyframes() == index.keyframes()
    assert again.scan() == scan
