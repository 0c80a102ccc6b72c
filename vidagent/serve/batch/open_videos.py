"""The videos of a batch: each is opened once, for as long as questions about it are left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from vidagent.api.assemble import open_with
from vidagent.config import Settings
from vidagent.errors import VidagentError
from vidagent.video.shared_video import SharedVideo
from vidagent.video.video import Video

T = TypeVar("T")


class OpenVideo:
    """An opened video, and what its questions share.

    Args:
        video: The video.
    """

    def __init__(self, video: Video) -> None:
        """Share it from now on."""
        self.view = SharedVideo.share(video)
        self._video = video
        self._made: dict[object, asyncio.Future[Any]] = {}

    async def once(self, key: object, make: Callable[[], Awaitable[T]]) -> T:
        """Return what `make` gives, made for whoever asks first."""
        if key not in self._made:
            self._made[key] = asyncio.ensure_future(make())
        made: T = await asyncio.shield(self._made[key])
        return made

    def close(self) -> None:
        """Close the video."""
        for made in self._made.values():
            made.cancel()
        self._video.close()


class Videos:
    """Opens videos when they are first asked about and closes each after its last question; a context manager.

    Args:
        uses: The path of each question.
        settings: The library that decodes them, and which stream of each.
    """

    def __init__(self, uses: Iterable[Path], settings: Settings) -> None:
        """Count the questions."""
        self._left = Counter(uses)
        self._settings = settings
        self._opened: dict[Path, asyncio.Task[OpenVideo]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for path in list(self._opened):
            await self._close(path)

    @asynccontextmanager
    async def held(self, path: Path) -> AsyncIterator[OpenVideo]:
        """Have a video open for one question.

        Raises:
            VideoError: If it is missing, unreadable or unsupported.
        """
        if path not in self._opened:
            self._opened[path] = asyncio.create_task(self._open(path))
        try:
            yield await asyncio.shield(self._opened[path])
        finally:
            self._left[path] -= 1
            if self._left[path] <= 0:
                await self._close(path)

    async def _open(self, path: Path) -> OpenVideo:
        return OpenVideo(await asyncio.to_thread(open_with, self._settings, path))

    async def _close(self, path: Path) -> None:
        """Close a video; one that is being opened is waited for, as its process would stay behind."""
        task = self._opened.pop(path, None)
        if task is None:
            return
        try:
            opened = await asyncio.shield(task)
        except VidagentError:
            return
        opened.close()
