"""Which videos a client may name, and where they lie: uploads, files under the server's folders, allowed addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from vidagent.serve.core import download
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.folders import Folders, is_named_so
from vidagent.serve.core.media_files import video_type
from vidagent.serve.core.remote_videos import RemoteVideos
from vidagent.serve.core.schemas import VideoListed
from vidagent.serve.core.storage.files import PREFIX, UploadedFiles

_MOST_VIDEOS = 1000


class VideoLocator:
    """Finds videos by the names that clients give them.

    Args:
        files: What was uploaded.
        roots: Folders whose videos may be named by path.
        remote: What may be fetched.
    """

    def __init__(self, files: UploadedFiles, roots: Sequence[Path], remote: RemoteVideos) -> None:
        """Keep them."""
        self._files = files
        self._folders = Folders(roots)
        self._remote = remote

    def check(self, client: Client, name: str) -> None:
        """Refuse a name that leads to no video, as far as can be said without fetching it.

        Raises:
            ApiError: As `found`.
        """
        if download.is_url(name):
            self._remote.check(name)
        else:
            self._path(client, name)

    @asynccontextmanager
    async def found(self, client: Client, name: str) -> AsyncIterator[Path]:
        """Give the file of a video while the block runs.

        Raises:
            ApiError: If there is no such video for this client. What lies outside of the folders is told as what does
                not exist.
            VideoError: If it cannot be fetched.
        """
        if download.is_url(name):
            async with self._remote.fetched(name) as copy:
                yield copy
        else:
            yield self._path(client, name)

    def videos(self) -> list[VideoListed]:
        """Return the videos under the folders, by the names that one may ask with; a thousand at most."""
        found: dict[str, VideoListed] = {}
        for name, path in self._folders.videos():
            if not name.startswith(PREFIX) and not download.is_url(name):
                with suppress(OSError):  # it is gone since
                    found.setdefault(name, VideoListed(name=name, bytes=path.stat().st_size))
            if len(found) == _MOST_VIDEOS:
                break
        return sorted(found.values(), key=lambda video: video.name)

    def video(self, client: Client, name: str) -> Path:
        """Return where a video lies that is to be sent as it is; nothing else under the folders is.

        Raises:
            ApiError: If there is no such video for this client.
        """
        path = self._path(client, name)
        if name.startswith(PREFIX) or (is_named_so(path.name) and video_type(path)):
            return path
        raise _none()

    def _path(self, client: Client, name: str) -> Path:
        if name.startswith(PREFIX):
            return self._files.path(client, name)
        path = self._folders.file(name)
        if path is None:
            raise _none()
        return path


def _none() -> ApiError:
    return ApiError(404, "no_such_video", "there is no such video")
