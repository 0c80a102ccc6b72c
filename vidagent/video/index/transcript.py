"""Transcript of a video: a speech model hears its sound piece by piece, with times on the player's clock.

Pieces are cut at quiet places and heard with a second of sound on both sides, so that no word is split; words in two
pieces are merged. Each finished piece is cached at once, so that an interrupted transcript can be resumed.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vidagent.errors import VideoError
from vidagent.video.cache.entries import VideoEntries
from vidagent.video.index.subtitles import Cue
from vidagent.video.sound import RATE, Samples, quietest
from vidagent.video.video import Video

OVERLAP_S = 1.0
_SEARCH_S = 20.0
"""Length of a piece's end that is searched for a quiet place to cut."""
_SILENCE = 32
"""Pieces within this level, -60 dB, are not heard: speech models invent words for silence."""
_SLACK_S = 0.25
_SHORTEST_S = 0.05
_MOST_CUES = 5_000
"""Most cues of one piece; a model that gives more is not transcribing."""
_MOST_CHARS = 2_000
_VERSION = 1
LOG = logging.getLogger(__name__)


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

    def hear(self, sound: Samples, stop: Stop) -> Heard | None:
        """Transcribe sound `(samples,)`; return None if stopped before the end.

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
        return self.done_s >= self.duration_s - _SHORTEST_S

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "model": self.model,
            "lines": [_to_dict(cue) for cue in self.cues],
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
        info = self.video.info
        cues: list[Cue] = []
        for piece in pieces:
            cues = joined(cues, [_from_list(line) for line in piece["cues"]])
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
            piece = self._piece(done_s, stop)
            if piece is None:
                break
            pieces.append(piece)
            self._store(pieces)
            done_s = piece["end_s"]
            complete = done_s >= duration_s - _SHORTEST_S
        return self._joined(pieces)

    def _piece(self, start_s: float, stop: Stop) -> dict[str, Any] | None:
        began = time.perf_counter()
        end_s, sound, from_s = self._cut(start_s)
        cues: list[Cue] = []
        language = None
        if sound is not None:
            result = self.ear.hear(sound, stop)
            if result is None:
                return None
            language = result.language
            cues = list(_inside(clean_cues(result.cues, len(sound) / RATE, from_s), start_s, end_s))
        return {
            "start_s": start_s,
            "end_s": end_s,
            "language": language,
            "cues": [_to_list(cue) for cue in cues],
            "seconds": time.perf_counter() - began,
        }

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


def clean_cues(cues: Iterable[Cue], length_s: float, offset_s: float = 0.0) -> list[Cue]:
    """Return the valid cues of a model, in order of time, shifted by `offset_s`, each with its valid words.

    Times are clipped to the piece; cues whose times are not finite, that end before they begin, or that are empty
    without control characters, are left out.
    """
    return sorted(set(_valid(list(cues)[:_MOST_CUES], length_s, offset_s)))


def _valid(cues: Iterable[Cue], length_s: float, offset_s: float) -> Iterator[Cue]:
    for cue in cues:
        if not (math.isfinite(cue.start_s) and math.isfinite(cue.end_s)) or cue.end_s < cue.start_s:
            continue
        start_s, end_s = max(0.0, cue.start_s), min(length_s, cue.end_s)
        text = _plain(cue.text)
        if not text or start_s >= length_s or end_s <= 0 or end_s < start_s:
            continue
        end_s = min(length_s, max(end_s, start_s + _SHORTEST_S))
        words = tuple(_valid(cue.words, length_s, offset_s))
        yield Cue(round(offset_s + start_s, 3), round(offset_s + end_s, 3), text, words)


def joined(earlier: Sequence[Cue], later: Sequence[Cue]) -> list[Cue]:
    """Join two pieces without repeating words that both have at the same time."""
    cues = list(earlier)
    for cue in later:
        left: Cue | None = cue
        for other in earlier[-4:]:
            if other.start_s < cue.end_s + _SLACK_S and cue.start_s < other.end_s + _SLACK_S and left:
                left = _without_repeat(other.text, left)
        if left:
            cues.append(left)
    return sorted(cues)


def _without_repeat(before: str, cue: Cue) -> Cue | None:
    """Drop a cue's first words that end the text before it; return None if no others are left."""
    old, texts = _words(before), cue.text.split()
    new = _words(cue.text)
    if f" {' '.join(new)} " in f" {' '.join(old)} ":
        return None
    for count in range(min(len(old), len(new)), 1, -1):
        if old[-count:] == new[:count]:
            words = cue.words[count:] if len(cue.words) == len(texts) else ()
            return Cue(words[0].start_s if words else cue.start_s, cue.end_s, " ".join(texts[count:]), words)
    return cue


def _words(text: str) -> list[str]:
    """Return the space-separated words of a text, normalized for comparison."""
    return [re.sub(r"\W+", "", word).casefold() for word in text.split()]


def _inside(cues: Sequence[Cue], start_s: float, end_s: float) -> Iterator[Cue]:
    """Yield what lies in the piece itself, and not in the overlap with its neighbours, by the middles of words.

    A cue whose words have no times is taken whole, or left out.
    """
    for cue in cues:
        if not cue.words and start_s - _SLACK_S <= _middle_s(cue) <= end_s + _SLACK_S:
            yield cue
        inside = [place for place, word in enumerate(cue.words) if start_s <= _middle_s(word) < end_s]
        if inside:
            yield _cut_to(cue, inside[0], inside[-1])


def _middle_s(cue: Cue) -> float:
    return (cue.start_s + cue.end_s) / 2


def _cut_to(cue: Cue, first: int, last: int) -> Cue:
    """Return a cue from its word number `first` to its word number `last`."""
    if first == 0 and last == len(cue.words) - 1:
        return cue
    at, places = 0, []
    for word in cue.words:
        at = max(at, cue.text.find(word.text, at))
        places.append(at)
        at += len(word.text)
    words = cue.words[first : last + 1]
    text = cue.text[places[first] : places[last] + len(words[-1].text)]
    return Cue(words[0].start_s, words[-1].end_s, text, words)


def _to_dict(cue: Cue) -> dict[str, Any]:
    line = {"start_s": cue.start_s, "end_s": cue.end_s, "text": cue.text}
    return line | ({"words": [_to_dict(word) for word in cue.words]} if cue.words else {})


def _to_list(cue: Cue) -> list[Any]:
    line = [cue.start_s, cue.end_s, cue.text]
    return [*line, [_to_list(word) for word in cue.words]] if cue.words else line


def _from_list(line: Sequence[Any]) -> Cue:
    start_s, end_s, text, *rest = line
    return Cue(start_s, end_s, text, tuple(_from_list(word) for words in rest for word in words))


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
    cues = [_from_list(line) for line in piece["cues"]]
    cues += [word for cue in cues for word in cue.words]
    times = [piece["start_s"], piece["end_s"], piece["seconds"]]
    times += [time_s for cue in cues for time_s in (cue.start_s, cue.end_s)]
    if not all(math.isfinite(time_s) for time_s in times) or piece["end_s"] <= piece["start_s"]:
        raise ValueError("times that are none")
    if not all(isinstance(cue.text, str) for cue in cues):
        raise ValueError("texts that are none")
    return piece
