"""Views of one opened video for several questions: one decoding process, a frame count per view."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from numpy.typing import NDArray

from vidagent.errors import VideoError
from vidagent.video.index.scan import Scan
from vidagent.video.video import Video


class SharedVideo(Video):
    """A view of a video that other questions read too; `share` creates views.

    Each view counts its own decoded frames, and the video is scanned once for all. Closing one leaves the others open.
    """

    def __init__(self, video: Video, scans: list[Scan], scanning: threading.Lock) -> None:
        """Wrap an opened video; use `share` instead."""
        self.path, self.info, self.content, self.stream = video.path, video.info, video.content, video.stream
        self.unprotected = video.unprotected
        self.frames_decoded = 0
        # a view reads the private state of the video that it wraps
        self._shown, self._limits = video._shown, video._limits  # noqa: SLF001
        self._has_text_tracks = video._has_text_tracks  # noqa: SLF001
        self._closed = False
        self._ending = ExitStack()
        self._video, self._scans, self._scanning = video, scans, scanning

    @classmethod
    def share(cls, video: Video) -> Callable[[], SharedVideo]:
        """Return a function that creates a view of an opened video for each question."""
        scans: list[Scan] = []
        scanning = threading.Lock()
        return lambda: cls(video, scans, scanning)

    def scan(self, on_progress: Callable[[float], None] | None = None, *, texts: bool = False) -> Scan:
        """Scan the whole video, or wait for a scan in progress; see `Video.scan`."""
        with self._scanning:
            if not self._scans or (texts and self._scans[-1].texts is None):
                self._scans.append(super().scan(on_progress, texts=texts))
            return self._scans[-1]

    @property
    def closed(self) -> bool:
        """Whether this view, or the video, was closed."""
        return self._closed or self._video.closed

    def close(self) -> None:
        """Close this view; the video stays open for others."""
        self._closed = True
        self._ending.close()

    def _call(
        self,
        op: str,
        *,
        on_progress: Callable[[float], None] | None = None,
        **arguments: Any,  # noqa: ANN401 - JSON values
    ) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        if self._closed:
            raise VideoError(f"{self._shown}: the video was closed")
        header, arrays = self._video._call(op, on_progress=on_progress, **arguments)  # noqa: SLF001 - as above
        self.frames_decoded += int(header["decoded"])
        return header, arrays
