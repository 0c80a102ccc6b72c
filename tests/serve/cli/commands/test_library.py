"""`vidagent library`, `find` and `ask --library`: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.library.conftest import ODD, colours, indexed, kept, own, painted
from tests.scripted_server import ScriptedServer
from tests.serve.batch.conftest import script
from tests.serve.running import PATIENCE
from vidagent.errors import UsageError
from vidagent.library import library

__all__ = ["colours", "indexed", "kept", "own", "painted"]
pytestmark = pytest.mark.network


def test_find_prints_hits_as_the_contract_says(command, indexed):
    done = command("find", "red", "--json", "--limit", "3")
    hits = done.json()["hits"]
    assert done.code == 0
    assert set(hits[0]) == {"video", "time_s", "end_s", "why", "score"}
    assert hits[0]["video"] == str(indexed / "a.mp4")
    assert (hits[0]["time_s"], hits[0]["end_s"]) == (0.0, 2.0)
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


def test_find_prints_lines_for_people(command, indexed, monkeypatch, tmp_path):
    monkeypatch.chdir(indexed)
    monkeypatch.delenv("VIDAGENT_EMBEDDING_BASE_URL")
    done = command("find", "lantern", "--save-frames", str(tmp_path / "hits"))
    place, why, picture = done.out.splitlines()
    assert place == "a.mp4  0:00.500 to 0:02.000"
    assert why == '  subtitle: "The harbour lantern is lit"'
    assert picture.strip() == str(tmp_path / "hits" / "hit-1-1.200s.jpg")
    assert command("find", "nowhere").out == "nothing found in 4 videos\n"


def test_names_that_are_no_utf_8_are_printed_whole(command, indexed):
    done = command("find", "dawn", "--json", "--limit", "1")
    assert done.json()["hits"][0]["video"].endswith("b ünï 'q\" \udcff.mp4")


def test_add_status_list_and_remove(command, own):
    (own / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000))
    done = command("library", "add", str(own), "--no-texts", "--json")
    assert done.code == 3
    assert done.json()["indexed"] == 4
    assert done.json()["failed"][0]["video"] == str(own / "broken.mp4")
    assert "found     5 new" in done.err
    assert "indexed   4 videos in 0:00:" in done.err
    status = command("library", "status", "--json").json()
    assert (status["videos"], status["indexed"], status["failed"], status["indexer"]) == (5, 4, 1, None)
    listed = command("library", "list").out.splitlines()
    assert listed[0].startswith("indexed      0:06.000  ")
    assert any(line.startswith("failed ") and line.endswith("(moov box) is missing") for line in listed)
    assert command("library", "remove", str(own / "broken.mp4")).err == "removed   1 video from the library\n"
    assert "5 indexed" not in command("library", "status").out


def test_a_file_name_of_two_lines_is_one_row(command, tmp_path):
    broken = tmp_path / "two  spaces\nand lines.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000))
    assert command("library", "add", str(broken), "--no-texts").code == 3
    (row,) = command("library", "list").out.splitlines()
    assert f"{tmp_path}/two  spaces and lines.mp4  " in row
    assert row.endswith("(moov box) is missing")
    told = [line for line in command("library", "status").out.splitlines() if "and lines.mp4" in line]
    assert [line.split()[0] for line in told] == ["added", "failed"]


def test_bad_use_is_told(command, tmp_path):
    assert command("library", "add").err.startswith("vidagent: name the folders whose videos are to be added")
    assert command("library", "remove").code == 2
    assert "is empty: `vidagent library add DIR`" in command("find", "x").err
    assert command("library", "status").code == 0
    assert command("library", "list").out.startswith("no videos")
    nowhere = command("library", "add", str(tmp_path / "nowhere"))
    assert (nowhere.code, nowhere.err) == (
        2,
        f"vidagent: there is no folder or file {tmp_path / 'nowhere'}\n",
    )
    assert "find" not in command("library", "status", "--json").json()


class Started:
    """A process that indexes for a while, and ends well."""

    pid, returncode = 7, None

    def poll(self):
        if self.returncode is None:
            self.returncode = 0
            return None
        return 0


def test_errors_of_the_background_are_told_at_once_or_by_status(command, own, tmp_path, monkeypatch):
    (tmp_path / "cache" / "library").mkdir()
    (tmp_path / "cache" / "library" / "library.sqlite3").write_bytes(b"no database" * 1000)
    monkeypatch.setattr("vidagent.serve.cli.commands.library._START_S", 60 * PATIENCE)
    at_once = command("library", "add", str(own), "--background", "--no-texts")
    assert (at_once.code, "library.sqlite3 away and add the folders again" in at_once.err) == (2, True)
    assert "indexing in the background" not in at_once.err
    (tmp_path / "cache" / "library" / "library.sqlite3").unlink()

    def cannot(*_):
        raise UsageError("the cluster has gone")

    with monkeypatch.context() as patch:
        patch.setattr(library, "index_here", cannot)
        assert command("library", "add", str(own), "--no-texts").code == 2
    assert "ended by  the cluster has gone" in command("library", "status").out
    assert command("library", "status", "--json").json()["broken_off"] == "the cluster has gone"
    assert command("library", "add", "--no-texts").code == 0
    assert "ended by" not in command("library", "status").out


def test_add_in_the_background_goes_on_by_itself(command, own, monkeypatch):
    started = []
    monkeypatch.setattr(
        "vidagent.serve.cli.commands.library.subprocess.Popen",
        lambda words, **options: started.append((words, options)) or Started(),
    )
    done = command("library", "add", str(own), "--background", "--no-texts")
    [(words, options)] = started
    assert words[1:] == ["-m", "vidagent", "library", "add", "--no-texts", "--", str(own)]
    assert options["start_new_session"]
    assert "indexing in the background (process 7; " in done.err
    refused = command("library", "add", str(own), "--background", "--transcribe")
    assert (refused.code, len(started)) == (2, 1)
    assert "transcribing needs a speech model" in refused.err
    (own / "empty").mkdir()
    told = "there is no video in the folder", "'' is no folder", "there is no folder or file"
    for wrong, why in zip((str(own / "empty"), "", str(own / "nowhere")), told, strict=True):
        refused = command("library", "add", wrong, "--background")
        assert (refused.code, len(started)) == (2, 1)
        assert why in refused.err
    monkeypatch.setenv("VIDAGENT_EMBEDDING_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("VIDAGENT_EMBEDDING_MODEL", "colours")
    gone = command("library", "add", str(own), "--background")
    assert (gone.code, len(started)) == (4, 1)
    assert gone.err.startswith("vidagent: the embedding server at http://127.0.0.1:9/v1 cannot be reached")


def test_ask_asks_the_videos_that_fit_best_and_tells_the_coverage_of_each(command, indexed):
    with ScriptedServer(script) as server:
        asked = ("ask", "--library", "When is the harbour seen?", "--most-videos", "2", "--json")
        done = command(*asked, "--base-url", server.url, "--model", "scripted")
    assert done.code == 0, done.err
    found = done.json()
    names = [json.dumps(video["path"]) for video in found["videos"]]
    assert len(names) == 2
    assert any("a.mp4" in name for name in names)
    assert [one["video"] for one in found["coverage"]["videos"]] == [0, 1]
    assert all(one["seconds_seen"] > 0 for one in found["coverage"]["videos"])
    assert "library   1. " in done.err


def test_ask_refuses_what_does_not_go_together(command, indexed, monkeypatch):
    assert (
        "--library chooses the videos itself; got 'a.mp4'"
        in command("ask", "--library", "a.mp4", "When?").err
    )
    assert (
        "--most-videos goes with --library, got 3"
        in command("ask", "x.mp4", "When?", "--most-videos", "3").err
    )
    monkeypatch.delenv("VIDAGENT_EMBEDDING_BASE_URL")
    nothing = command("ask", "--library", "zzzz?")
    assert nothing.code == 2
    assert "nothing in the 4 indexed videos fits the question; only words were searched" in nothing.err


@pytest.mark.parametrize("flag", ["--resume=last", "--session=a", "--stream=1", "--schema=goals.json"])
def test_ask_refuses_what_is_for_one_video_before_the_search(command, flag, monkeypatch):
    monkeypatch.setattr("vidagent.library.library.SearchableLibrary", lambda: pytest.fail("searched"))
    done = command("ask", "--library", "When?", flag)
    name, _, value = flag.partition("=")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"vidagent: {name} is for ")
    assert done.err.endswith(f"; got {value}\n")


@pytest.mark.parametrize("named", ["{}", "{}/*.m*", "{}/**/*.mp4"])
def test_ask_takes_folders_and_patterns(command, indexed, named):
    done = command(
        "ask", named.format(indexed), "How many cuts are there?", "--model", "signals", "--dry-run", "--json"
    )
    paths = [run["video"]["path"] for run in done.json()["videos"]]
    assert len(paths) == (4 if named == "{}" else 3)
    assert all(path.startswith(str(indexed)) for path in paths)


def test_ask_leaves_out_what_it_cannot_read_in_a_folder(command, own, tmp_path):
    (own / "sub" / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000))
    asked = ("ask", str(own / "sub"), "When does the text 'X' appear?", "--model", "signals")
    done = command(*asked, "--json")
    assert [Path(video["path"]).name for video in done.json()["videos"]] == [ODD]
    assert [Path(video["path"]).name for video in done.json()["unread"]] == ["broken.mp4"]
    assert "left out" in done.err
    assert "broken.mp4" in done.err
    assert "left out  " in command(*asked).out
    assert command("ask", str(own / "sub" / "broken.mp4"), str(own / "a.mp4"), "When?").code == 3


def test_ask_tells_of_folders_without_videos_and_of_too_many(command, tmp_path):
    (tmp_path / "empty").mkdir()
    assert (
        f"there is no video in the folder {tmp_path / 'empty'}"
        in command("ask", str(tmp_path / "empty"), "When?").err
    )
    assert "no file matches" in command("ask", str(tmp_path / "*.mp4"), "When?").err
    assert command("ask", "", "When?").err == "vidagent: '' is not a path: give the path of a video file\n"
    for number in range(17):
        (tmp_path / f"{number}.mp4").write_bytes(b"x")
    many = command("ask", str(tmp_path), "When?")
    assert many.code == 2
    assert "1 to 16 videos, got 17; `vidagent library add` takes any number" in many.err
