"""Videos at URLs: downloaded from hosts that the operator allows, and never from the private network."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from vidagent.serve.core import download
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.storage.disk import Disk

_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#][!-\[\]-~]*)?", re.IGNORECASE)
"""Plain ASCII hosts without user info: URLs that parsers could read differently are refused."""
_PORTS = {"http": 80, "https": 443}


class RemoteVideos:
    """Downloads videos from allowed hosts.

    Args:
        hosts: `HOST`, on its default ports, or `HOST:PORT`.
        max_bytes: Largest video.
        min_free_bytes: Free space to leave on the temporary folder's disk.
    """

    def __init__(self, hosts: Sequence[str], max_bytes: int, min_free_bytes: int) -> None:
        """Find the disk of the temporary folder."""
        self._hosts = frozenset(host.lower() for host in hosts)
        self._max_bytes = max_bytes
        self._disk = Disk(Path(tempfile.gettempdir()), min_free_bytes)

    def check(self, url: str) -> None:
        """Refuse a URL of a host that is not allowed.

        Raises:
            ApiError: If it is one.
        """
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


def _host_of(url: str) -> str | None:
    """Return a URL's host, with its port unless that is the scheme's default."""
    parts = urlsplit(url)
    host, default = parts.hostname or "", _PORTS[parts.scheme]
    try:
        return host if parts.port in {None, default} else f"{host}:{parts.port}"
    except ValueError:  # a port above 65535
        return None
