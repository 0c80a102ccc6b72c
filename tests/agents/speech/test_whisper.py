"""Whisper in this process: a real tiny model hears espeak-ng, noise and music, and says where its words are."""

from __future__ import annotations

import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor

import faster_whisper
import numpy as np
import pytest

from tests.media import espeak, whisper
from tests.media.speaking import film
from vidagent.agents.speech.choice import ear_of
from vidagent.agents.speech.server import TranscriptionClient
from vidagent.agents.speech.whisper import Whisper
from vidagent.config import load
from vidagent.errors import ModelError, UsageError
from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index import transcript
from vidagent.video.index.transcript import Stop
from vidagent.video.index.video_index import Index
from vidagent.video.sound import RATE
from vidagent.video.video import Video

TEXTS = (
    "Please put the kettle on the table.",
    "We walked along the river in the evening.",
    "Nobody knows the answer to this question.",
)
LONG_S = 8.0
WORD_S = 0.2
"""Most words start this near to where espeak-ng says that they begin."""
speaking = pytest.mark.skipif(not espeak.is_here(), reason="espeak-ng is not installed")


@pytest.fixture(scope="session")
def ear():
    return Whisper(str(whisper.folder()))


@pytest.fixture(scope="session")
def talk(tmp_path_factory):
    """Return a clip of 12 s or so, and the words in it."""
    said = espeak.talk(TEXTS)
    return film(tmp_path_factory.mktemp("talk") / "talk.mp4", said.samples, said.rate), said.words


@pytest.fixture
def opened(tmp_path, ear):
    """Return the function that opens a video with its index and the ear."""
    videos = []

    def open_index(path):
        videos.append(Video.open(path))
        return Index(videos[-1], VideoCache(tmp_path / "cache"), ear=ear)

    yield open_index
    for video in videos:
        video.close()


def plain(text):
    return re.sub(r"\W+", "", text).casefold()


def expect_words(found, words):
    """Check that nearly all words are heard, each once and when it begins."""
    heard = [(word.start_s, plain(word.text)) for cue in found.cues for word in cue.words]
    assert [" ".join(word.text for word in cue.words) for cue in found.cues] == [
        cue.text for cue in found.cues
    ]
    assert abs(len(heard) - sum(len(text.split()) for text in TEXTS)) <= 1
    late_s = [
        min((abs(at_s - began_s) for at_s, text in heard if text == plain(word)), default=np.inf)
        for began_s, word in words
    ]
    assert np.mean(np.array(late_s) <= WORD_S) >= 0.8
    assert np.median(late_s) <= 0.06


@speaking
def test_words_are_heard_where_they_begin(talk, opened):
    path, words = talk
    found = opened(path).spoken(listen=True)
    expect_words(found, words)
    assert (found.complete, found.languages, found.model) == (True, ("en",), "Whisper model")
    assert found.to_dict()["lines"][0]["words"][0]["text"] == "Please"


@speaking
def test_pieces_are_kept_as_they_come_and_split_no_word(talk, opened, ear, monkeypatch):
    path, words = talk
    hear, calls = ear.hear, itertools.count()
    monkeypatch.setattr(ear, "piece_s", 5.0)
    monkeypatch.setattr(transcript, "_SEARCH_S", 2.0)
    monkeypatch.setattr(ear, "hear", lambda sound, stop: hear(sound, stop) if next(calls) < 1 else None)
    part = opened(path).spoken(listen=True)
    assert 2.5 < part.done_s < 5.5
    assert not part.complete
    monkeypatch.setattr(ear, "hear", hear)
    whole = opened(path).spoken(listen=True)
    assert whole.cues[: len(part.cues)] == part.cues
    assert whole.complete
    expect_words(whole, words)


def music(rng):
    """Return plucked notes with overtones, two in a second."""
    out = np.zeros(round(LONG_S * RATE))
    times = np.arange(round(0.7 * RATE)) / RATE
    for first in range(0, len(out) - len(times), RATE // 2):
        hertz = 220 * 2 ** (rng.integers(0, 24) / 12)
        out[first : first + len(times)] += sum(
            np.sin(2 * np.pi * hertz * tone * times) / tone for tone in (1, 2, 3, 4)
        ) * np.exp(-3 * times)
    return out


@pytest.mark.parametrize("kind", ["silence", "noise", "rumble", "music"])
def test_silence_noise_and_music_give_no_words(ear, kind, monkeypatch):
    rng = np.random.default_rng(7)
    white = rng.normal(0, 1, round(LONG_S * RATE))
    kinds = {"silence": 0 * white, "noise": white, "rumble": np.cumsum(white), "music": music(rng)}
    sound = kinds[kind]
    samples = (sound / max(1.0, np.abs(sound).max()) * 20_000).astype(np.int16)
    assert list(ear.hear(samples, Stop()).cues) == []
    if kind in {
        "noise",
        "rumble",
    }:  # Whisper writes sentences for these, once nothing holds them back from it
        everything = [{"start": 0, "end": len(samples)}]
        monkeypatch.setattr("faster_whisper.vad.get_speech_timestamps", lambda *_: everything)
        monkeypatch.setattr("faster_whisper.transcribe.get_speech_timestamps", lambda *_: everything)
        assert list(ear.hear(samples, Stop()).cues) == []


@speaking
def test_it_stops_when_nobody_waits(ear):
    said = espeak.say(TEXTS[0])
    samples = said.samples[:: round(said.rate / RATE)]
    assert ear.hear(samples, Stop(closed=lambda: True)) is None
    assert ear.hear(samples, Stop(left_s=lambda: 0.0)) is None


def test_threads_that_begin_at_once_load_one_model(tmp_path, monkeypatch):
    for name in ("config.json", "model.bin", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"any")
    loaded = []

    class Model:
        supported_languages = ("en",)

        def __init__(self, *_, **__):
            time.sleep(0.05)
            loaded.append(self)

    monkeypatch.setattr(faster_whisper, "WhisperModel", Model)
    ear = Whisper(str(tmp_path), "cpu")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: ear.hear(np.zeros(RATE, np.int16), Stop()), range(4)))
    assert len(loaded) == 1


def test_a_server_that_is_set_goes_before_the_model_in_this_process():
    model, server = (
        {"speech_model": str(whisper.folder())},
        {
            "transcribe_url": "http://127.0.0.1:9/v1",
            "transcribe_model": "whisper",
        },
    )
    assert ear_of(load()) is None
    assert isinstance(ear_of(load(**model)), Whisper)
    assert isinstance(ear_of(load(**model, **server)), TranscriptionClient)


def test_transcripts_of_other_models_and_languages_are_others(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for name in ("config.json", "model.bin", "tokenizer.json"):
        (other / name).write_bytes(b"other")
    ears = [
        Whisper(str(whisper.folder())),
        Whisper(str(whisper.folder()), language="en"),
        Whisper(str(other)),
    ]
    assert len({ear.identity for ear in ears}) == 3
    assert [ear.model for ear in ears] == ["Whisper model", "Whisper model", "Whisper other"]


def test_what_cannot_be_used_is_said_with_what_can(ear, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"lacks model\.bin, tokenizer\.json"):
        Whisper(str(tmp_path))
    with pytest.raises(UsageError, match=r"lacks config\.json, model\.bin, tokenizer\.json"):
        Whisper(str(tmp_path / "nowhere"))
    sound = np.zeros(RATE, np.int16)
    with pytest.raises(UsageError, match=r"one of tiny\.en, .*; got 'smal'"):
        Whisper("smal").hear(sound, Stop())
    with pytest.raises(UsageError, match="speech model 'Whisper model' knows en; got 'de'"):
        Whisper(str(whisper.folder()), language="de").hear(sound, Stop())
    with pytest.raises(UsageError, match=r"speech_language .*; got 'English'"):
        load(speech_language="English")
    with pytest.raises(UsageError, match=r"speech_device .*; got 'gpu'"):
        load(speech_device="gpu")
    (tmp_path / "model.bin").write_bytes(b"no model")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=rf"^speech model '{tmp_path}' cannot be loaded: "):
        Whisper(str(tmp_path)).hear(sound, Stop())

    def offline(name, local_files_only=False):
        raise FileNotFoundError("no route to the hub")

    monkeypatch.setattr(faster_whisper, "download_model", offline)
    with pytest.raises(
        ModelError, match=r"^speech model 'small' cannot be loaded: no route to the hub; .* folder"
    ):
        Whisper("small", "cpu").hear(sound, Stop())
    monkeypatch.setattr("vidagent.agents.speech.whisper.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"speech_model, got 'small', needs faster-whisper: pip install"):
        ear_of(load(speech_model="small"))
