"""Index of a video: activity, scan, subtitles, speech and text on screen, cached by content hash."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidagent.text import counted
from vidagent.types import VideoInfo
from vidagent.video.cache.entries import VideoEntries
from vidagent.video.cache.video_cache import FoundText, VideoCache
from vidagent.video.clock import format_time
from vidagent.video.index.activity import Activity, measure
from vidagent.video.index.embeddings import Embedded, Embedder, PictureEmbedder, pieces
from vidagent.video.index.scan import Scan, from_json, to_json
from vidagent.video.index.subtitles import Cue, sidecar_cues
from vidagent.video.index.transcript import Ear, Stop, Transcriber, Transcript
from vidagent.video.texts.candidates import Candidates
from vidagent.video.texts.finder import TextFinder
from vidagent.video.texts.reader import shared_reader
from vidagent.video.texts.track import Tracks
from vidagent.video.video import Video

_VERSION = 6
_TEXTS_VERSION = 3
LOG = logging.getLogger(__name__)
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Contents of the index, and the cost of building it.

    Args:
        video: The video.
        keyframes: Number of keyframes, or None if not counted.
        shots: First-frame times of the shots.
        shots_exact: Whether `shots` are exact to the frame.
        moments: Number of moments worth a look.
        subtitles: Number of subtitle lines.
        texts: Number of texts read so far.
        seconds: Wall-clock seconds spent, by part; missing parts came from the cache.
        frames_decoded: Frames decoded for it.
        speech: The transcript, or None if no speech model is set.
        tracks: The texts on screen, or None if they were not looked for.
    """

    video: VideoInfo
    keyframes: int
    shots: tuple[float, ...]
    shots_exact: bool
    moments: int
    subtitles: int
    texts: int
    seconds: dict[str, float]
    frames_decoded: int
    speech: Transcript | None = None
    tracks: Tracks | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        speech = None if self.speech is None else self.speech.to_dict()
        return {
            **dataclasses.asdict(self),
            "video": self.video.to_dict(),
            "shots": list(self.shots),
            "speech": speech,
            "tracks": None if self.tracks is None else self.tracks.to_dict(),
        }

    def lines(self) -> list[str]:
        """Return human-readable lines."""
        cost = (
            ", ".join(f"{part} {spent:.2f} s" for part, spent in self.seconds.items()) or "all from the cache"
        )
        about = "" if self.shots_exact else " (to a few frames)"
        return [
            f"{self.video.path}: {format_time(self.video.duration_s)}, {self.keyframes} keyframes",
            f"{counted(len(self.shots), 'shot')}{about}, {counted(self.moments, 'moment')} worth a look",
            f"{counted(self.subtitles, 'subtitle line')}, {counted(self.texts, 'text')} read so far",
            *([] if self.tracks is None else [_tracks_line(self.tracks)]),
            *([] if self.speech is None else [_speech_line(self.speech)]),
            f"cost: {cost}; {self.frames_decoded} frames decoded",
        ]


@dataclass
class Index:
    """Builds each part on first use and caches it.

    Args:
        video: The opened video.
        cache: Cache of the parts.
        on_progress: Called with what is being done, such as `indexing`, and the fraction done.
        ear: Speech-to-text model, or None if none is set.
        stop: When to stop transcribing.
        reading_cpu_s: CPU seconds that a search for texts on screen may take to read them; 0: it lists what is known.
        embedder: Model that turns pictures and texts into vectors, or None if no server is set.
    """

    video: Video
    cache: VideoCache
    on_progress: Progress | None = None
    ear: Ear | None = None
    stop: Stop = field(default_factory=Stop)
    reading_cpu_s: float = 0.0
    embedder: Embedder | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    _scan: Scan | None = None
    _entries: VideoEntries = field(init=False)

    def __post_init__(self) -> None:
        """Find the video's entries."""
        self._entries = VideoEntries(self.cache, self.video)

    def activity(self) -> Activity:
        """Return the activity, measured by packet sizes alone."""
        return self._packets()[0]

    def keyframes(self) -> int:
        """Return the number of keyframes."""
        return self._packets()[1]

    def _packets(self) -> tuple[Activity, int]:
        name = f"activity-{_VERSION}"
        data = self._entries.get_arrays(name)
        if data is not None:
            return Activity(float(data["bin_s"]), np.asarray(data["bytes_per_s"])), int(data["keyframes"])
        start = time.perf_counter()
        packets = self.video.packets()
        activity = measure(packets, self.video.info.duration_s)
        keyframes = int(packets.keyframes.sum())
        self._entries.put_arrays(
            name,
            {
                "bin_s": np.array(activity.bin_s),
                "bytes_per_s": activity.bytes_per_s,
                "keyframes": np.array(keyframes),
            },
        )
        self.seconds["activity"] = time.perf_counter() - start
        return activity, keyframes

    def scanned(self) -> bool:
        """Return whether the scan is available without decoding."""
        return self._scan is not None or self._entries.get_json(f"scan-{_VERSION}") is not None

    def known_cuts(self) -> Sequence[float]:
        """Return the times of the cuts, in order; none before the video was scanned."""
        return self.scan().cuts_s if self.scanned() else ()

    def scan(self) -> Scan:
        """Return moments, cuts and movement; the first call decodes the whole video at small size.

        If searches read the texts on screen, the same pass finds what may be text.
        """
        if self._scan is None:
            self._scan = self._cached_scan() or self._new_scan(texts=self.reading_cpu_s > 0)
        return self._scan

    def _cached_scan(self) -> Scan | None:
        cached = self._entries.get_json(f"scan-{_VERSION}")
        if cached is None:
            return None
        try:
            return from_json(cached)
        except (KeyError, TypeError, ValueError) as error:
            LOG.warning("the scan kept for %s is damaged and made anew: %s", self.video.path, error)
            return None

    def _new_scan(self, *, texts: bool) -> Scan:
        start = time.perf_counter()
        scan = self.video.scan(self._telling("indexing"), texts=texts)
        self._entries.put_json(f"scan-{_VERSION}", to_json(scan))
        if scan.texts is not None:
            head, pictures = scan.texts.packed()
            self._entries.put_json(f"candidates-{_TEXTS_VERSION}", head)
            self._entries.put_arrays(f"candidates-{_TEXTS_VERSION}", {"pictures": pictures})
        self.seconds["scan"] = time.perf_counter() - start
        return scan

    def _candidates(self) -> Candidates:
        """Return what may be text; found in one pass over the video, which makes the scan too."""
        name = f"candidates-{_TEXTS_VERSION}"
        head, arrays = self._entries.get_json(name), self._entries.get_arrays(name)
        if head is not None and arrays is not None:
            try:
                return Candidates.unpacked(head, arrays["pictures"])
            except (KeyError, TypeError, ValueError) as error:
                LOG.warning("what may be text in %s is damaged and found anew: %s", self.video.path, error)
        if self._scan is None or self._scan.texts is None:
            self._scan = self._new_scan(texts=True)
        return self._scan.texts or Candidates()

    def cues(self) -> list[Cue]:
        """Return the subtitle lines of embedded tracks and sidecar files, in order of time."""
        embedded = [Cue(*line) for line in self.video.subtitles()]
        return sorted(embedded + sidecar_cues(self.video.path), key=lambda cue: cue.start_s)

    def spoken(self, *, listen: bool = False) -> Transcript | None:
        """Return the transcript so far, or None if no speech model is set.

        If time is limited, at most half of what is left is spent on it.

        Args:
            listen: Whether to transcribe what is missing, for which a model on a server is sent the sound.

        Raises:
            ModelError: As `Ear.hear`.
            VideoError: If the sound cannot be decoded.
        """
        if self.ear is None:
            return None
        transcriber = Transcriber(self.video, self._entries, self.ear)
        found = transcriber.kept()
        if listen and not found.complete:
            start = time.perf_counter()
            try:
                found = transcriber.listen(self.stop.halfway(), self._telling("transcribing"))
            finally:
                self.seconds["speech"] = self.seconds.get("speech", 0.0) + time.perf_counter() - start
        return found

    def text_tracks(self, *, read: bool = False, cpu_s: float | None = None) -> Tracks | None:
        """Return the texts on screen with their times, or None if they were never looked for.

        Args:
            read: Whether to read what was not read yet, which takes a call of OCR for each picture of what may be text.
            cpu_s: CPU seconds of OCR that this may take; a later call goes on where it stopped.

        Raises:
            VideoError: If the video cannot be decoded.
        """
        name = f"text-tracks-{_TEXTS_VERSION}"
        found = self._cached_tracks(self._entries.get_json(name))
        if not read or (found is not None and found.complete):
            return found
        candidates = self._candidates()
        readings = f"text-readings-{_TEXTS_VERSION}"
        start = time.perf_counter()
        finder = TextFinder(
            candidates,
            self.video.info.duration_s,
            shared_reader(),
            self._entries.get_json(readings) or {},
            self._telling("reading the text on screen"),
        )
        finder.read(cpu_s, lambda state: self._entries.put_json(readings, state))
        found = finder.tracks()
        self._entries.put_json(name, found.to_dict())
        self.seconds["texts"] = time.perf_counter() - start
        return found

    def texts_known(self) -> bool:
        """Return whether all texts on screen were read before."""
        known = self.text_tracks()
        return known is not None and known.complete

    def _cached_tracks(self, cached: dict[str, Any] | None) -> Tracks | None:
        try:
            return None if cached is None else Tracks.from_dict(cached)
        except (KeyError, TypeError, ValueError) as error:
            LOG.warning("the texts kept for %s are damaged and read anew: %s", self.video.path, error)
            return None

    def _telling(self, doing: str) -> Callable[[float], None] | None:
        """Return what reports the fraction done of something, if anybody listens."""
        tell = self.on_progress
        return None if tell is None else lambda share: tell(doing, share)

    def embedded(self) -> Embedded | None:
        """Return the pictures as vectors, or None if no embedding server is set; what is missing is sent there.

        If time is limited, at most half of what is left is spent on it.

        Raises:
            ModelError: If that server cannot be reached, refuses, or sends nothing usable.
            VideoError: If the video cannot be decoded.
        """
        if self.embedder is None:
            return None
        pictures = PictureEmbedder(self.video, self._entries, self.embedder)
        found, parts = pictures.kept(), pieces(self.video.info.duration_s, self.scan().cuts_s)
        if len(found) < len(parts):
            start = time.perf_counter()
            found = pictures.embed(parts, self.stop.halfway(), self._telling("embedding the pictures"))
            self.seconds["embeddings"] = time.perf_counter() - start
        return found

    def alike(self, query: str) -> list[tuple[float, float]]:
        """Return times and how much the picture there is like a text, the most alike first; errors as `embedded`.

        The text's vector is cached, so that a recorded run can be replayed without the server.
        """
        found = self.embedded()
        if self.embedder is None or not found:
            return []
        asked = hashlib.sha256(f"{self.embedder.model}\n{query}".encode()).hexdigest()[:32]
        name = f"embedded-query-{asked}"
        vector = self._entries.get_json(name)
        if vector is None:
            vector = self.embedder.texts([query])[0].tolist()
            self._entries.put_json(name, vector)
        query_vector = np.array([vector], np.float32)
        return found.ranked(query_vector) if query_vector.shape[1] == found.vectors.shape[1] else []

    def texts(self) -> list[FoundText]:
        """Return the texts read in frames so far."""
        return self._entries.texts()

    def note_texts(self, found: Sequence[FoundText]) -> None:
        """Store texts read in frames."""
        self._entries.put_texts(found)

    def description(self, model: str) -> list[dict[str, Any]] | None:
        """Return how a model described the overview of the video, or None: scenes with their times."""
        scenes: list[dict[str, Any]] | None = self._entries.get_json(_description_key(model))
        return scenes

    def keep_description(self, model: str, scenes: list[dict[str, Any]]) -> None:
        """Store how a model described the overview, for later questions."""
        self._entries.put_json(_description_key(model), scenes)

    def report(self, *, listen: bool = False, read: bool = False) -> IndexReport:
        """Build what is missing and report on the index.

        Speech is transcribed only if `listen` is set, and texts on screen are looked for only if `read` is.
        """
        before = self.video.frames_decoded
        tracks = self.text_tracks(read=read)
        keyframes, scan = self.keyframes(), self.scan()
        speech = self.spoken(listen=listen)
        return IndexReport(
            video=self.video.info,
            keyframes=keyframes,
            shots=(0.0, *scan.cuts_s),
            shots_exact=scan.exact,
            moments=len(scan.moments),
            subtitles=len(self.cues()),
            texts=len(self.texts()),
            seconds=dict(self.seconds),
            frames_decoded=self.video.frames_decoded - before,
            speech=speech,
            tracks=tracks,
        )


def _description_key(model: str) -> str:
    return f"description-{hashlib.sha256(model.encode()).hexdigest()[:32]}"


def _tracks_line(tracks: Tracks) -> str:
    """Describe the texts on screen: how many, and how much was read in what time."""
    return (
        f"{counted(len(tracks.tracks), 'text')} on screen; {tracks.read:.0%} of what may be text was read, "
        f"in {tracks.cpu_s:.1f} s of CPU"
    )


def _speech_line(speech: Transcript) -> str:
    """Describe the transcript: how much, by which model, in what time."""
    if not speech.complete and not speech.done_s:
        return "speech: not transcribed yet (--transcribe does it)"
    how_far = "" if speech.complete else f" up to {format_time(speech.done_s)}"
    languages = f" ({', '.join(speech.languages)})" if speech.languages else ""
    lines = counted(len(speech.cues), "line")
    return f"speech: {lines}{languages}{how_far}, by {speech.model} in {speech.seconds:.1f} s"
