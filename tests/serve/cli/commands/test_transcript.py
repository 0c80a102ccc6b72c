"""`vidagent transcript`: lines, subtitles and JSON of what is said, by a server or by the model in this process."""

from __future__ import annotations

import json

import pytest

from tests.media import espeak, whisper
from tests.media.make import encode
from tests.media.speaking import Listener, film, speak
from tests.scripted_server import ScriptedServer
from vidagent.agents.speech.server import granted
from vidagent.serve.cli import app
from vidagent.serve.terminal import console
from vidagent.video.clock import format_time
from vidagent.video.index.subtitles import Cue, parse_srt, parse_vtt

PATH = "/v1/audio/transcriptions"
EVIL = "a < b & <b>c</b> --> d"


def command(capfd, *arguments):
    console.stdout.cache_clear()
    console.stderr.cache_clear()
    code = app.run(("transcript", *map(str, arguments)))
    said = capfd.readouterr()
    return code, said.out, said.err


@pytest.fixture
def server(monkeypatch):
    listener = Listener()
    granted.cache_clear()
    with ScriptedServer((), routes={PATH: listener}) as server:
        monkeypatch.setenv("VIDAGENT_TRANSCRIBE_URL", server.url)
        monkeypatch.setenv("VIDAGENT_TRANSCRIBE_MODEL", "tones")
        yield listener


@pytest.mark.network
def test_lines_subtitles_and_json_have_the_same_times(tmp_path, server, capfd):
    talk = speak(tmp_path / "talk.mp4", ((1.0, "harbour"), (4.2, "seven")), 6.0)
    told = json.loads(command(capfd, talk, "--json")[1])
    lines = [Cue(line["start_s"], line["end_s"], line["text"]) for line in told["lines"]]
    assert [line.text for line in lines] == ["harbour", "seven"]
    assert [line.start_s for line in lines] == pytest.approx([1.0, 4.2], abs=0.02)
    assert parse_srt(command(capfd, talk, "--srt")[1]) == lines
    code, out, _ = command(capfd, talk, "--vtt")
    assert (code, out.splitlines()[:2], parse_vtt(out)) == (0, ["WEBVTT", ""], lines)
    table = command(capfd, talk)[1].splitlines()
    assert table[0].split() == [format_time(lines[0].start_s), format_time(lines[0].end_s), "harbour"]
    assert table[-1] == "2 lines (en), by tones."
    assert len(server.forms) == 1


@pytest.mark.network
def test_speakers_stand_in_every_form(tmp_path, server, capfd):
    server.voices = 2
    talk = speak(tmp_path / "talk.mp4", ((1.0, "harbour"), (4.2, "lantern")), 6.0)
    told = json.loads(command(capfd, talk, "--json", "--language", "de")[1])
    assert [(line["speaker"], line["text"]) for line in told["lines"]] == [("A", "harbour"), ("B", "lantern")]
    table = command(capfd, talk, "--language", "de")[1].splitlines()
    assert [line.split()[2:] for line in table[:2]] == [["A", "harbour"], ["B", "lantern"]]
    srt, vtt = (command(capfd, talk, "--language", "de", form)[1] for form in ("--srt", "--vtt"))
    assert [cue.text for cue in parse_srt(srt)] == ["A: harbour", "B: lantern"]
    assert [cue.text for cue in parse_vtt(vtt)] == ["A: harbour", "B: lantern"]
    assert "<v A>harbour" in vtt.splitlines()
    assert len(server.forms) == 1


@pytest.mark.network
def test_words_are_no_markup_in_subtitles(tmp_path, server, capfd):
    talk = speak(tmp_path / "talk.mp4", ((1.0, "harbour"),), 3.0)
    server.replies.append({"text": "", "segments": [{"start": 1.0, "end": 2.0, "text": EVIL}]})
    (cue,) = parse_vtt(command(capfd, talk, "--vtt", "--language", "en")[1])
    assert cue.text == EVIL
    assert server.forms[0]["language"] == "en"
    server.replies.append({"text": "", "segments": [{"start": 1.0, "end": 2.0, "text": EVIL}]})
    assert "<b>" not in command(capfd, talk, "--srt")[1]


def test_what_is_wrong_is_one_line(tmp_path, capfd, monkeypatch):
    talk = speak(tmp_path / "talk.mp4", (), 1.0)
    code, out, err = command(capfd, talk)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "VIDAGENT_SPEECH_MODEL" in err
    assert command(capfd, talk, "--srt", "--json")[0] == 2
    monkeypatch.setenv("VIDAGENT_SPEECH_MODEL", str(tmp_path))
    code, _, err = command(capfd, talk)
    assert (code, "lacks config.json, model.bin, tokenizer.json" in err) == (2, True)
    monkeypatch.setenv("VIDAGENT_SPEECH_MODEL", str(whisper.folder()))
    code, _, err = command(capfd, talk, "--language", "English")
    assert (code, "speech_language" in err) == (2, True)
    assert command(capfd, tmp_path / "nowhere.mp4")[0] == 3


def test_silence_is_no_speech(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("VIDAGENT_SPEECH_MODEL", str(whisper.folder()))
    talk = speak(tmp_path / "talk.mp4", (), 1.0)
    assert command(capfd, talk)[:2] == (0, "0 lines, by Whisper model.\n")
    code, out, err = command(capfd, talk, "--language", "xx")
    assert (code, out) == (2, "")
    assert "speech model 'Whisper model' knows en; got 'xx'" in err


def test_a_video_without_sound_is_told(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("VIDAGENT_SPEECH_MODEL", str(whisper.folder()))
    encode(tmp_path / "mute.mp4", range(0, 1000, 40))
    assert command(capfd, tmp_path / "mute.mp4")[:2] == (0, "The video has no sound.\n")
    code, out, _ = command(capfd, tmp_path / "mute.mp4", "--language", "xx")
    assert (code, out) == (2, "")


@pytest.mark.skipif(not espeak.is_here(), reason="espeak-ng is not installed")
def test_the_model_in_this_process_needs_no_server(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("VIDAGENT_SPEECH_MODEL", str(whisper.folder()))
    said = espeak.talk(["We walked along the river in the evening."])
    code, out, err = command(capfd, film(tmp_path / "talk.mp4", said.samples, said.rate))
    assert code == 0, err
    assert "along the river in the evening." in out
    assert out.endswith("1 line (en), by Whisper model.\n")
