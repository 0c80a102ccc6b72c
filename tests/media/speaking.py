"""A drawn clip whose sound is a code, and a speech server that reads it: each word is a tone of its own pitch."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.scripted_server import Raw, refusal

WORDS = ["harbour", "lantern", "seven", "quiet", "marble", "orchid", "velvet", "copper"]
WORD_S = 0.6
_RATE = 48_000
_LOWEST_HZ, _STEP_HZ = 400, 200


def speak(path: Path, said: Sequence[tuple[float, str]], seconds: float, *, sound_s: float = 0.0) -> Path:
    """Encode grey pictures, and at each time the tone of a word."""
    samples = np.zeros(round(seconds * _RATE), np.float32)
    for at_s, word in said:
        times = np.arange(round(WORD_S * _RATE)) / _RATE
        first = round(at_s * _RATE)
        hertz = _LOWEST_HZ + _STEP_HZ * WORDS.index(word)
        samples[first : first + len(times)] = 0.5 * np.sin(2 * np.pi * hertz * times)
    return film(path, samples, _RATE, sound_s=sound_s)


def film(path: Path, samples: np.ndarray, rate: int, *, sound_s: float = 0.0) -> Path:
    """Encode grey pictures for sound from -1 to 1, which begins at `sound_s`."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=5, options={"preset": "ultrafast", "g": "10"})
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("aac", rate=rate, layout="mono")
        for number in range(round(len(samples) / rate * 5)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 200, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            out.mux(pictures.encode(frame))
        for first in range(0, len(samples), 1024):
            part = samples[None, first : first + 1024]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, first + round(sound_s * rate)
            frame.time_base = Fraction(1, rate)
            out.mux(sound.encode(frame))
        out.mux(sound.encode())
        out.mux(pictures.encode())
    return path


@dataclass
class Listener:
    """Reads the form that was posted and writes down the words whose tones it hears.

    Attributes:
        voices: How many voices it tells apart, of which the words have one after the other; without any it refuses
            to tell speakers. As servers do, it labels them A, B, … in each request, or by the samples sent with it.
        knows_samples: Whether it takes samples of voices.
        refused: How many requests it has refused.
        forms: The fields of each request that it took, without the file; a list for one that stands several times.
        pieces_s: The length of each WAV file.
        replies: Replies given, one after the other, before it listens.
    """

    replies: list[Any] = field(default_factory=list)
    voices: int = 0
    knows_samples: bool = True
    refused: int = 0
    forms: list[dict[str, Any]] = field(default_factory=list)
    pieces_s: list[float] = field(default_factory=list)

    def __call__(self, form: tuple[str, bytes]) -> Raw | dict[str, Any]:
        """Answer a request."""
        fields, sound = read_form(*form)
        with wave.open(io.BytesIO(sound)) as read:
            assert (read.getframerate(), read.getnchannels(), read.getsampwidth()) == (16_000, 1, 2)
            samples = np.frombuffer(read.readframes(read.getnframes()), "<i2").astype(float)
        refusal_of = self._refusal(fields)
        if refusal_of is not None:
            self.refused += 1
            return refusal(400, refusal_of)
        self.forms.append(fields)
        self.pieces_s.append(len(samples) / 16_000)
        if self.replies:
            return self.replies.pop(0)
        segments = list(heard_words(samples))
        if fields["response_format"] == "diarized_json":
            self._label(segments, fields)
            return {"task": "transcribe", "text": "", "segments": segments}
        text = " ".join(segment["text"] for segment in segments)
        return {"text": text, "language": "en", "duration": self.pieces_s[-1], "segments": segments}

    def _refusal(self, fields: dict[str, Any]) -> str | None:
        if fields["response_format"] == "verbose_json":
            return None
        if fields["response_format"] != "diarized_json" or not self.voices:
            return "only verbose_json here"
        return None if self.knows_samples or "known_speaker_names[]" not in fields else "no samples here"

    def _label(self, segments: list[dict[str, Any]], fields: dict[str, Any]) -> None:
        """Label who says each segment."""
        names, samples = (
            [one] if isinstance(one := fields.get(f"known_speaker_{kind}[]", []), str) else one
            for kind in ("names", "references")
        )
        labels = {
            self._voice(heard_words(_sample(url))[0]): name for name, url in zip(names, samples, strict=True)
        }
        for segment in segments:
            segment["speaker"] = labels.setdefault(self._voice(segment), "ABCDEFGH"[len(labels) - len(names)])

    def _voice(self, segment: dict[str, Any]) -> int:
        return WORDS.index(segment["text"].strip()) % self.voices


def read_form(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Read a multipart form: its fields, and the file."""
    message = BytesParser(policy=HTTP).parsebytes(
        b"content-type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    assert message.is_multipart(), content_type
    fields: dict[str, Any] = {}
    file = b""
    for part in message.iter_parts():
        data = part.get_payload(decode=True)
        if part.get_filename():
            assert (part.get_filename(), part.get_content_type()) == ("sound.wav", "audio/wav")
            file = data
        else:
            name, value = part.get_param("name", header="content-disposition"), data.decode()
            before = fields.get(name, [])
            fields[name] = [*([before] if isinstance(before, str) else before), value] if before else value
    return fields, file


def _sample(url: str) -> np.ndarray:
    """Return the sound of a sample of a voice."""
    head, _, body = url.partition(",")
    assert head == "data:audio/wav;base64"
    with wave.open(io.BytesIO(base64.b64decode(body))) as read:
        assert 2.0 <= read.getnframes() / read.getframerate() <= 10.0
        return np.frombuffer(read.readframes(read.getnframes()), "<i2").astype(float)


def heard_words(samples: np.ndarray) -> list[dict[str, Any]]:
    """Return a segment for each tone."""
    places = np.flatnonzero(np.abs(samples) > 1500)
    if not len(places):
        return []
    found = []
    for group in np.split(places, np.flatnonzero(np.diff(places) > 1600) + 1):
        part = samples[group[0] : group[-1] + 1]
        hertz = np.count_nonzero(np.diff(np.signbit(part))) / 2 / (len(part) / 16_000)
        word = WORDS[min(len(WORDS) - 1, max(0, round((hertz - _LOWEST_HZ) / _STEP_HZ)))]
        found.append(
            {"start": float(group[0] / 16_000), "end": float(group[-1] / 16_000), "text": f" {word}"}
        )
    return found
