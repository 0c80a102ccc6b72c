"""Videos behind addresses: fetched from hosts that the operator names, and never from inside the network."""

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

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#][!-\[\]-~]*)?", re.IGNORECASE)
"""Plain hosts in ASCII and nothing before them: what two programs could read in two ways is not asked."""
_PORTS = {"http": 80, "https": 443}


class RemoteVideos:
    """Fetches videos.

    Args:
        hosts: `HOST`, on its usual ports, or `HOST:PORT`.
        max_bytes: Largest video.
        least_free: Bytes that are to stay free of the disk that they are fetched to.
    """

    def __init__(self, hosts: Sequence[str], max_bytes: int, least_free: int) -> None:
        """Keep them."""
        self._hosts = frozenset(host.lower() for host in hosts)
        self._max_bytes = max_bytes
        self._disk = Disk(Path(tempfile.gettempdir()), least_free)

    def check(self, url: str) -> None:
        """Refuse an address of another host.

        Raises:
            ApiError: If it is one.
        """
        if _ADDRESS.fullmatch(url) is None or _host_of(url) not in self._hosts:
            raise ApiError(403, "wrong_address", "videos are not fetched from there")

    @asynccontextmanager
    async def fetched(self, url: str) -> AsyncIterator[Path]:
        """Give a copy that lives as long as the block; leaving the block ends the download.

        Raises:
            ApiError: If the address, or one it is sent on to, is of another host, or the disk has no room for it.
            VideoError: If the download is over a limit, or fails, or an address is not public.
        """
        self.check(url)
        line = download.DownloadConnection()
        with tempfile.TemporaryDirectory(prefix="vidagent-") as folder:
            copy = Path(folder, "video")
            try:
                await asyncio.to_thread(
                    download.fetch,
                    url,
                    copy,
                    max_bytes=self._max_bytes,
                    check=self.check,
                    room=self._disk.check,
                    line=line,
                )
                yield copy
            finally:
                line.cut()


def _host_of(url: str) -> str | None:
    """Return an address's host as the operator would name it: without its port where that is the usual one."""
    parts = urlsplit(url)
    host, usual = parts.hostname or "", _PORTS[parts.scheme]
    try:
        return host if parts.port in {None, usual} else f"{host}:{parts.port}"
    except ValueError:  # a port above 65535
        return None
