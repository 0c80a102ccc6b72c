from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tests.media import whisper
from vidagent import api
from vidagent.api import doctor
from vidagent.errors import VideoError

NO_SERVER = "http://127.0.0.1:1/v1"


@pytest.fixture
def decoders(monkeypatch):
    """Let the decoders be what a test says, as it would take another kernel or a broken installation."""
    opened = SimpleNamespace(unprotected=(), frames_at=lambda times_s: times_s, broken=None)

    @contextmanager
    def start(path, *, decoder):
        assert path.is_file()
        if opened.broken:
            raise VideoError(opened.broken)
        yield opened

    monkeypatch.setattr(doctor, "Video", SimpleNamespace(open=start))
    monkeypatch.setattr("vidagent.agents.server.model_choice.LOCAL_URLS", ())
    return opened


def found(diagnosis, name):
    return next(finding for finding in diagnosis.findings if finding.name == name)


@pytest.mark.network
def test_a_whole_installation_has_no_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("vidagent.agents.server.model_choice.LOCAL_URLS", ())
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "cache"))
    diagnosis = api.diagnose()
    assert diagnosis.exit_code == 0
    assert found(diagnosis, "decoder pyav").text.startswith("read 5 frames")
    assert found(diagnosis, "cache").state == "ok"
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert "connect" not in found(diagnosis, "versions").text
    assert found(diagnosis, "model").advice.startswith("start a server")


@pytest.mark.network
def test_what_the_kernel_lacks_is_said_with_what_it_needs(decoders):
    decoders.unprotected = ("Landlock",)
    sandbox = found(api.diagnose(), "sandbox")
    assert sandbox.state == "note"
    assert sandbox.text.startswith("decoders run without Landlock")
    assert "Linux 5.13 or newer" in sandbox.advice


@pytest.mark.network
def test_a_decoder_that_reads_nothing_is_a_fault_of_videos(decoders):
    decoders.broken = "clip.mp4: the decoder crashed: SIGILL"
    diagnosis = api.diagnose()
    assert diagnosis.exit_code == 3
    assert not diagnosis.to_dict()["ok"]
    assert any("SIGILL" in line for line in diagnosis.lines())


@pytest.mark.network
def test_a_server_that_does_not_answer_is_a_fault_of_models(decoders):
    diagnosis = api.diagnose(base_url=NO_SERVER)
    assert diagnosis.exit_code == 4
    assert "--base-url" in found(diagnosis, "model").advice


@pytest.mark.network
def test_a_cache_that_cannot_be_written_is_a_note(decoders, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "file" / "cache"))
    diagnosis = api.diagnose()
    assert diagnosis.exit_code == 0
    assert "cannot be written (Not a directory)" in found(diagnosis, "cache").text


@pytest.mark.network
def test_a_cache_open_to_others_is_a_note(decoders, tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir(mode=0o755)
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "cache"))
    assert found(api.diagnose(), "cache").advice == f"chmod 700 {tmp_path / 'cache'}"


@pytest.mark.network
def test_what_would_transcribe_speech_is_told_and_what_is_wrong_with_it(decoders, tmp_path, monkeypatch):
    assert found(api.diagnose(), "speech").state == "note"
    monkeypatch.setenv("VIDAGENT_SPEECH_MODEL", str(whisper.folder()))
    told = found(api.diagnose(), "speech")
    assert (told.state, told.text) == ("ok", "Whisper model in this process would transcribe what is said")
    monkeypatch.setenv("VIDAGENT_SPEECH_MODEL", str(tmp_path))
    diagnosis = api.diagnose()
    assert (diagnosis.exit_code, found(diagnosis, "speech").state) == (2, "fault")
