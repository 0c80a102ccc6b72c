"""A video for a question: where it lies, which of its frames are wanted, and how it is read."""

from __future__ import annotations

import mimetypes
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from vidagent.agents.direct.attachments import Source, as_source, data_url, is_data, is_web, unpack
from vidagent.errors import UsageError
from vidagent.types import Overview
from vidagent.video.source import check

_MP4 = "video/mp4"


@dataclass(frozen=True, slots=True)
class Clip:
    """A video for a question; `video` makes it.

    Args:
        source: Where it is.
        fps: Frames to take a second.
        num_frames: Frames to take in all.
        max_frames: Most frames to take.
        indices: Numbers of the frames to take.
        here: Whether the frames are chosen and decoded here.
    """

    source: Source
    fps: float | None = None
    num_frames: int | None = None
    max_frames: int | None = None
    indices: tuple[int, ...] = ()
    here: bool = False

    @property
    def sampled(self) -> bool:
        """Whether a rate or a number of frames is asked for."""
        return self.fps is not None or self.num_frames is not None

    def url(self) -> str:
        """Return the URL that a message holds: a web or file URL as it is, anything else as a data URL.

        Raises:
            VideoError: If it is a path, and no video can be read there.
        """
        if isinstance(self.source, str):
            return self.source
        if isinstance(self.source, bytes):
            return data_url(self.source, _MP4)
        kind = mimetypes.guess_type(self.source.name)[0] or _MP4
        return data_url(check(self.source).read_bytes(), kind if kind.startswith("video/") else _MP4)

    @contextmanager
    def file(self) -> Iterator[Path | None]:
        """Give the path of a file to decode; None if only the server can read the video."""
        if isinstance(self.source, Path):
            yield self.source
        elif isinstance(self.source, bytes) or is_data(self.source):
            data = self.source if isinstance(self.source, bytes) else unpack(self.source, "video")
            with tempfile.NamedTemporaryFile(suffix=".mp4") as copy:
                copy.write(data)
                copy.flush()
                yield Path(copy.name)
        else:
            path = None if is_web(self.source) else Path(url2pathname(urlsplit(self.source).path))
            yield path if path is not None and path.is_file() else None


def video(
    source: str | os.PathLike[str] | bytes,
    *,
    fps: float | None = None,
    num_frames: int | None = None,
    max_frames: int | None = None,
    indices: Sequence[int] = (),
    here: bool = False,
) -> Clip:
    """Attach a video.

    Where nothing is said of frames, the server takes them by its own default.

    Args:
        source: An http or https URL, which the server fetches; a `file://` URL, which the server reads, if it may; a
            data URL; the path of a file, which is sent along; or a video's bytes.
        fps: Frames to take a second; not together with `num_frames`.
        num_frames: Frames to take in all, evenly spaced.
        max_frames: Most frames to take, where `fps` or `num_frames` would take more.
        indices: Numbers of the frames to take, from 0, rising; they are taken here.
        here: Whether the frames are taken here, by the times at which a player shows them, and sent as JPEGs.

    Raises:
        UsageError: If one is out of range, or two do not go together.
    """
    Overview(fps, num_frames)
    chosen = tuple(indices)
    if chosen and not (fps is num_frames is max_frames is None):
        raise UsageError(
            f"indices go without fps, num_frames and max_frames; got {len(chosen)} of them and these"
        )
    if any(later <= earlier for earlier, later in zip((-1, *chosen), chosen, strict=False)):
        raise UsageError(f"indices rise from 0 or more, each once; got {list(chosen)}")
    if max_frames is not None and (max_frames < 1 or (fps is None and num_frames is None)):
        raise UsageError(f"max_frames is 1 or more and goes with fps or num_frames; got {max_frames}")
    return Clip(as_source(source, "video"), fps, num_frames, max_frames, chosen, here or bool(chosen))
