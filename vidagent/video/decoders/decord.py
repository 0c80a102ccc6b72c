"""Optional decoder decord 0.6.0; refuses the kinds of files that it is known to decode incorrectly.

Measured by tests/video/test_decoders.py: wrong pictures after a seek in MPEG-TS and in HEVC with reordered
pictures, wrong times under edit lists, no AV1 (its FFmpeg dates from 2018).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from vidagent.errors import UsageError, VideoError
from vidagent.video.decoders.listed import ListedDecoder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_THREADS = 4


class DecordDecoder(ListedDecoder):
    """Reads pictures with decord.

    Args:
        path: Absolute path of the file.
        max_pixels: Limit on the pixels of one picture, or None.
        beat: Called as a sign of progress.
        stream: Number of the video stream, by default the one that a player shows.

    Raises:
        UsageError: If decord is not installed.
        VideoError: If decord cannot read the file, or not correctly.
    """

    library = "decord"
    wrong_codecs = frozenset({"hevc", "av1", "libdav1d"})
    keeps_hidden = True

    def __init__(
        self,
        path: Path,
        *,
        max_pixels: int | None = None,
        beat: Callable[[], None] = lambda: None,
        stream: int | None = None,
    ) -> None:
        """Open the file with both libraries and compare their picture lists."""
        try:
            import decord
        except ImportError:
            raise UsageError("decoder decord is not installed: pip install decord (x86-64 only)") from None
        super().__init__(path, max_pixels=max_pixels, beat=beat, stream=stream)
        self._errors = (decord.DECORDError, RuntimeError, IndexError)
        threads = min(_MAX_THREADS, os.cpu_count() or 1)
        try:
            self._reader: Any = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=threads)
            listed = self._reader.get_frame_timestamp(range(len(self._reader)))[:, 0]
        except self._errors as error:
            raise VideoError(f"decord cannot open it: {_last_clause(error)}") from None
        self._compare(np.asarray(listed, np.float64))

    def close(self) -> None:
        """See `Decoder.close`."""
        self._reader = None

    def _picture(self, number: int) -> NDArray[np.uint8]:
        try:
            picture: NDArray[np.uint8] = self._reader[number].asnumpy()
        except self._errors as error:
            raise VideoError(f"decord cannot decode picture {number}: {_last_clause(error)}") from None
        return picture


def _last_clause(error: Exception) -> str:
    """Return the useful part of a decord error: the first line without the source location."""
    lines = str(error).strip().splitlines()
    return (lines[0].split("]")[-1].strip() or lines[0])[:200] if lines else type(error).__name__
