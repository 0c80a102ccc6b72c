"""Transcript of a video: a server transcribes its sound piece by piece, with times on the player's clock.

Pieces are cut at quiet places and sent with a second of sound on both sides, so that no word is split; words in two
pieces are merged. Each finished piece is cached at once, so that an interrupted transcript can be resumed.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vidagent.errors import VideoError
from vidagent.video.cache.entries import VideoEntries
from vidagent.video.index.subtitles import Cue
from vidagent.video.sound import RATE, quietest, wav
from vidagent.video.video import Video

PIECE_S = 300.0
OVERLAP_S = 1.0
_SEARCH_S = 20.0
"""Length of a piece's end that is searched for a quiet place to cut."""
_SILENCE = 32
"""Pieces within this level, -60 dB, are not sent: speech models invent words for silence."""
_SLACK_S = 0.25
_SHORTEST_S = 0.05
_MOST_CUES = 5_000
"""Most cues of one piece; a server that sends more is not transcribing."""
_MOST_CHARS = 2_000
_VERSION = 1
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """A server's transcript of one piece: its language and unchecked cues, timed from the start of the piece."""

    language: str | None
    cues: Sequence[Cue]


@dataclass(frozen=True, slots=True)
class Stop:
    """When to stop.

    Args:
        left_s: Returns the seconds left, or None if there is no limit.
        closed: Returns whether the result is no longer needed.
    """

    left_s: Callable[[], float | None] = lambda: None
    closed: Callable[[], bool] = lambda: False

    def halfway(self) -> Stop:
        """Return a `Stop` after half of the time left now."""
        now_s = self.left_s()
        if now_s is None:
            return self
        return Stop(lambda: (self.left_s() or 0.0) - now_s / 2, self.closed)


class Ear(Protocol):
    """Speech-to-text model; `vidagent.agents.server.speech` implements it with a server."""

    @property
    def model(self) -> str:
        """Name of the speech model."""

    def hear(self, sound: bytes, seconds: float, stop: Stop) -> Heard | None:
        """Transcribe a WAV file of so many seconds; return None if stopped before the end.

        Raises:
            ModelError: If the server cannot be reached, refuses, or sends nothing usable.
        """


@dataclass(frozen=True, slots=True)
class Transcript:
    """The transcript so far.

    Args:
        model: The speech model.
        cues: Lines in order of time.
        done_s: Seconds of the video transcribed so far.
        duration_s: Length of the video.
        languages: Languages spoken, the most frequent first.
        seconds: Wall-clock seconds that transcription took, over all runs.
    """

    model: str
    cues: tuple[Cue, ...] = ()
    done_s: float = 0.0
    duration_s: float = 0.0
    languages: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether all of the video is transcribed."""
        return self.done_s >= self.duration_s - _SHORTEST_S

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "model": self.model,
            "lines": [{"start_s": c.start_s, "end_s": c.end_s, "text": c.text} for c in self.cues],
            "done_s": round(self.done_s, 3),
            "complete": self.complete,
            "languages": list(self.languages),
            "seconds": round(self.seconds, 3),
        }


@dataclass
class Transcriber:
    """Transcribes a video piece by piece, and caches each piece.

    Args:
        video: The opened video.
        entries: Where the pieces are kept.
        ear: Model that transcribes a piece.
    """

    video: Video
    entries: VideoEntries
    ear: Ear
    _last_stored: dict[str, Any] = field(default_factory=dict)

    def kept(self, until_s: float = math.inf) -> Transcript:
        """Return the transcript so far, or the part of it up to a time; nothing is sent."""
        info = self.video.info
        pieces = [piece for piece in self._pieces() if piece["end_s"] <= until_s]
        cues: list[Cue] = []
        for piece in pieces:
            cues = joined(cues, [Cue(*line) for line in piece["cues"]])
        done_s = pieces[-1]["end_s"] if pieces else 0.0
        spoken = [piece["language"] for piece in pieces if piece["language"]]
        languages = sorted(set(spoken), key=lambda name: (-spoken.count(name), name))
        return Transcript(
            model=self.ear.model,
            cues=tuple(cues),
            done_s=info.duration_s if info.audio is None else done_s,
            duration_s=info.duration_s,
            languages=tuple(languages),
            seconds=sum(piece["seconds"] for piece in pieces),
        )

    def listen(self, stop: Stop, on_progress: Callable[[float], None] | None = None) -> Transcript:
        """Transcribe what is missing, until all is done or `stop` says so.

        Raises:
            ModelError: If the server cannot be reached, refuses, or sends nothing usable; earlier pieces stay
                cached.
            VideoError: If the sound cannot be decoded.
        """
        found = self.kept()
        while not found.complete:
            left_s = stop.left_s()
            if stop.closed() or (left_s is not None and left_s <= 0):
                break
            if on_progress is not None:
                on_progress(found.done_s / found.duration_s)
            piece = self._piece(found.done_s, stop)
            if piece is None:
                break
            self._store([*self._pieces(), piece])
            found = self.kept()
        return found

    def _piece(self, start_s: float, stop: Stop) -> dict[str, Any] | None:
        began = time.perf_counter()
        end_s, sound, from_s = self._cut(start_s)
        cues: list[Cue] = []
        language = None
        if sound is not None:
            result = self.ear.hear(sound, (len(sound) - 44) / (2 * RATE), stop)
            if result is None:
                return None
            length_s = (len(sound) - 44) / (2 * RATE)
            language = result.language
            cues = _inside(clean_cues(result.cues, length_s, from_s), start_s, end_s)
        return {
            "start_s": start_s,
            "end_s": end_s,
            "language": language,
            "cues": [[cue.start_s, cue.end_s, cue.text] for cue in cues],
            "seconds": time.perf_counter() - began,
        }

    def _cut(self, start_s: float) -> tuple[float, bytes | None, float]:
        """Return a piece's end, its sound with some of its neighbours' (None if silent), and that sound's start."""
        duration_s = self.video.info.duration_s
        from_s, most_s = max(0.0, start_s - OVERLAP_S), start_s + PIECE_S
        last = duration_s <= most_s + OVERLAP_S
        samples = self.video.sound(from_s, duration_s if last else most_s + OVERLAP_S)
        end_s = duration_s
        if not last:
            place = quietest(
                samples[: round((most_s - from_s) * RATE)], round((most_s - from_s - _SEARCH_S) * RATE)
            )
            end_s = from_s + place / RATE
            samples = samples[: place + round(OVERLAP_S * RATE)]
        silent = not len(samples) or max(int(samples.max()), -int(samples.min())) <= _SILENCE
        return end_s, None if silent else wav(samples), from_s

    def _pieces(self) -> list[dict[str, Any]]:
        cached = self.entries.get_json(self._key) or self._last_stored
        try:
            pieces = [_validated(piece) for piece in cached.get("pieces", [])]
            starts_s = [0.0, *(piece["end_s"] for piece in pieces[:-1])]
            if [piece["start_s"] for piece in pieces] == starts_s[: len(pieces)]:
                return pieces
        except (AttributeError, KeyError, TypeError, ValueError, VideoError) as error:
            LOG.warning("the transcript kept for %s is damaged and made anew: %s", self.video.path, error)
        return []

    def _store(self, pieces: list[dict[str, Any]]) -> None:
        self._last_stored = {"model": self.ear.model, "pieces": pieces}
        self.entries.put_json(self._key, self._last_stored)

    @property
    def _key(self) -> str:
        return f"speech-{_VERSION}-{hashlib.sha256(self.ear.model.encode()).hexdigest()[:32]}"


def clean_cues(cues: Iterable[Cue], length_s: float, offset_s: float = 0.0) -> list[Cue]:
    """Return the valid cues of a server, in order of time, shifted by `offset_s`.

    Times are clipped to the piece; cues whose times are not finite, that end before they begin, or that are empty
    without control characters, are left out.
    """
    found: list[Cue] = []
    for cue in list(cues)[:_MOST_CUES]:
        if not (math.isfinite(cue.start_s) and math.isfinite(cue.end_s)) or cue.end_s < cue.start_s:
            continue
        start_s, end_s = max(0.0, cue.start_s), min(length_s, cue.end_s)
        text = _plain(cue.text)
        if not text or start_s >= length_s or end_s <= 0 or end_s < start_s:
            continue
        end_s = min(length_s, max(end_s, start_s + _SHORTEST_S))
        found.append(Cue(round(offset_s + start_s, 3), round(offset_s + end_s, 3), text))
    return sorted(set(found))


def joined(earlier: Sequence[Cue], later: Sequence[Cue]) -> list[Cue]:
    """Join two pieces without repeating words that both have at the same time."""
    cues = list(earlier)
    for cue in later:
        text: str | None = cue.text
        for other in earlier[-4:]:
            if other.start_s < cue.end_s + _SLACK_S and cue.start_s < other.end_s + _SLACK_S and text:
                text = _without_repeat(other.text, text)
        if text:
            cues.append(Cue(cue.start_s, cue.end_s, text))
    return sorted(cues)


def _without_repeat(before: str, text: str) -> str | None:
    """Drop a text's first words that end the text before it; return None if no others are left."""
    old, words = _words(before), text.split()
    new = _words(text)
    if f" {' '.join(new)} " in f" {' '.join(old)} ":
        return None
    for count in range(min(len(old), len(new)), 1, -1):
        if old[-count:] == new[:count]:
            return " ".join(words[count:]) or None
    return text


def _words(text: str) -> list[str]:
    """Return the space-separated words of a text, normalized for comparison."""
    return [re.sub(r"\W+", "", word).casefold() for word in text.split()]


def _inside(cues: Sequence[Cue], start_s: float, end_s: float) -> list[Cue]:
    """Return the cues whose middle lies in the piece itself, and not in the overlap with its neighbours."""
    return [cue for cue in cues if start_s - _SLACK_S <= (cue.start_s + cue.end_s) / 2 <= end_s + _SLACK_S]


def _plain(text: str) -> str:
    """Return a text on one line without control and invisible characters."""
    shown = "".join(" " if c.isspace() else c for c in text[: 4 * _MOST_CHARS])
    shown = "".join(c for c in shown if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    return " ".join(shown.split())[:_MOST_CHARS]


def _validated(piece: dict[str, Any]) -> dict[str, Any]:
    """Return a cached piece.

    Raises:
        ValueError: If it is invalid.
    """
    numbers = [
        piece["start_s"],
        piece["end_s"],
        piece["seconds"],
        *(t for cue in piece["cues"] for t in cue[:2]),
    ]
    if not all(math.isfinite(number) for number in numbers) or piece["end_s"] <= piece["start_s"]:
        raise ValueError("times that are none")
    if not all(isinstance(cue[2], str) for cue in piece["cues"]):
        raise ValueError("texts that are none")
    return piece
