"""Videos by the names that clients may use: ids of uploads, paths under served folders, allowed URLs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from vidagent.serve.core import download
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.folders import Folders, has_video_suffix
from vidagent.serve.core.media_files import video_type
from vidagent.serve.core.remote_videos import RemoteVideos
from vidagent.serve.core.schemas import VideoListed
from vidagent.serve.core.storage.files import PREFIX, UploadedFiles

_MAX_LISTED = 1000


class VideoLocator:
    """Finds a client's videos by name.

    Args:
        files: Uploaded videos.
        roots: Folders whose videos may be named by path.
        remote: Videos at URLs.
    """

    def __init__(self, files: UploadedFiles, roots: Sequence[Path], remote: RemoteVideos) -> None:
        """Resolve the folders."""
        self._files = files
        self._folders = Folders(roots)
        self._remote = remote

    def check(self, client: Client, name: str) -> None:
        """Raise an error for a name without a video, as far as is known without a download.

        Raises:
            ApiError: As `open`.
        """
        if download.is_url(name):
            self._remote.check(name)
        else:
            self._path(client, name)

    @asynccontextmanager
    async def open(self, client: Client, name: str) -> AsyncIterator[Path]:
        """Yield the path of a video, which exists while the block runs.

        Raises:
            ApiError: If this client has no such video; files outside of the folders count as missing.
            VideoError: If the download fails.
        """
        if download.is_url(name):
            async with self._remote.download(name) as copy:
                yield copy
        else:
            yield self._path(client, name)

    def videos(self) -> list[VideoListed]:
        """Return the videos under the folders by name, at most a thousand."""
        listed: dict[str, VideoListed] = {}
        for name, path in self._folders.videos():
            if not name.startswith(PREFIX) and not download.is_url(name):
                with suppress(OSError):  # deleted meanwhile
                    listed.setdefault(name, VideoListed(name=name, bytes=path.stat().st_size))
            if len(listed) == _MAX_LISTED:
                break
        return sorted(listed.values(), key=lambda video: video.name)

    def downloadable(self, client: Client, name: str) -> Path:
        """Return the path of a video that may be sent as it is; other files under the folders may not.

        Raises:
            ApiError: If this client has no such video.
        """
        path = self._path(client, name)
        if name.startswith(PREFIX) or (has_video_suffix(path.name) and video_type(path)):
            return path
        raise _no_such_video()

    def _path(self, client: Client, name: str) -> Path:
        if name.startswith(PREFIX):
            return self._files.path(client, name)
        path = self._folders.file(name)
        if path is None:
            raise _no_such_video()
        return path


def _no_such_video() -> ApiError:
    return ApiError(404, "no_such_video", "there is no such video")
