"""Videos by the names that clients may use: ids of uploads, paths under served folders, allowed URLs."""

from __future__ import annotations

import asyncio
import itertools
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from vidagent.serve.core import download
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.folders import Folders, has_video_suffix
from vidagent.serve.core.media_files import video_type
from vidagent.serve.core.schemas import VideoListed
from vidagent.serve.core.storage.disk import Disk
from vidagent.serve.core.storage.files import PREFIX, UploadedFiles
from vidagent.text import one_line

_MAX_LISTED = 1000
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#][!-\[\]-~]*)?", re.IGNORECASE)
"""Plain ASCII hosts without user info: URLs that parsers could read differently are refused."""
_PORTS = {"http": 80, "https": 443}


class RemoteVideos:
    """Downloads videos from allowed hosts, each `HOST` with its default ports or `HOST:PORT`."""

    def __init__(self, hosts: Sequence[str], max_bytes: int, min_free_bytes: int) -> None:
        """Find the disk of the temporary folder."""
        self._hosts = frozenset(host.lower() for host in hosts)
        self._max_bytes = max_bytes
        self._disk = Disk(Path(tempfile.gettempdir()), min_free_bytes)

    def check(self, url: str) -> None:
        """Raise an `ApiError` for a URL of a host that is not allowed."""
        if _URL.fullmatch(url) is None or _host_of(url) not in self._hosts:
            raise ApiError(403, "wrong_address", "videos from this address are not allowed")

    @asynccontextmanager
    async def download(self, url: str) -> AsyncIterator[Path]:
        """Yield a copy that is deleted after the block; leaving the block aborts the download.

        Raises:
            ApiError: If the URL or a redirect leads to a host that is not allowed, or the disk is full.
            VideoError: If the download is over a limit, or fails, or an address is not public.
        """
        self.check(url)
        handle = download.DownloadConnection()
        with tempfile.TemporaryDirectory(prefix="vidagent-") as folder:
            copy = Path(folder, "video")
            try:
                await asyncio.to_thread(
                    download.fetch,
                    url,
                    copy,
                    max_bytes=self._max_bytes,
                    check_url=self.check,
                    check_space=self._disk.check,
                    handle=handle,
                )
                yield copy
            finally:
                handle.abort()


class VideoLocator:
    """Finds a client's videos by name."""

    def __init__(self, files: UploadedFiles, roots: Sequence[Path], remote: RemoteVideos) -> None:
        """Resolve the folders."""
        self._files = files
        self.folders = Folders(roots)
        self._remote = remote

    def check(self, client: Client, name: str) -> None:
        """Raise an `ApiError` for a name without a video, as far as is known without a download."""
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

    @asynccontextmanager
    async def open_all(self, client: Client, names: Sequence[str]) -> AsyncIterator[list[Path]]:
        """Yield the paths of videos; of several, with file names by which their answer can tell them apart.

        Raises:
            ApiError: As `open` does.
            VideoError: Likewise.
        """
        async with AsyncExitStack() as stack:
            paths = [await stack.enter_async_context(self.open(client, name)) for name in names]
            if len(names) > 1:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vidagent-")))
                titles = _told_apart([self._title(client, name) for name in names])
                for title, path in zip(titles, paths, strict=True):
                    (folder / title).symlink_to(path)
                paths = [folder / title for title in titles]
            yield paths

    def _title(self, client: Client, name: str) -> str:
        """Return a video's own file name, which the file of an upload or a download does not have."""
        if name.startswith(PREFIX):
            return self._files.get(client, name).filename
        return download.file_name(name) if download.is_url(name) else Path(name).name

    def videos(self) -> list[VideoListed]:
        """Return the videos under the folders by name, at most a thousand."""
        listed: dict[str, VideoListed] = {}
        for name, path in self.folders.videos():
            if not name.startswith(PREFIX) and not download.is_url(name):
                with suppress(OSError):  # deleted meanwhile
                    listed.setdefault(name, VideoListed(name=name, bytes=path.stat().st_size))
            if len(listed) == _MAX_LISTED:
                break
        return sorted(listed.values(), key=lambda video: video.name)

    def downloadable(self, client: Client, name: str) -> Path:
        """Return the path of a video that may be sent as it is; an `ApiError` for any other file."""
        path = self._path(client, name)
        if name.startswith(PREFIX) or (has_video_suffix(path.name) and video_type(path)):
            return path
        raise _no_such_video()

    def _path(self, client: Client, name: str) -> Path:
        if name.startswith(PREFIX):
            return self._files.path(client, name)
        path = self.folders.file(name)
        if path is None:
            raise _no_such_video()
        return path


def _told_apart(titles: Sequence[str]) -> list[str]:
    """Return file names on one line, with a number before each that was there before: `clip.mp4`, `2-clip.mp4`."""
    told: list[str] = []
    for title in map(one_line, titles):
        numbered = (f"{number}-{title}" for number in itertools.count(2))
        told.append(next(name for name in itertools.chain([title], numbered) if name not in told))
    return told


def _no_such_video() -> ApiError:
    return ApiError(404, "no_such_video", "there is no such video")


def _host_of(url: str) -> str | None:
    """Return a URL's host, with its port unless that is the scheme's default."""
    parts = urlsplit(url)
    host, default = parts.hostname or "", _PORTS[parts.scheme]
    try:
        return host if parts.port in {None, default} else f"{host}:{parts.port}"
    except ValueError:  # a port above 65535
        return None
