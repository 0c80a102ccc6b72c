"""The videos under the server's folders: listed by the names one asks with, sent in ranges, and nothing else."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.media.code import read_code
from tests.media.speaking import Listener, speak
from tests.media.truth import full_decode
from tests.scripted_server import ScriptedServer
from tests.serve.core.http.test_server import fault
from tests.serve.core.storage.test_files import upload
from tests.serve.rest.routes.test_langserve_routes import body
from tests.serve.running import running
from vidagent import api
from vidagent.agents.speech.server import granted
from vidagent.images import jpeg
from vidagent.serve.core.media_files import video_type
from vidagent.serve.core.video_locator import VideoLocator

pytestmark = pytest.mark.network


@pytest.fixture
def films(root, tmp_path):
    """Return a folder of videos and of what is not to be shown."""
    films, outside = tmp_path / "films", tmp_path / "outside"
    for folder in (films / "sub" / "deeper", films / ".hidden", outside):
        folder.mkdir(parents=True)
    for place in ("a.mp4", "sub/b.MP4", "sub/deeper/ü c.mkv", ".hidden/d.mp4", ".e.mp4", "file-f.mp4"):
        shutil.copy(root / "clip.mp4", films / place)
    shutil.copy(root / "clip.mp4", outside / "secret.mp4")
    (films / "secret.txt").write_text("not for everybody")
    (films / "text.mp4").write_text("not for everybody")
    shutil.copy(root / "clip.mp4", films / "video.txt")
    (films / "out.mp4").symlink_to(outside / "secret.mp4")
    (films / "in.mp4").symlink_to(films / "a.mp4")
    (films / "linked").symlink_to(outside)
    (films / "circle").symlink_to(films)
    os.mkfifo(films / "fifo.mp4")
    return films


@pytest.fixture
def client(model, films, tmp_path):
    with running(tmp_path / "data", roots=(films,)) as client:
        yield client


def test_videos_are_listed_by_the_names_one_asks_with(client, films):
    told = client.get("/v1/videos").json()
    names = [video["name"] for video in told["data"]]
    assert names == ["a.mp4", "in.mp4", "sub/b.MP4", "sub/deeper/ü c.mkv", "text.mp4"]
    assert told["object"] == "list"
    assert told["data"][0]["bytes"] == (films / "a.mp4").stat().st_size
    reply = client.post("/vidagent/invoke", json=body("invoke", video="sub/deeper/ü c.mkv"))
    assert reply.json()["output"]["status"] == "answered"


def test_frames_are_those_that_a_player_shows(client, films):
    truth = full_decode(films / "a.mp4")
    for time_s in (0.5, 1.99, 50):
        reply = client.get("/v1/videos/frame", params={"video": "a.mp4", "time_s": time_s, "side_px": 320})
        assert (reply.status_code, reply.headers["content-type"]) == (200, "image/jpeg")
        assert read_code(jpeg.decode(reply.content)).number == truth.at(time_s)
    first, again = (
        client.get("/v1/videos/frame", params={"video": "a.mp4", "side_px": 64}) for _ in range(2)
    )
    assert jpeg.decode(first.content).shape == (36, 64, 3)
    assert again.content == first.content
    assert again.headers["cache-control"] == "private, max-age=600"
    for asked in ({"time_s": -1}, {"time_s": "nan"}, {"side_px": 5000}):
        assert fault(client.get("/v1/videos/frame", params={"video": "a.mp4", **asked})) == (422, "invalid")
    for name in ("secret.txt", "video.txt", "text.mp4", "none.mp4", "out.mp4", "https://example.org/a.mp4"):
        assert fault(client.get("/v1/videos/frame", params={"video": name})) == (404, "no_such_video"), name


@pytest.mark.parametrize(("voices", "languages", "speaker"), [(0, ["en"], None), (1, [], "A")])
def test_what_is_transcribed_so_far_is_told_and_nothing_is_sent_for_it(
    films, tmp_path, monkeypatch, voices, languages, speaker
):
    granted.cache_clear()
    talk = speak(films / "talk.mp4", ((1.0, "harbour"),), 3.0)
    with (
        ScriptedServer((), routes={"/v1/audio/transcriptions": Listener(voices=voices)}) as speech,
        running(tmp_path / "data", roots=(films,)) as client,
    ):
        asked = {"url": "/v1/videos/transcript", "params": {"video": "talk.mp4"}}
        none = {"model": None, "languages": [], "done_s": 0.0, "complete": False, "lines": []}
        assert client.get(**asked).json() == none
        monkeypatch.setenv("VIDAGENT_TRANSCRIBE_URL", speech.url)
        monkeypatch.setenv("VIDAGENT_TRANSCRIBE_MODEL", "tones")
        assert client.get(**asked).json() == {**none, "model": "tones"}
        assert speech.asked == []
        found = api.transcript_of(talk)
        told = client.get(**asked).json()
        (line,) = told["lines"]
        assert (line["start_s"], line["text"], line["words"]) == (found.cues[0].start_s, "harbour", [])
        assert (told["complete"], told["languages"], line["speaker"]) == (True, languages, speaker)
        assert fault(client.get("/v1/videos/transcript", params={"video": "none.mp4"}))[0] == 404


def test_lists_end(tmp_path):
    deep = tmp_path
    for number in range(12):
        deep = deep / str(number)
        deep.mkdir()
        (deep / "x.mp4").touch()
    for number in range(1200):
        (tmp_path / f"{number}.mp4").touch()
    (tmp_path / os.fsdecode(b"\xff.mp4")).touch()
    places = VideoLocator(None, [tmp_path], None)
    assert len(places.videos()) == 1000
    for number in range(1200):
        (tmp_path / f"{number}.mp4").unlink()
    assert [video.name.count("/") for video in places.videos()] == list(range(8, 0, -1))


def get(client, name, **headers):
    return client.get("/v1/videos/content", params={"video": name}, headers=headers)


def test_a_video_is_sent_whole_and_in_ranges(client, films):
    data = (films / "a.mp4").read_bytes()
    whole = get(client, "a.mp4")
    assert whole.content == data
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = get(client, "a.mp4", Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, data[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(data)}"
    assert get(client, "a.mp4", Range="bytes=-5").content == data[-5:]
    assert get(client, "a.mp4", Range="bytes=5-").content == data[5:]
    assert get(client, "a.mp4", Range="bytes=0-0,2-2").headers["content-type"].startswith("multipart/")


def test_ranges_that_are_none(client, films):
    size = (films / "a.mp4").stat().st_size
    for wanted in (f"bytes={size}-", "bytes=99999999-", "bytes=-0"):
        reply = get(client, "a.mp4", Range=wanted)
        assert fault(reply) == (416, "wrong_range"), wanted
        assert reply.headers["content-range"] == f"bytes */{size}"
    for wanted in ("bytes", "bytes=", "bytes=x-y", "items=0-1", "bytes=9-3"):
        assert get(client, "a.mp4", Range=wanted).status_code == 200, wanted


@pytest.mark.parametrize(
    "name",
    [
        "secret.txt", "text.mp4", "video.txt", "out.mp4", "linked/secret.mp4", "fifo.mp4", "none.mp4", "sub",
        "../outside/secret.mp4", "/etc/passwd", "a.mp4\0", "file-", "http://127.0.0.1/a.mp4",
    ],
)  # fmt: skip
def test_what_is_no_video_is_not_sent(client, name):
    assert fault(get(client, name))[0] == 404


def test_uploads_are_sent_by_their_id(client, films):
    data = (films / "a.mp4").read_bytes()
    id_ = upload(client, data, "page.html").json()["id"]
    reply = get(client, id_)
    assert (reply.content, reply.headers["content-type"]) == (data, "video/mp4")
    assert client.get(f"/v1/files/{id_}/content").headers["content-type"] == "video/mp4"


HEADS = {
    b"\0\0\0\x18ftypisom": "video/mp4",
    b"\0\0\0\x14ftypqt  ": "video/quicktime",
    b"\0\0\0\x14ftyp3gp5": "video/3gpp",
    b"\0\0\0\x08wide": "video/quicktime",
    b"\x1a\x45\xdf\xa3\x01webm": "video/webm",
    b"\x1a\x45\xdf\xa3\x01matroska": "video/x-matroska",
    b"RIFF\0\0\0\0AVI LIST": "video/x-msvideo",
    (b"G" + b"\0" * 187) * 6: "video/mp2t",
    (b"\0\0\0\0G" + b"\0" * 187) * 6: "video/mp2t",
    b"OggS\0": "video/ogg",
    b"FLV\x01": "video/x-flv",
    b"RIFF\0\0\0\0WAVEfmt ": None,
    b"G" * 20: None,
    b"<html>": None,
    b"": None,
}


@pytest.mark.parametrize("head", HEADS)
def test_containers_are_known_by_their_first_bytes(tmp_path, head):
    (tmp_path / "x").write_bytes(head)
    assert video_type(tmp_path / "x") == HEADS[head]
