"""Base class of decoders that address pictures by number: PyAV lists the times, the library decodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from vidagent.errors import VideoError
from vidagent.video.clock import slack_s
from vidagent.video.container.medium import open_medium, video_packets
from vidagent.video.decoders.cursor import Cursor
from vidagent.video.decoders.picture import clip_box, shrink
from vidagent.video.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from vidagent.types import Box
    from vidagent.video.container.medium import Medium
    from vidagent.video.decoders.base import Snap

_KEYFRAMES_TRIED = 8
_TICK_S = 0.002
"""Largest difference between a library's picture times and the container's: libraries round to a millisecond."""


class ListedDecoder(ABC):
    """Reads the time of every picture from the packets, and decodes pictures by number with a library.

    Args:
        path: Absolute path of the file.
        max_pixels: Limit on the pixels of one picture, or None.
        beat: Called as a sign of progress.
        stream: Number of the video stream, by default the one that a player shows.

    Raises:
        VideoError: If the file cannot be read.
    """

    library: str
    """Name of the library, for messages."""
    wrong_codecs: frozenset[str] = frozenset()
    """FFmpeg names of the codecs that the library decodes incorrectly or not at all."""
    keeps_hidden: bool = False
    """Whether the library counts the pictures that an edit list hides."""

    def __init__(
        self,
        path: Path,
        *,
        max_pixels: int | None = None,
        beat: Callable[[], None] = lambda: None,
        stream: int | None = None,
    ) -> None:
        """List the pictures; the subclass then opens its library."""
        self.frames_decoded = 0
        self._beat = beat
        medium = open_medium(path, max_pixels=max_pixels, stream=stream)
        try:
            self._start_s = float(medium.clock.start)
            self._times, self._keys = self._list(medium)
            self._stream_index = medium.stream.index
            if "mpegts" in medium.container.format.name:
                raise self._refuse("it seeks wrongly in MPEG-TS")
            if medium.stream.codec_context.name in self.wrong_codecs:
                raise self._refuse(f"it errs in {medium.stream.codec_context.codec.long_name}")
        finally:
            medium.close()
        self._check_keyframes(path, stream)

    def frames_at(
        self,
        times_s: Sequence[float],
        *,
        snap: Snap = "exact",
        max_side_px: int | None = None,
        box_px: Box | None = None,
    ) -> list[Frame]:
        """See `Decoder.frames_at`; `frames_decoded` counts only the pictures returned."""
        choices = np.arange(len(self._times)) if snap == "exact" else np.flatnonzero(self._keys)
        places = (
            np.searchsorted(self._times[choices], [t_s + slack_s(t_s) for t_s in times_s], side="right") - 1
        )
        numbers = [int(choices[max(place, 0)]) for place in places]
        made: dict[int, Frame] = {}
        for number in sorted(set(numbers)):
            rgb = self._pixels(number)
            cut = rgb if box_px is None else clip_box(rgb, box_px)
            made[number] = Frame(float(self._times[number]), shrink(cut, max_side_px))
        return [made[number] for number in numbers]

    def frames_between(
        self, start_s: float, end_s: float, *, max_side_px: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """See `Decoder.frames_between`."""
        for number in range(*self._numbers(start_s, end_s), stride):
            yield Frame(float(self._times[number]), shrink(self._pixels(number), max_side_px))

    def frame_times(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """See `Decoder.frame_times`."""
        return self._times[slice(*self._numbers(start_s, end_s))].copy()

    @abstractmethod
    def close(self) -> None:
        """See `Decoder.close`."""

    @abstractmethod
    def _picture(self, number: int) -> NDArray[np.uint8]:
        """Return an upright RGB picture by its number in display order."""

    def _refuse(self, what: str) -> VideoError:
        return VideoError(f"{self.library} does not read this file rightly ({what}); use the pyav decoder")

    def _compare(self, library_times_s: NDArray[np.float64]) -> None:
        """Refuse the file if the library lists other pictures than the container, or at other intervals."""
        if len(library_times_s) != len(self._times):
            raise self._refuse(f"it finds {len(library_times_s)} pictures of {len(self._times)}")
        apart = library_times_s - self._times
        if float(np.ptp(apart)) > _TICK_S:
            raise self._refuse("its time stamps are not those of the container")

    def _check_keyframes(self, path: Path, stream: int | None) -> None:
        """Refuse a file whose keyframes depend on other pictures, as the library trusts keyframe flags."""
        cursor = Cursor(path, None, self._beat, stream)
        try:
            keys = (packet for packet in cursor.packets() if packet.is_keyframe and not packet.is_discard)
            for packet in islice(keys, _KEYFRAMES_TRIED):
                if cursor.decode_alone(packet) is None:
                    raise self._refuse("pictures marked as keyframes are none")
        finally:
            cursor.close()

    def _numbers(self, start_s: float, end_s: float) -> tuple[int, int]:
        """Return the number of the first picture in a range, and of the first one after it."""
        first, last = np.searchsorted(self._times, [t_s - slack_s(t_s) for t_s in (start_s, end_s)])
        return int(first), int(last)

    def _pixels(self, number: int) -> NDArray[np.uint8]:
        self._beat()
        self.frames_decoded += 1
        return self._picture(number)

    def _list(self, medium: Medium) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        times, keys = array("q"), array("b")
        for packet in video_packets(medium, self._beat):
            pts = packet.pts if packet.pts is not None else packet.dts
            if packet.is_discard and self.keeps_hidden:
                raise self._refuse("an edit list hides some of its pictures")
            if pts is not None and not packet.is_discard:
                times.append(pts)
                keys.append(packet.is_keyframe)
        if not times:
            raise VideoError("holds no picture that can be read: it is cut off or damaged")
        pts_all = np.array(times, np.int64)
        order = np.argsort(pts_all, kind="stable")
        return medium.clock.seconds_of(pts_all[order]), np.array(keys, np.bool_)[order]
