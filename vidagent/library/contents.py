"""What the library keeps of one video: its lines, and vectors of its pictures and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidagent.agents.server import embeddings
from vidagent.agents.speech.choice import ear_of, needed_ear
from vidagent.config import Settings
from vidagent.errors import VideoError
from vidagent.video.cache.video_cache import VideoCache, default_folder
from vidagent.video.content import KnownFiles
from vidagent.video.index.embeddings import Embedded
from vidagent.video.index.transcript import Stop
from vidagent.video.index.transcript_cues import spoken_line
from vidagent.video.index.video_index import Index
from vidagent.video.texts.track import Tracks
from vidagent.video.video import Video

LineKind = Literal["subtitle", "spoken", "on screen", "name"]
READING_CPU_S, READING_SHARE = 30.0, 0.5
"""CPU seconds of OCR for one video: so many, and this share of its duration; what is left unread is said."""
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Line:
    """A text of a video in `[start_s, end_s)`: a subtitle, what is said, what stands on screen, or the file's name."""

    kind: LineKind
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Depth:
    """What is looked for in each video.

    Args:
        texts: Whether texts on screen are read.
        transcribe: Whether speech is transcribed, by the speech model that is set.
    """

    texts: bool = True
    transcribe: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found in a video.

    Args:
        sha256: Hash of the file.
        duration_s: Its length in seconds.
        lines: Its texts, each once.
        texts_read: Share of what may be text on screen that was read; None if it was not looked for.
        spoken: Whether the transcript is among the lines, or there is no sound.
        model: The embedding model, or None.
        pictures: Stretches of the video and their vectors.
        line_vectors: Vectors of `lines` but the file's name, float16 of shape `(N, D)`.
    """

    sha256: str
    duration_s: float
    lines: tuple[Line, ...] = ()
    texts_read: float | None = None
    spoken: bool = False
    model: str | None = None
    pictures: Embedded = field(default_factory=Embedded)
    line_vectors: NDArray[np.float16] = field(default_factory=lambda: np.empty((0, 0), np.float16))


class Reading:
    """One video that is being read; `stop` may be called from another thread.

    Args:
        path: The file.
        settings: The decoder, the cache, and the servers of speech and embeddings.
        depth: What is looked for.
        on_progress: Called with what is being done, and the fraction done.
    """

    def __init__(
        self, path: Path, settings: Settings, depth: Depth, on_progress: Progress | None = None
    ) -> None:
        """Store the arguments."""
        self._path, self._settings, self._depth, self._tell = path, settings, depth, on_progress
        self._video: Video | None = None
        self._stopped = False

    def stop(self) -> None:
        """End the reading with an error at its next step; what its index holds stays cached."""
        self._stopped = True
        if self._video is not None:
            self._video.close()

    def contents(self) -> Contents:
        """Read the video; parts of its index that are cached are not made again.

        Raises:
            VideoError: If it cannot be read.
            ModelError: If a server cannot be reached, refuses, or replies with nothing usable.
            UsageError: If speech is to be transcribed and no speech model is set.
        """
        settings = self._settings
        ear = needed_ear(settings) if self._depth.transcribe else ear_of(settings)
        embedder = embeddings.connect(settings)
        known = KnownFiles(settings.cache_dir or default_folder())
        with Video.open(self._path, decoder=settings.decoder, known=known) as video:
            self._video = video
            cache = VideoCache(settings.cache_dir, settings.cache_mb)
            stop = Stop(closed=lambda: self._stopped)
            index = Index(video, cache, self._progress, ear, stop, embedder=embedder)
            info = video.info
            tracks = None
            if self._depth.texts:
                tracks = index.text_tracks(read=True, cpu_s=READING_CPU_S + READING_SHARE * info.duration_s)
            transcript = index.spoken(listen=self._depth.transcribe)
            lines = tuple(dict.fromkeys(self._lines(index, tracks)))
            pictures = index.embedded()
            said = [line.text for line in lines if line.kind != "name"]
            line_vectors = embedder.texts(said).astype(np.float16) if embedder and said else None
            return Contents(
                sha256=info.sha256,
                duration_s=info.duration_s,
                lines=lines,
                texts_read=None if tracks is None else tracks.read,
                spoken=info.audio is None or (transcript is not None and transcript.complete),
                model=None if embedder is None else embedder.model,
                pictures=Embedded() if pictures is None else pictures.joined(),
                line_vectors=np.empty((0, 0), np.float16) if line_vectors is None else line_vectors,
            )

    def _lines(self, index: Index, tracks: Tracks | None) -> Iterator[Line]:
        yield from (Line("subtitle", cue.start_s, cue.end_s, cue.text) for cue in index.cues())
        transcript = index.spoken()
        for cue in transcript.cues if transcript else ():
            yield Line("spoken", cue.start_s, cue.end_s, spoken_line(cue))
        known = tracks or index.text_tracks() or Tracks()
        yield from (Line("on screen", one.start_s, one.end_s, one.text) for one in known.tracks)
        yield Line("name", 0.0, index.video.info.duration_s, self._path.stem)

    def _progress(self, doing: str, share: float) -> None:
        if self._stopped:
            raise VideoError(f"{self._path}: the reading was stopped")
        if self._tell is not None:
            self._tell(doing, share)
