"""Speech to text in this process: Whisper by faster-whisper (CTranslate2), which brings a voice activity detector.

It gets arrays of samples: a video's sound is decoded in the sandboxed child process, never by faster-whisper's own
reader. Silence and music give no words, as two models judge them: Silero's detector cuts out what is no voice before
Whisper hears it, and Whisper's own no-speech score drops what is left.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidagent.agents.speech.lines import lines_of
from vidagent.config import Settings, SpeechCompute, SpeechDevice
from vidagent.errors import ModelError, UsageError
from vidagent.video.index.subtitles import Cue
from vidagent.video.index.transcript import NOBODY, Heard, Stop, Voices
from vidagent.video.sound import RATE, Samples

LOG = logging.getLogger(__name__)
AUTO = "auto"
_AUTO_MODELS = {"cpu": "small", "cuda": "turbo"}
_LOADING = threading.Lock()
"""Held while a model is loaded, so that threads that need it at once load one."""
_FILES = ("config.json", "model.bin", "tokenizer.json")
"""Files of a model's folder; without the last one, faster-whisper would ask the hub for it."""
_HEAD_BYTES = 1 << 20
_MAX_THREADS = 8
_FULL_SCALE = 32768.0
_STEP = RATE // 100
"""Samples of the windows in which loudness is measured: 10 ms."""
_EARLY = 20
"""Windows before the place that Whisper names in which a word may begin: with 0.2 s, words of espeak-ng start 0.03 s
off in the median, and 0.12 s without (benchmarks/RESULTS.md, "Speech")."""
_SHORTEST = 3
"""Windows that a word lasts at least before the next one begins."""
_QUIET = 0.05
"""Level below which sound is the silence around a word, as a share of the word's loudest window: -26 dB."""
_NO_SPEECH = 0.8
"""Score of no speech from which a segment is dropped. Whisper's own threshold is 0.6, beside one for unlikely words
(https://arxiv.org/abs/2212.04356); measured behind the voice detector, the tiny model scores true speech up to 0.67,
and noise, hum and music, for which it writes likely words, from 0.87 (benchmarks/RESULTS.md, "Speech")."""
_REPEATED = 2.4
"""Compression ratio from which a text is a loop of repeated words; Whisper's own threshold."""


def local_model(name: str, settings: Settings) -> Whisper:
    """Return the model in this process; nothing is loaded yet.

    Args:
        name: A folder, a name on the hub, or `auto`.
        settings: Its device, compute type and language.

    Raises:
        UsageError: If faster-whisper is not installed, or the folder holds no model.
    """
    if find_spec("faster_whisper") is None:
        raise UsageError(
            f"setting speech_model, got {name!r}, needs faster-whisper: pip install 'vidagent[speech]'"
        )
    return Whisper(name, settings.speech_device, settings.speech_compute_type, settings.speech_language)


class Whisper:
    """A Whisper model, loaded when it first hears something and shared by all videos.

    Args:
        name: A folder in CTranslate2's form, a name on the hub, or `auto`: small on a CPU, turbo on a GPU.
        device: Where it runs.
        compute_type: Its precision; None is int8 on a CPU, float16 on a GPU.
        language: The language spoken, or None to find it in each piece.

    Raises:
        UsageError: If a folder lacks one of a model's files.
    """

    piece_s = 60.0

    def __init__(
        self,
        name: str,
        device: SpeechDevice = "auto",
        compute_type: SpeechCompute | None = None,
        language: str | None = None,
    ) -> None:
        """Find the model's files, or leave the name to the hub."""
        self._device, self._compute_type, self._language = device, compute_type, language
        name = _AUTO_MODELS[_device(device)] if name == AUTO else name
        folder = Path(name).expanduser()
        local = folder.is_dir() or folder.is_absolute() or name.startswith((".", "~"))
        self._source = str(folder) if local else name
        self.model = f"Whisper {folder.resolve().name if local else name}"
        self.identity = " ".join((_fingerprint(folder) if local else name, "in process", language or ""))

    def hear(self, sound: Samples, stop: Stop, voices: Voices = NOBODY) -> Heard | None:
        """Transcribe a piece of sound, with the times of its words; return None if stopped. It tells no speakers.

        Raises:
            UsageError: If the model does not know the language.
            ModelError: If it cannot be loaded, or fails.
        """
        model, lock = self._ready()
        try:
            with lock:
                return self._hear(model, sound.astype(np.float32) / _FULL_SCALE, stop)
        except RuntimeError as error:  # of CTranslate2: too little memory, a library of CUDA that is missing
            raise ModelError(
                f"speech model {self.model!r} failed: {' '.join(str(error).split())[:300]}"
            ) from error

    def check_language(self) -> None:
        """Load the model if a language is set, to check that it knows it.

        Raises:
            UsageError, ModelError: As `hear`.
        """
        if self._language is not None:
            self._ready()

    def _ready(self) -> tuple[Any, threading.Lock]:
        device = _device(self._device)
        compute_type = self._compute_type or ("float16" if device == "cuda" else "int8")
        with _LOADING:
            model, lock = _loaded(self._source, device, compute_type)
        if self._language not in (None, *model.supported_languages):
            known = ", ".join(model.supported_languages)
            raise UsageError(
                f"setting speech_language (VIDAGENT_SPEECH_LANGUAGE): speech model {self.model!r} knows {known}; "
                f"got {self._language!r}"
            )
        return model, lock

    def _hear(self, model: Any, samples: NDArray[np.float32], stop: Stop) -> Heard | None:  # noqa: ANN401 - untyped
        from faster_whisper.vad import get_speech_timestamps

        if not get_speech_timestamps(samples):
            return Heard(None, ())
        segments, info = model.transcribe(
            samples,
            language=self._language,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=True,
        )
        words: list[Cue] = []
        for segment in segments:
            left_s = stop.left_s()
            if stop.closed() or (left_s is not None and left_s <= 0):
                return None
            if segment.no_speech_prob <= _NO_SPEECH and segment.compression_ratio <= _REPEATED:
                words += _placed(segment.words, samples)
        return Heard(info.language if words else None, list(lines_of(words)))


def _placed(words: Sequence[Any], samples: NDArray[np.float32]) -> Iterator[Cue]:
    """Yield the words of a segment with times by the sound; Whisper tells where it attends, which is later.

    A word begins at the quietest moment shortly before, where the one before it ends, and has no silence around it.
    """
    count = len(samples) // _STEP
    levels = np.sqrt((samples[: count * _STEP].reshape(count, _STEP) ** 2).mean(axis=1))
    starts: list[int] = []
    for word in words:
        place = min(round(word.start * RATE / _STEP), count - 1)
        first = max(place - _EARLY, starts[-1] + _SHORTEST if starts else 0, 0)
        starts.append(first + int(np.argmin(levels[first : place + 1])) if first <= place else place)
    for word, start, following in zip(words, starts, [*starts[1:], count], strict=True):
        end = max(start + 1, min(round(word.end * RATE / _STEP), following))
        part = levels[start:end]
        loud = np.flatnonzero(part > _QUIET * part.max(initial=0.0))
        if len(loud):
            start, end = start + int(loud[0]), start + int(loud[-1]) + 1
        yield Cue(start * _STEP / RATE, end * _STEP / RATE, word.word)


def _device(device: SpeechDevice) -> str:
    if device != "auto":
        return device
    import ctranslate2

    return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"


def _missing(folder: Path) -> list[str]:
    return [name for name in _FILES if not (folder / name).is_file()]


def _fingerprint(folder: Path) -> str:
    """Return what tells the model in a folder from others: a hash of its size and the first MiB of its weights.

    Raises:
        UsageError: If the folder lacks a file.
    """
    if missing := _missing(folder):
        raise UsageError(
            f"setting speech_model (VIDAGENT_SPEECH_MODEL): a folder holds {', '.join(_FILES)} of a Whisper model in "
            f"CTranslate2's form; {str(folder)!r} lacks {', '.join(missing)}"
        )
    weights = folder / _FILES[1]
    with weights.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return hashlib.sha256(f"{weights.stat().st_size} ".encode() + head).hexdigest()


@cache
def _loaded(source: str, device: str, compute_type: str) -> tuple[Any, threading.Lock]:
    """Return the model, and the lock under which it is used.

    Raises:
        UsageError: If the hub has no model of that name.
        ModelError: If it cannot be fetched or loaded.
    """
    from faster_whisper import WhisperModel, available_models

    if "/" not in source and source not in available_models():
        raise UsageError(
            f"setting speech_model (VIDAGENT_SPEECH_MODEL): a folder, OWNER/NAME on the hub, {AUTO}, or one of "
            f"{', '.join(available_models())}; got {source!r}"
        )
    try:
        folder = source if Path(source).is_dir() else _fetched(source)
        model = WhisperModel(
            folder,
            device=device,
            compute_type=compute_type,
            cpu_threads=min(_MAX_THREADS, os.cpu_count() or 1),
        )
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError also for too little memory
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"speech model {source!r} cannot be loaded: {reason}; speech_model may be a folder, too"
        ) from error
    return model, threading.Lock()


def _fetched(name: str) -> str:
    """Return the folder of a model of the hub; what was fetched once is used without asking again.

    Raises:
        OSError: If it is not here and the hub cannot be reached.
    """
    from faster_whisper import download_model

    try:
        folder = str(download_model(name, local_files_only=True))
        if not _missing(Path(folder)):
            return folder
    except OSError as error:
        LOG.debug("speech model %s is not here yet: %s", name, error)
    LOG.warning("fetching speech model %s from the hub, once", name)
    return str(download_model(name))
