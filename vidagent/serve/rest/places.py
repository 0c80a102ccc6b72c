"""Which videos a client may name, and where they lie: uploads, files under the server's folders, allowed addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from vidagent.serve import download
from vidagent.serve.rest import listing
from vidagent.serve.rest.clients import Client
from vidagent.serve.rest.faults import Refusal
from vidagent.serve.rest.files import PREFIX, Files
from vidagent.serve.rest.media import VIDEO_SUFFIXES, video_type
from vidagent.serve.rest.models import VideoListed
from vidagent.serve.rest.remote import Remote

__all__ = ["Places"]


class Places:
    """Finds videos by the names that clients give them.

    Args:
        files: What was uploaded.
        roots: Folders whose videos may be named by path.
        remote: What may be fetched.
    """

    def __init__(self, files: Files, roots: Sequence[Path], remote: Remote) -> None:
        """Resolve the folders once: a link in their own paths is the operator's."""
        self._files = files
        self._roots = [root.resolve() for root in roots]
        self._remote = remote

    def check(self, client: Client, name: str) -> None:
        """Refuse a name that leads to no video, as far as can be said without fetching it.

        Raises:
            Refusal: As `found`.
        """
        if download.is_url(name):
            self._remote.check(name)
        else:
            self._path(client, name)

    @asynccontextmanager
    async def found(self, client: Client, name: str) -> AsyncIterator[Path]:
        """Give the file of a video while the block runs.

        Raises:
            Refusal: If there is no such video for this client. What lies outside of the folders is told as what does
                not exist.
            VideoError: If it cannot be fetched.
        """
        if download.is_url(name):
            async with self._remote.fetched(name) as copy:
                yield copy
        else:
            yield self._path(client, name)

    def videos(self) -> list[VideoListed]:
        """Return the videos under the folders, by the names that one may ask with."""
        return listing.videos(self._roots)

    def video(self, client: Client, name: str) -> Path:
        """Return where a video lies that is to be sent as it is; nothing else under the folders is.

        Raises:
            Refusal: If there is no such video for this client.
        """
        path = self._path(client, name)
        if name.startswith(PREFIX) or (path.suffix.lower() in VIDEO_SUFFIXES and video_type(path)):
            return path
        raise _none()

    def _path(self, client: Client, name: str) -> Path:
        if name.startswith(PREFIX):
            return self._files.path(client, name)
        for root in self._roots:
            path = _under(root, name)
            if path is not None:
                return path
        raise _none()


def _none() -> Refusal:
    return Refusal(404, "no_such_video", "there is no such video")


def _under(root: Path, name: str) -> Path | None:
    """Return the file of that name, links followed, if it lies under the root."""
    try:
        path = (root / name).resolve(strict=True)
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, links in a circle
        return None
