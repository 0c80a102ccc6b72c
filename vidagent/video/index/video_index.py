"""Index of a video: activity, scan, subtitles, speech and texts read, cached by content hash."""

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
from vidagent.video.cache.video_cache import FoundText, VideoCache
from vidagent.video.clock import format_time
from vidagent.video.index.activity import Activity, measure
from vidagent.video.index.moments import Moment
from vidagent.video.index.scan import Scan
from vidagent.video.index.subtitles import Cue, sidecar_cues
from vidagent.video.index.transcript import Ear, Stop, Transcriber, Transcript
from vidagent.video.video import Video

_VERSION = 3
LOG = logging.getLogger(__name__)
Progress = Callable[[float], None]


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
        speech: The transcript, or None if no speech server is set.
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

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        speech = None if self.speech is None else self.speech.to_dict()
        return {
            **dataclasses.asdict(self),
            "video": self.video.to_dict(),
            "shots": list(self.shots),
            "speech": speech,
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
            *([] if self.speech is None else [_speech_line(self.speech)]),
            f"cost: {cost}; {self.frames_decoded} frames decoded",
        ]


@dataclass
class Index:
    """Builds each part on first use and caches it.

    Args:
        video: The opened video.
        cache: Cache of the parts.
        on_progress: Called with the fraction done during a scan or transcription.
        ear: Speech-to-text model, or None if no server is set.
        stop: When to stop transcribing.
    """

    video: Video
    cache: VideoCache
    on_progress: Progress | None = None
    ear: Ear | None = None
    stop: Stop = field(default_factory=Stop)
    seconds: dict[str, float] = field(default_factory=dict)
    _scan: Scan | None = None

    def __post_init__(self) -> None:
        """Protect the video's cache entries from eviction while it is open."""
        self.video.on_close(self.cache.hold(self._key))

    @property
    def _key(self) -> str:
        return self.video.info.sha256

    def activity(self) -> Activity:
        """Return the activity, measured by packet sizes alone."""
        return self._packets()[0]

    def keyframes(self) -> int:
        """Return the number of keyframes."""
        return self._packets()[1]

    def _packets(self) -> tuple[Activity, int]:
        name = f"activity-{_VERSION}"
        data = self.cache.get_arrays(self._key, name)
        if data is not None:
            return Activity(float(data["bin_s"]), np.asarray(data["bytes_per_s"])), int(data["keyframes"])
        start = time.perf_counter()
        packets = self.video.packets()
        activity = measure(packets, self.video.info.duration_s)
        keyframes = int(packets.keyframes.sum())
        self.cache.put_arrays(
            self._key,
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
        return self._scan is not None or self.cache.get_json(self._key, f"scan-{_VERSION}") is not None

    def scan(self) -> Scan:
        """Return moments, cuts and movement; the first call decodes the whole video at small size."""
        if self._scan is None:
            self._scan = self._cached_scan() or self._new_scan()
        return self._scan

    def _cached_scan(self) -> Scan | None:
        cached = self.cache.get_json(self._key, f"scan-{_VERSION}")
        if cached is None:
            return None
        try:
            moments = tuple(
                Moment(score, t, (x0, y0, x1, y1)) for score, t, (x0, y0, x1, y1) in cached["moments"]
            )
            return Scan(moments, tuple(cached["cuts_s"]), tuple(cached["motion"]), bool(cached["exact"]))
        except (KeyError, TypeError, ValueError) as error:
            LOG.warning("the scan kept for %s is damaged and made anew: %s", self.video.path, error)
            return None

    def _new_scan(self) -> Scan:
        start = time.perf_counter()
        scan = self.video.scan(self.on_progress)
        self.cache.put_json(self._key, f"scan-{_VERSION}", dataclasses.asdict(scan) | _plain(scan.moments))
        self.seconds["scan"] = time.perf_counter() - start
        return scan

    def cues(self) -> list[Cue]:
        """Return the subtitle lines of embedded tracks and sidecar files, in order of time."""
        embedded = [Cue(*line) for line in self.video.subtitles()]
        return sorted(embedded + sidecar_cues(self.video.path), key=lambda cue: cue.start_s)

    def spoken(self, *, listen: bool = False) -> Transcript | None:
        """Return the transcript so far, or None if no speech server is set.

        If time is limited, at most half of what is left is spent on it.

        Args:
            listen: Whether to transcribe what is missing, which sends the sound to that server.

        Raises:
            ModelError: If that server cannot be reached, refuses, or sends nothing usable.
            VideoError: If the sound cannot be decoded.
        """
        if self.ear is None:
            return None
        transcriber = Transcriber(self.video, self.cache, self.ear)
        found = transcriber.kept()
        if listen and not found.complete:
            start = time.perf_counter()
            try:
                found = transcriber.listen(self.stop.halfway(), self.on_progress)
            finally:
                self.seconds["speech"] = self.seconds.get("speech", 0.0) + time.perf_counter() - start
        return found

    def texts(self) -> list[FoundText]:
        """Return the texts read in frames so far."""
        return self.cache.texts(self._key)

    def note_texts(self, found: Sequence[FoundText]) -> None:
        """Store texts read in frames."""
        self.cache.put_texts(self._key, found)

    def description(self, model: str) -> list[dict[str, Any]] | None:
        """Return how a model described the overview of the video, or None: scenes with their times."""
        scenes: list[dict[str, Any]] | None = self.cache.get_json(self._key, _description_key(model))
        return scenes

    def keep_description(self, model: str, scenes: list[dict[str, Any]]) -> None:
        """Store how a model described the overview, for later questions."""
        self.cache.put_json(self._key, _description_key(model), scenes)

    def report(self, *, listen: bool = False) -> IndexReport:
        """Build what is missing and report on the index; speech is transcribed only if `listen` is set."""
        before = self.video.frames_decoded
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
        )


def _description_key(model: str) -> str:
    return f"description-{hashlib.sha256(model.encode()).hexdigest()[:32]}"


def _speech_line(speech: Transcript) -> str:
    """Describe the transcript: how much, by which model, in what time."""
    if not speech.complete and not speech.done_s:
        return "speech: not transcribed yet (--transcribe does it)"
    how_far = "" if speech.complete else f" up to {format_time(speech.done_s)}"
    languages = f" ({', '.join(speech.languages)})" if speech.languages else ""
    return (
        f"speech: {len(speech.cues)} lines{languages}{how_far}, by {speech.model} in {speech.seconds:.1f} s"
    )


def _plain(moments: Sequence[Moment]) -> dict[str, Any]:
    return {"moments": [(m.score, m.time_s, m.box) for m in moments]}
