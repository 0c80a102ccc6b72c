"""What is known of a video before the model looks: activity, scan, subtitles, texts read. Cached by content."""

from __future__ import annotations

import dataclasses
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
    """What the index holds and what building it cost.

    Args:
        video: The video.
        keyframes: Number of keyframes, or None if not counted.
        shots: First-frame times of the shots.
        shots_exact: Whether they are exact to the frame.
        moments: Number of moments worth a look.
        subtitles: Number of subtitle lines.
        texts: Number of texts read so far.
        seconds: Wall-clock seconds spent, by part; empty parts came from the cache.
        frames_decoded: Frames decoded for it.
        speech: What is said, or None where no server writes it down.
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
        """Say it to people."""
        cost = (
            ", ".join(f"{part} {spent:.2f} s" for part, spent in self.seconds.items()) or "all from the cache"
        )
        about = "" if self.shots_exact else " (to a few frames)"
        return [
            f"{self.video.path}: {format_time(self.video.duration_s)}, {self.keyframes} keyframes",
            f"{counted(len(self.shots), 'shot')}{about}, {counted(self.moments, 'moment')} worth a look",
            f"{counted(self.subtitles, 'subtitle line')}, {counted(self.texts, 'text')} read so far",
            *([] if self.speech is None else [_spoken(self.speech)]),
            f"cost: {cost}; {self.frames_decoded} frames decoded",
        ]


@dataclass
class Index:
    """Builds each part on first use and keeps it in the cache.

    Args:
        video: The opened video.
        cache: Where parts are kept.
        on_progress: Called with the fraction done while a scan runs, or speech is written down.
        ear: Writes speech down; None where no server is set for it.
        stop: Says when to stop writing it down.
    """

    video: Video
    cache: VideoCache
    on_progress: Progress | None = None
    ear: Ear | None = None
    stop: Stop = field(default_factory=Stop)
    seconds: dict[str, float] = field(default_factory=dict)
    _scan: Scan | None = None

    def __post_init__(self) -> None:
        """Hold what is kept of the video for as long as it is open."""
        self.video.on_close(self.cache.hold(self._key))

    @property
    def _key(self) -> str:
        return self.video.info.sha256

    def activity(self) -> Activity:
        """Return the activity map, told from packet sizes alone."""
        return self._packets()[0]

    def keyframes(self) -> int:
        """Return the number of keyframes."""
        return self._packets()[1]

    def _packets(self) -> tuple[Activity, int]:
        name = f"activity-{_VERSION}"
        kept = self.cache.get_arrays(self._key, name)
        if kept is not None:
            return Activity(float(kept["bin_s"]), np.asarray(kept["bytes_per_s"])), int(kept["keyframes"])
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
        """Say whether the scan is at hand without decoding."""
        return self._scan is not None or self.cache.get_json(self._key, f"scan-{_VERSION}") is not None

    def scan(self) -> Scan:
        """Return moments, cuts and movement; the first time this decodes the video once, at small size."""
        if self._scan is None:
            self._scan = self._kept_scan() or self._new_scan()
        return self._scan

    def _kept_scan(self) -> Scan | None:
        kept = self.cache.get_json(self._key, f"scan-{_VERSION}")
        if kept is None:
            return None
        try:
            moments = tuple(
                Moment(score, t, (x0, y0, x1, y1)) for score, t, (x0, y0, x1, y1) in kept["moments"]
            )
            return Scan(moments, tuple(kept["cuts_s"]), tuple(kept["motion"]), bool(kept["exact"]))
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
        """Return subtitle lines, embedded tracks and files beside the video, in order of time."""
        embedded = [Cue(*line) for line in self.video.subtitles()]
        return sorted(embedded + sidecar_cues(self.video.path), key=lambda cue: cue.start_s)

    def spoken(self, *, listen: bool = False) -> Transcript | None:
        """Return what is said, as far as it is written down; None where no server is set for it.

        Where time is limited, at most half of what is left is spent on it.

        Args:
            listen: Whether to have what is missing written down, which sends the sound to that server.

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
        """Return the texts that looks have read so far."""
        return self.cache.texts(self._key)

    def note_texts(self, found: Sequence[FoundText]) -> None:
        """Keep texts that a look has read."""
        self.cache.put_texts(self._key, found)

    def report(self, *, listen: bool = False) -> IndexReport:
        """Build what is missing and say what there is; speech is written down only if `listen` says so."""
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


def _spoken(speech: Transcript) -> str:
    """Say how much is written down, by which model, and what that took."""
    if not speech.complete and not speech.done_s:
        return "speech: not transcribed yet (--transcribe does it)"
    how_far = "" if speech.complete else f" up to {format_time(speech.done_s)}"
    languages = f" ({', '.join(speech.languages)})" if speech.languages else ""
    return (
        f"speech: {len(speech.cues)} lines{languages}{how_far}, by {speech.model} in {speech.seconds:.1f} s"
    )


def _plain(moments: Sequence[Moment]) -> dict[str, Any]:
    return {"moments": [(m.score, m.time_s, m.box) for m in moments]}
