"""A library: what is found, and that nothing is lost when files change, move or go, or when an add is cut off."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

import vidagent
from tests.embedding_server import EmbeddingScript
from tests.library.conftest import ODD
from tests.library.drawn import paint
from tests.media.speaking import Listener, speak
from tests.scripted_server import ScriptedServer
from vidagent import Library, UsageError
from vidagent.agents.speech.server import granted
from vidagent.library import indexing
from vidagent.library.catalog import Catalog
from vidagent.library.changes import refresh
from vidagent.library.contents import Depth

pytestmark = pytest.mark.network


def named(hits):
    return [(hit.video.name, hit.time_s, hit.end_s) for hit in hits.hits]


def test_words_of_subtitles_are_found_with_their_times(indexed):
    found = Library().find("harbour")
    assert named(found)[0] == ("a.mp4", 0.5, 2.0) or named(found)[0] == (ODD, 1.0, 3.0)
    assert {("a.mp4", 0.5, 2.0), (ODD, 1.0, 3.0)} <= set(named(found)[:4])
    assert 'subtitle: "The harbour lantern is lit"' in "".join(hit.why for hit in found.hits)
    assert found.searched == 4
    assert found.notes == ()


def test_a_text_with_all_words_comes_before_one_with_some(indexed):
    assert named(Library().find("harbours at dawn"))[0] == (ODD, 1.0, 3.0)
    assert named(Library().find('"harbour lantern"'))[0] == ("a.mp4", 0.5, 2.0)
    scores = [hit.score for hit in Library().find("harbours at dawn").hits]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] <= scores[0] <= 1


def test_scripts_without_spaces_are_found_by_a_part_of_a_sentence(indexed):
    hits = Library().find("灯台").hits
    assert (hits[0].video.name, hits[0].time_s, hits[0].end_s) == ("灯台.mp4", 0.5, 1.5)


def test_who_speaks_stands_before_what_is_said(tmp_path, monkeypatch):
    (tmp_path / "films").mkdir()
    talk = speak(tmp_path / "films" / "talk.mp4", ((1.0, "harbour"), (2.5, "lantern")), 4.0)
    with ScriptedServer((), routes={"/v1/audio/transcriptions": Listener(voices=2)}) as server:
        monkeypatch.setenv("VIDAGENT_TRANSCRIBE_URL", server.url)
        monkeypatch.setenv("VIDAGENT_TRANSCRIBE_MODEL", "tones")
        granted.cache_clear()
        Library().add(talk.parent, texts=False, transcribe=True)
    (hit, *_) = Library().find("lantern").hits
    assert hit.why == 'said: "B: lantern"'


def test_a_file_is_found_by_its_name(indexed, monkeypatch):
    monkeypatch.delenv("VIDAGENT_EMBEDDING_BASE_URL")
    [hit] = [hit for hit in Library().find("灯台").hits if "file name" in hit.why]
    assert (hit.time_s, hit.end_s) == (0.0, 2.0)


@pytest.mark.parametrize(
    ("colour", "place"),
    [
        ("red", ("a.mp4", 0.0, 2.0)),
        ("blue", ("a.mp4", 4.0, 6.0)),
        ("orange", ("c.mkv", 4.0, 6.0)),
        ("violet", (ODD, 2.0, 4.0)),
    ],
)
def test_pictures_are_found_by_meaning(indexed, colour, place):
    found = Library().find(f"something {colour}")
    assert named(found)[0] == place
    assert found.hits[0].why.startswith("looks like it (similarity ")


def test_without_an_embedding_server_words_are_still_found(indexed, monkeypatch):
    monkeypatch.delenv("VIDAGENT_EMBEDDING_BASE_URL")
    assert named(Library().find("lantern")) == [("a.mp4", 0.5, 2.0)]
    nothing = Library().find("violet")
    assert nothing.hits == ()
    assert "set embedding_base_url" in nothing.notes[0]


def test_a_server_that_is_gone_is_told_and_words_are_found(indexed, monkeypatch):
    monkeypatch.setenv("VIDAGENT_EMBEDDING_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("VIDAGENT_EMBEDDING_MODEL", "colours")
    found = Library().find("lantern")
    assert named(found) == [("a.mp4", 0.5, 2.0)]
    assert found.notes[0].startswith(
        "only words were searched: the embedding server at http://127.0.0.1:9/v1 cannot"
    )


def test_a_search_may_be_limited_to_a_folder(indexed):
    found = Library().find("harbour", folders=[indexed / "sub"])
    assert {hit.video.name for hit in found.hits} == {ODD}
    assert found.searched == 1
    assert named(Library().find("something red", folders=[indexed / "sub"], limit=1)) != [("a.mp4", 0.0, 2.0)]
    with pytest.raises(UsageError, match="there is no folder nowhere"):
        Library().find("x", folders=["nowhere"])


def test_thumbnails_show_the_hits(indexed, tmp_path):
    [hit] = Library().find("red", limit=1, thumbnails=tmp_path / "hits").hits
    assert hit.thumbnail.parent == tmp_path / "hits"
    assert hit.thumbnail.read_bytes()[:2] == b"\xff\xd8"


def test_bad_requests_name_the_legal_range(indexed, tmp_path):
    library = Library()
    with pytest.raises(UsageError, match=r"limit must be 1 to 1000, got 0"):
        library.find("x", limit=0)
    with pytest.raises(UsageError, match="there is no folder or file nowhere"):
        library.add("nowhere")
    with pytest.raises(UsageError, match="'' is no folder: give the path"):
        library.add("")
    (tmp_path / "bare").mkdir()
    with pytest.raises(UsageError, match=r"there is no video in the folder .*bare"):
        library.add(tmp_path / "bare")
    with pytest.raises(UsageError, match="is empty: `vidagent library add DIR`"):
        Library(tmp_path).find("x")
    with pytest.raises(UsageError, match="1 to 16 videos, got 17"):
        library.ask("x", videos=17)
    with pytest.raises(UsageError, match="workers must be 1 or more, got -1"):
        library.add(workers=-1)


def test_moved_files_keep_what_is_known_without_being_sent_again(own, colours):
    script: EmbeddingScript = colours[1]
    library = Library()
    library.add(own, texts=False)
    before = script.pictures
    (own / "a.mp4").rename(own / "sub" / "renamed.mp4")
    (own / "a.srt").rename(own / "sub" / "renamed.srt")
    lost = library.find("lantern")
    assert "a.mp4" not in [hit.video.name for hit in lost.hits]
    assert "changed or no longer there" in lost.notes[0]
    changes = library.add(texts=False).changes
    assert (changes.moved, changes.new, changes.gone) == (1, 0, 0)
    assert ("renamed.mp4", 0.5, 2.0) in named(library.find("lantern"))
    assert named(library.find("red"))[0] == ("renamed.mp4", 0.0, 2.0)
    assert script.pictures == before


def test_changed_files_and_subtitles_are_read_anew(own):
    library = Library()
    library.add(own, texts=False)
    paint(own / "c.mkv", ["grey", "red"], [(0, 1, "A new sentence")])
    (own / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nAnother lantern line\n")
    assert "c.mkv" not in [hit.video.name for hit in library.find("orange").hits]
    changes = library.add(texts=False).changes
    assert (changes.changed, changes.again, changes.same) == (1, 1, 2)
    assert ("c.mkv", 2.0, 4.0) in named(library.find("red"))[:2]
    assert ("a.mp4", 1.0, 2.0) in named(library.find('"another lantern"'))
    assert named(library.find('"harbour lantern is lit"', limit=1)) != [("a.mp4", 0.5, 2.0)]


def test_files_that_are_gone_stay_until_they_are_removed(own):
    library = Library()
    library.add(own, texts=False)
    (own / "c.mkv").rename(own / "elsewhere.bin")  # as if its disk were not there
    assert library.add(texts=False).changes.gone == 1
    assert library.status().counts == {"indexed": 3, "waiting": 0, "failed": 0, "gone": 1}
    (own / "elsewhere.bin").rename(own / "c.mkv")
    assert library.add(texts=False).changes.same == 4
    assert named(library.find("orange"))[0] == ("c.mkv", 4.0, 6.0)
    (own / "c.mkv").unlink()
    assert [path.name for path in library.remove(gone=True)] == ["c.mkv"]
    assert library.status().counts["gone"] == 0


def test_removed_files_do_not_come_back_with_their_folder(own):
    library = Library()
    library.add(own, texts=False)
    assert [path.name for path in library.remove(own / "a.mp4")] == ["a.mp4"]
    assert (own / "a.mp4").is_file()
    assert library.add(texts=False).changes.new == 0
    assert "a.mp4" not in [hit.video.name for hit in library.find("red lantern").hits]
    assert library.add(own / "a.mp4", texts=False).changes.new == 1
    with pytest.raises(UsageError, match=r"other\.mp4 is not in the library"):
        library.remove(own / "other.mp4")
    assert len(library.remove(own)) == 4
    assert library.status().sources == ()


def test_two_copies_are_one_hit_and_one_of_them_may_go(own):
    (own / "copy.mp4").write_bytes((own / "a.mp4").read_bytes())
    library = Library()
    library.add(own, texts=False)
    assert [hit.video.name for hit in library.find("red", limit=2).hits].count("copy.mp4") == 0
    (own / "a.mp4").unlink()
    assert library.find("red").hits[0].video.name == "copy.mp4"


def test_a_broken_file_is_told_and_tried_again(own):
    (own / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000))
    library = Library()
    [failed] = library.add(own, texts=False).failed
    assert failed.path.name == "broken.mp4"
    assert "moov box" in failed.error
    [listed] = [one for one in library.videos() if one.state == "failed"]
    assert listed.error == failed.error
    paint(own / "broken.mp4", ["red"])
    assert library.add(texts=False).indexed == 1


def test_an_add_that_is_cut_off_goes_on(own, monkeypatch):
    library = Library()

    def stop_after_two(one, seen=[]):  # noqa: B006 - counts over calls
        seen.append(one)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.add(own, texts=False, workers=1, on_done=stop_after_two)
    counts = library.status().counts
    assert (counts["indexed"], counts["waiting"]) == (2, 2)
    assert "2 videos not indexed yet" in library.find("harbour").notes[0]
    assert library.status().indexer is None
    assert library.add(texts=False).indexed == 2
    assert library.status().counts["indexed"] == 4


def test_a_second_add_leaves_its_videos_to_the_first(own):
    library = Library()
    with Catalog(library.folder) as catalog, catalog.indexing() as is_ours:
        assert is_ours
        found: list[vidagent.api.Added] = []
        thread = threading.Thread(target=lambda: found.append(Library().add(own, texts=False)))
        thread.start()
        thread.join(30)
        assert (found[0].indexer, found[0].changes.new, found[0].indexed) == (os.getpid(), 4, 0)
        assert catalog.due_count() == 4


def test_what_is_added_while_an_add_is_ending_is_read_by_it(own, monkeypatch):
    really, later = indexing.measure_means, []

    def last_step(database):
        if not later:
            later.append(Library().add(own, texts=False))
        really(database)

    monkeypatch.setattr(indexing, "measure_means", last_step)
    first = Library().add(own / "a.mp4", texts=False)
    assert (later[0].indexer, later[0].changes.new, later[0].indexed) == (os.getpid(), 3, 0)
    assert (first.indexer, first.indexed) == (None, 4)
    assert Library().status().counts["indexed"] == 4


def test_a_file_that_is_replaced_while_it_fails_is_read_once_more(own, monkeypatch):
    [video] = [one for one in own.iterdir() if one.name == "a.mp4"]
    good, really = video.read_bytes(), indexing.take_in
    video.write_bytes(b"no video")

    def replaced(*arguments):
        if video.read_bytes() != good:
            video.write_bytes(good)
            Library().add(texts=False)
        really(*arguments)

    monkeypatch.setattr(indexing, "take_in", replaced)
    added = Library().add(video, texts=False)
    assert (added.indexed, len(added.failed)) == (1, 1)
    assert Library().status().counts["indexed"] == 1


def test_a_damaged_file_is_told_with_the_way_out(own):
    library = Library()
    library.folder.mkdir(parents=True)
    (library.folder / "library.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(UsageError, match=r"move library\.sqlite3 away and add the folders again"):
        library.find("x")


def test_lost_files_of_one_stamp_are_told_apart(own):
    library, times = Library(), (1_700_000_000, 1_700_000_000)
    for path in own.rglob("*.m*"):
        path.unlink()
    for name, colour in (("one.mkv", "red"), ("two.mkv", "blue"), ("three.mkv", "green")):
        paint(own / name, [colour])
    size = max(path.stat().st_size for path in own.glob("*.mkv"))
    for path in own.glob("*.mkv"):
        with path.open("ab") as file:  # padding after the last element
            file.write(bytes(size - path.stat().st_size))
        os.utime(path, times)
    library.add(own, texts=False)
    (own / "sub").mkdir(exist_ok=True)
    (own / "one.mkv").rename(own / "sub" / "one.mkv")
    (own / "two.mkv").rename(own / "sub" / "other.mkv")
    (own / "three.mkv").rename(own / "elsewhere.bin")
    with Catalog(library.folder) as catalog:
        changes = refresh(catalog, Depth(texts=False), "colours")
        rows = catalog.database.rows("SELECT path, found FROM videos")
    assert (changes.moved, changes.gone, changes.new) == (2, 1, 0)
    found = {Path(os.fsdecode(row["path"])).name: row["found"] for row in rows}
    assert (found["one.mkv"], found["other.mkv"]) == (1, 0), "what may be another video is read first"
    library.add(texts=False)
    assert library.find("blue").hits[0].video == own / "sub" / "other.mkv"
    assert library.find("red").hits[0].video == own / "sub" / "one.mkv"


def test_a_link_that_leads_elsewhere_now_is_followed(own, tmp_path):
    (tmp_path / "disk1").mkdir()
    (tmp_path / "disk2").mkdir()
    (tmp_path / "disk1" / "a.mp4").write_bytes((own / "a.mp4").read_bytes())
    (tmp_path / "disk").symlink_to(tmp_path / "disk1")
    library = Library()
    library.add(tmp_path / "disk", texts=False)
    assert library.find("red", folders=[tmp_path / "disk1"]).searched == 1
    (tmp_path / "disk").unlink()
    (tmp_path / "disk").symlink_to(tmp_path / "disk2")
    assert library.find("red", folders=[tmp_path / "disk1"]).searched == 0
    assert library.find("red", folders=[tmp_path / "disk2"]).searched == 1


def test_a_link_to_a_file_lies_where_the_file_does(own, tmp_path):
    (own / "sub" / "link.mp4").symlink_to(own / "a.mp4")
    library = Library()
    library.add(own / "sub", texts=False)
    names = [hit.video.name for hit in library.find("red", folders=[own / "sub"]).hits]
    assert (names.count("link.mp4"), names.count(ODD)) == (0, 2)


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_disk_that_cannot_be_written_is_told_with_the_way_out(own, tmp_path, kind):
    small = tmp_path / "small"
    small.mkdir()
    size = "size=8k" if kind == "full" else "size=1m,ro"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", small], check=False).returncode:
        pytest.skip("this user may not mount file systems")
    try:
        with pytest.raises(UsageError) as raised:
            Library(small / "library").add(own, texts=False)
    finally:
        subprocess.run(["umount", small], check=True)
    told = {"full": "its disk may be full: make room", "read-only": "must be writable; VIDAGENT_CACHE_DIR"}
    assert told[kind] in str(raised.value)
