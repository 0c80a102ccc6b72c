"""What may be ordered: by suffix, checked before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidagent.errors import UsageError
from vidagent.reports.export.export_request import ExportRequest, export_request

LEGAL = "a file ending in .csv, .edl, .ffmetadata, .jpg, .json, .md, .mp4, .png, .srt or .txt, or a folder"


@pytest.fixture
def video(tmp_path) -> Path:
    path = tmp_path / "talk.mp4"
    path.write_bytes(b"video")
    (tmp_path / "talk.en.srt").write_text("")
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clip.mp4", ".mp4"), ("A.CSV", ".csv"), ("a.jpeg", ".jpg"), ("a.png", ".png"), ("a.json", ".json"),
        ("a.srt", ".srt"), ("a.edl", ".edl"), ("frames", "folder"), ("new.d/", "folder"), ("deep/down/", "folder"),
    ],
)  # fmt: skip
def test_the_suffix_says_the_kind(tmp_path, video, name, kind):
    (export,) = export_request(video, None, f"{tmp_path}/{name}").exports
    assert export.kind == kind
    assert sorted(path.name for path in tmp_path.iterdir()) == ["talk.en.srt", "talk.mp4"]


def test_a_folder_that_is_there_is_one_whatever_its_name(tmp_path, video):
    (tmp_path / "out.v2").mkdir()
    assert export_request(video, None, [tmp_path / "out.v2"]).exports[0].kind == "folder"


def test_nothing_ordered_is_nothing_to_do(video):
    assert not export_request(video)
    assert export_request(video, None, []) == ExportRequest()


@pytest.mark.parametrize("name", ["clip.avi", "a.htm.gz", "report.html"])
def test_an_unknown_suffix_names_the_legal_ones(tmp_path, video, name):
    with pytest.raises(UsageError) as failed:
        export_request(video, None, [tmp_path / name])
    assert str(failed.value) == f"an export is {LEGAL}; got {str(tmp_path / name)!r}"


def test_no_path_is_no_export(video):
    with pytest.raises(UsageError, match=r"^an export is a file ending in .*; got ''$"):
        export_request(video, None, "")


def test_a_report_is_html(tmp_path, video):
    with pytest.raises(UsageError, match=r"^a report is a file ending in \.html, got 'out\.pdf'$"):
        export_request(video, "out.pdf")
    assert export_request(video, tmp_path / "out.HTM").report == tmp_path / "out.HTM"


def test_a_missing_folder_is_told_at_once(tmp_path, video):
    missing = tmp_path / "no" / "out.html"
    with pytest.raises(UsageError) as failed:
        export_request(video, missing)
    assert str(failed.value) == f"{str(missing)!r} cannot be written: No such file or directory"


def test_a_folder_in_the_place_of_a_file(tmp_path, video):
    (tmp_path / "out.html").mkdir()
    with pytest.raises(UsageError, match=r"out\.html' cannot be written: it is a folder$"):
        export_request(video, tmp_path / "out.html")


def test_a_file_in_the_place_of_a_folder(tmp_path, video):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match=r"taken/frames' cannot be written: Not a directory$"):
        export_request(video, None, tmp_path / "taken" / "frames")
    with pytest.raises(UsageError, match=r"taken' cannot be written: Not a directory$"):
        export_request(video, None, tmp_path / "taken")


def test_the_video_and_its_subtitles_are_not_written_over(tmp_path, video):
    (tmp_path / "link.mp4").symlink_to(video)
    for name in ("talk.mp4", "talk.en.srt", "link.mp4", "./sub/../talk.mp4"):
        (tmp_path / "sub").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match=r"is the video itself or its subtitles; give another path$"):
            export_request(video, None, [tmp_path / name])
    assert video.read_bytes() == b"video"


def test_a_path_named_twice(tmp_path, video):
    with pytest.raises(UsageError, match=r"is named twice; give each file its own path$"):
        export_request(video, None, [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "a.csv"])


def test_a_path_that_can_be_none_is_told(video):
    with pytest.raises(UsageError, match=r"is not a path: it holds a null character$"):
        export_request(video, None, "a\0b.csv")
    assert export_request("a\0b.mp4", video.parent / "out.html").report == video.parent / "out.html"
