"""Transcript of a video: a speech model hears its sound piece by piece, with times on the player's clock.

Pieces are cut at quiet places and heard with a second of sound on both sides, so that no word is split; words in two
pieces are merged. Each finished piece is cached at once, so that an interrupted transcript can be resumed.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from vidagent.errors import VideoError
from vidagent.video.cache.entries import VideoEntries
from vidagent.video.index.subtitles import Cue
from vidagent.video.index.transcript_cues import (
    SHORTEST_S,
    clean_cues,
    from_list,
    inside,
    joined,
    to_dict,
    to_list,
)
from vidagent.video.sound import RATE, Samples, quietest
from vidagent.video.video import Video

OVERLAP_S = 1.0
_SEARCH_S = 20.0
"""Length of a piece's end that is searched for a quiet place to cut."""
_SILENCE = 32
"""Pieces within this level, -60 dB, are not heard: speech models invent words for silence."""
_VOICE_S = (2.0, 8.0)
"""Shortest and longest sample of a voice; servers take 2 to 10 s
(https://platform.openai.com/docs/guides/speech-to-text#speaker-diarization)."""
_MOST_VOICES = 4
"""Most samples given with one piece, as servers take."""
_VERSION = 1
LOG = logging.getLogger(__name__)

Voices = Mapping[str, Samples | None]
"""Speakers of earlier pieces by their labels, who spoke most first, each with a sample of the voice if there is one."""
NOBODY: Voices = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Heard:
    """A model's transcript of one piece: its language and unchecked cues, timed from the start of the piece."""

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
    """Speech-to-text model; `vidagent.agents.speech` has one on a server and one in this process."""

    @property
    def model(self) -> str:
        """Name of the speech model, to be shown."""

    @property
    def identity(self) -> str:
        """All that its words depend on; transcripts are cached by it."""

    @property
    def piece_s(self) -> float:
        """Longest piece of sound that it is given at once, overlaps aside, in seconds."""

    def hear(self, sound: Samples, stop: Stop, voices: Voices = NOBODY) -> Heard | None:
        """Transcribe sound `(samples,)`; return None if stopped before the end.

        A label in `voices` stands for that speaker only, in the lines that are returned, too.

        Raises:
            ModelError: If the model cannot be reached or loaded, refuses, or gives nothing usable.
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
        has_sound: Whether the video has sound at all.
    """

    model: str
    cues: tuple[Cue, ...] = ()
    done_s: float = 0.0
    duration_s: float = 0.0
    languages: tuple[str, ...] = ()
    seconds: float = 0.0
    has_sound: bool = True

    @property
    def complete(self) -> bool:
        """Whether all of the video is transcribed."""
        return self.done_s >= self.duration_s - SHORTEST_S

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "model": self.model,
            "lines": [to_dict(cue) for cue in self.cues],
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
        return self._joined([piece for piece in self._pieces() if piece["end_s"] <= until_s])

    def _joined(self, pieces: Sequence[dict[str, Any]]) -> Transcript:
        info, cues = self.video.info, _cues(pieces)
        spoken = [piece["language"] for piece in pieces if piece["language"]]
        languages = sorted(set(spoken), key=lambda name: (-spoken.count(name), name))
        done_s = pieces[-1]["end_s"] if pieces else 0.0
        return Transcript(
            model=self.ear.model,
            cues=tuple(cues),
            done_s=info.duration_s if info.audio is None else done_s,
            duration_s=info.duration_s,
            languages=tuple(languages),
            seconds=sum(piece["seconds"] for piece in pieces),
            has_sound=info.audio is not None,
        )

    def listen(self, stop: Stop, on_progress: Callable[[float], None] | None = None) -> Transcript:
        """Transcribe what is missing, until all is done or `stop` says so.

        Raises:
            ModelError: As `Ear.hear`; earlier pieces stay cached.
            VideoError: If the sound cannot be decoded.
        """
        pieces, found = self._pieces(), self.kept()
        done_s, duration_s, complete = found.done_s, found.duration_s, found.complete
        while not complete:
            left_s = stop.left_s()
            if stop.closed() or (left_s is not None and left_s <= 0):
                break
            if on_progress is not None:
                on_progress(done_s / duration_s)
            piece = self._piece(done_s, stop, _cues(pieces))
            if piece is None:
                break
            pieces.append(piece)
            self._store(pieces)
            done_s = piece["end_s"]
            complete = done_s >= duration_s - SHORTEST_S
        return self._joined(pieces)

    def _piece(self, start_s: float, stop: Stop, earlier: Sequence[Cue]) -> dict[str, Any] | None:
        began = time.perf_counter()
        end_s, sound, from_s = self._cut(start_s)
        cues: list[Cue] = []
        language = None
        if sound is not None:
            voices = self._voices(earlier)
            result = self.ear.hear(sound, stop, voices) if voices else self.ear.hear(sound, stop)
            if result is None:
                return None
            language = result.language
            cues = list(inside(clean_cues(result.cues, len(sound) / RATE, from_s), start_s, end_s))
        return {
            "start_s": start_s,
            "end_s": end_s,
            "language": language,
            "cues": [to_list(cue) for cue in cues],
            "seconds": time.perf_counter() - began,
        }

    def _voices(self, cues: Sequence[Cue]) -> Voices:
        """Return the speakers so far; of those who spoke most, the longest line is the sample."""
        lines: dict[str, list[Cue]] = {}
        for cue in cues:
            if cue.speaker:
                lines.setdefault(cue.speaker, []).append(cue)
        ranked = sorted(lines, key=lambda name: -sum(cue.end_s - cue.start_s for cue in lines[name]))
        samples = [self._sample(lines[name]) for name in ranked[:_MOST_VOICES]]
        return dict.fromkeys(ranked) | dict(zip(ranked, samples, strict=False))

    def _sample(self, lines: Sequence[Cue]) -> Samples | None:
        longest = max(lines, key=lambda cue: cue.end_s - cue.start_s)
        shortest_s, most_s = _VOICE_S
        end_s = min(longest.end_s, longest.start_s + most_s)
        return self.video.sound(longest.start_s, end_s) if end_s - longest.start_s >= shortest_s else None

    def _cut(self, start_s: float) -> tuple[float, Samples | None, float]:
        """Return a piece's end, its sound with some of its neighbours' (None if silent), and that sound's start."""
        duration_s = self.video.info.duration_s
        from_s, most_s = max(0.0, start_s - OVERLAP_S), start_s + self.ear.piece_s
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
        return end_s, None if silent else samples, from_s

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
        return f"speech-{_VERSION}-{hashlib.sha256(self.ear.identity.encode()).hexdigest()[:32]}"


def _cues(pieces: Sequence[dict[str, Any]]) -> list[Cue]:
    """Return the lines of pieces that follow each other."""
    cues: list[Cue] = []
    for piece in pieces:
        cues = joined(cues, [from_list(line) for line in piece["cues"]])
    return cues


def _validated(piece: dict[str, Any]) -> dict[str, Any]:
    """Return a cached piece.

    Raises:
        ValueError: If it is invalid.
    """
    cues = [from_list(line) for line in piece["cues"]]
    cues += [word for cue in cues for word in cue.words]
    times = [piece["start_s"], piece["end_s"], piece["seconds"]]
    times += [time_s for cue in cues for time_s in (cue.start_s, cue.end_s)]
    if not all(math.isfinite(time_s) for time_s in times) or piece["end_s"] <= piece["start_s"]:
        raise ValueError("times that are none")
    if not all(isinstance(text, str) for cue in cues for text in (cue.text, cue.speaker)):
        raise ValueError("texts that are none")
    return piece
