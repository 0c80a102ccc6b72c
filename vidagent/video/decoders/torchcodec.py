"""Optional decoder torchcodec in exact mode, which scans the file first (approximate mode fails on uneven rates)."""

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
_TIME_SLACK_S = 0.002


class TorchcodecDecoder(ListedDecoder):
    """Reads pictures with torchcodec, on the CPU.

    Args:
        path: Absolute path of the file.
        max_pixels: Limit on the pixels of one picture, or None.
        beat: Called as a sign of progress.
        stream: Number of the video stream, by default the one that a player shows.

    Raises:
        UsageError: If torchcodec, torch or FFmpeg's shared libraries are missing.
        VideoError: If torchcodec cannot read the file, or not correctly.
    """

    library = "torchcodec"

    def __init__(
        self,
        path: Path,
        *,
        max_pixels: int | None = None,
        beat: Callable[[], None] = lambda: None,
        stream: int | None = None,
    ) -> None:
        """Open the file with both libraries and compare their picture counts."""
        try:
            from torchcodec.decoders import VideoDecoder
        except (ImportError, OSError, RuntimeError) as error:
            raise _unusable(error) from None
        super().__init__(path, max_pixels=max_pixels, beat=beat, stream=stream)
        threads = min(_MAX_THREADS, os.cpu_count() or 1)
        try:
            self._reader: Any = VideoDecoder(
                str(path),
                stream_index=self._stream_index,
                dimension_order="NHWC",
                num_ffmpeg_threads=threads,
                seek_mode="exact",
                device="cpu",
            )
        except (RuntimeError, ValueError) as error:
            if "libtorchcodec" in str(error):
                raise _unusable(error) from None
            raise VideoError(f"torchcodec cannot open it: {_first_line(error)}") from None
        if len(self._reader) != len(self._times):
            raise self._refuse(f"it finds {len(self._reader)} pictures of {len(self._times)}")

    def close(self) -> None:
        """See `Decoder.close`."""
        self._reader = None

    def _picture(self, number: int) -> NDArray[np.uint8]:
        try:
            frame = self._reader.get_frame_at(number)
        except (RuntimeError, IndexError) as error:
            raise VideoError(f"torchcodec cannot decode picture {number}: {_first_line(error)}") from None
        shown_s = frame.pts_seconds - self._start_s
        if abs(shown_s - self._times[number]) > _TIME_SLACK_S:
            raise self._refuse(f"picture {number} comes at {shown_s:.3f} s, not {self._times[number]:.3f} s")
        return np.asarray(frame.data.numpy(), np.uint8)


def _unusable(error: Exception) -> UsageError:
    needs = "the extra vidagent[torchcodec] and FFmpeg's shared libraries"
    return UsageError(f"decoder torchcodec needs {needs}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
