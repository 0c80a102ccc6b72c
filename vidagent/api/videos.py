"""Facts and indexes of videos, and the models within reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidagent import config
from vidagent.agents.server.model_choice import Available, available
from vidagent.agents.speech import choice
from vidagent.api.assemble import open_with
from vidagent.types import VideoInfo
from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index.transcript import Stop, Transcript
from vidagent.video.index.video_index import Index, IndexReport
from vidagent.video.texts.track import Tracks


@dataclass(frozen=True, slots=True)
class Probe:
    """What is known of a video without decoding it.

    Args:
        info: Facts from its container.
        keyframes: Number of keyframes.
        shots_s: Times of the shots' first frames; None until the video is scanned.
    """

    info: VideoInfo
    keyframes: int
    shots_s: tuple[float, ...] | None


def probe_video(path: str | Path, *, decoder: str | None = None, video_stream: int | None = None) -> Probe:
    """Return the facts of a video from its container, and what its index holds already.

    Args:
        path: A local video file.
        decoder: `pyav`, `decord` or `torchcodec`; by default as in the settings.
        video_stream: Number of the video stream among the streams of the file; by default the one that a player shows.

    Raises:
        VideoError: If it cannot be read.
    """
    settings = config.load(decoder=decoder, video_stream=video_stream)
    with open_with(settings, path) as video:
        index = Index(video, VideoCache(settings.cache_dir, settings.cache_mb))
        shots = (0.0, *index.scan().cuts_s) if index.scanned() else None
        return Probe(video.info, index.keyframes(), shots)


def index_video(
    path: str | Path,
    *,
    transcribe: bool = False,
    texts: bool = False,
    on_progress: Callable[[str, float], None] | None = None,
    video_stream: int | None = None,
) -> IndexReport:
    """Build what is missing of a video's index.

    Args:
        path: A local video file.
        transcribe: Whether to transcribe speech, by the server set as `transcribe_url`, else by `speech_model`.
        texts: Whether to look for the texts on screen, by reading what may be text.
        on_progress: Called with what is being done, such as `indexing`, and the completed fraction of it.
        video_stream: As for `probe_video`.

    Raises:
        VideoError: If it cannot be read.
        ModelError: If that server cannot be reached, refuses, or replies with nothing usable, or the model cannot be
            loaded.
        UsageError: If neither is set.
    """
    settings = config.load(video_stream=video_stream)
    ear = choice.needed_ear(settings) if transcribe else choice.ear_of(settings)
    with open_with(settings, path) as video:
        return Index(video, VideoCache(settings.cache_dir, settings.cache_mb), on_progress, ear).report(
            listen=transcribe, read=texts
        )


def texts_of(
    path: str | Path,
    *,
    on_progress: Callable[[str, float], None] | None = None,
    video_stream: int | None = None,
) -> Tracks:
    """Return the texts on screen of a video, each from its first frame to its last; read on first use.

    Args:
        path: A local video file.
        on_progress: As for `index_video`.
        video_stream: As for `probe_video`.

    Raises:
        VideoError: If it cannot be read.
    """
    found = index_video(path, texts=True, on_progress=on_progress, video_stream=video_stream).tracks
    return found or Tracks()


def transcript_of(
    path: str | Path,
    *,
    language: str | None = None,
    on_progress: Callable[[str, float], None] | None = None,
    video_stream: int | None = None,
    stop: Stop | None = None,
) -> Transcript:
    """Return what is said in a video, line by line; transcribed on first use, by what the settings name for it.

    It is kept piece by piece: a call that was interrupted is gone on with by the next one.

    Args:
        path: A local video file.
        language: The language spoken, such as `en`; by default as in the settings, else found by the model.
        on_progress: As for `index_video`.
        video_stream: As for `probe_video`.
        stop: When to stop; what is transcribed until then is returned. By default, when all is.

    Raises:
        VideoError: If it cannot be read.
        ModelError: As for `index_video`.
        UsageError: If no speech model is set, or it does not know the language.
    """
    settings = config.load(video_stream=video_stream, speech_language=language)
    ear = choice.needed_ear(settings)
    with open_with(settings, path) as video:
        index = Index(
            video, VideoCache(settings.cache_dir, settings.cache_mb), on_progress, ear, stop or Stop()
        )
        kept = index.spoken()
        if kept is None or not kept.cues:  # where nothing is said, the model would not be asked
            choice.check_language(ear)
        found = index.spoken(listen=True)
        assert found is not None  # noqa: S101 - an ear is set
        return found


def kept_transcript(path: str | Path) -> Transcript | None:
    """Return what is transcribed of a video so far, or None if no speech model is set; nothing is transcribed.

    Raises:
        VideoError: If it cannot be read.
        UsageError: If the speech model that is set cannot be used.
    """
    settings = config.load()
    ear = choice.ear_of(settings)
    if ear is None:
        return None
    with open_with(settings, path) as video:
        return Index(video, VideoCache(settings.cache_dir, settings.cache_mb), ear=ear).spoken()


def list_models(*, base_url: str | None = None, api_key: str | None = None) -> list[Available]:
    """List the embedded model and those of the servers within reach.

    Raises:
        ModelError: If `base_url` is given and cannot be reached.
    """
    return available(config.load(base_url=base_url, api_key=api_key))
