"""Small frames of videos: for lists, and in the place of videos that a browser cannot play."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from vidagent import api
from vidagent.serve.core.caller import Client
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.video_locator import VideoLocator

_CONCURRENT, _CONCURRENT_EACH = 4, 2
_MOST_WAITING = 32
"""Frames that a client may wait for."""
_TIMEOUT_S = 120.0
_KEPT_BYTES = 32 << 20

_Key = tuple[str, int, int, float | None, int]


@dataclass
class VideoFrames:
    """Decodes frames of videos, and keeps the last ones in memory.

    Methods raise `ApiError` for a video that the client does not have, or if it waits for too many.
    """

    locator: VideoLocator
    _limits: ConcurrencyLimits = field(
        default_factory=lambda: ConcurrencyLimits(_CONCURRENT, _CONCURRENT_EACH, "frames")
    )
    _kept: OrderedDict[_Key, bytes] = field(default_factory=OrderedDict)

    async def frame(self, client: Client, name: str, time_s: float | None, side_px: int) -> bytes:
        """Return the frame that a player shows at a time, or one that stands for the video, as JPEG.

        Raises:
            VideoError: If the video cannot be read.
        """
        path = await asyncio.to_thread(self.locator.downloadable, client, name)
        stat = await asyncio.to_thread(path.stat)
        key = (str(path), stat.st_mtime_ns, stat.st_size, time_s, side_px)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        async with self._limits.short_wait(client, most=_MOST_WAITING, within_s=_TIMEOUT_S):
            size = api.Size(side_px)
            if time_s is None:
                picture = await api.poster_of(path, size=size)
            else:
                (picture,) = (await api.frames_of(path, [time_s], size=size)).pictures
        self._keep(key, picture.jpeg)
        return picture.jpeg

    def _keep(self, key: _Key, jpeg: bytes) -> None:
        self._kept[key] = jpeg
        while sum(map(len, self._kept.values())) > _KEPT_BYTES:
            self._kept.popitem(last=False)
