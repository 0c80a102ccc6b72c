"""Videos behind http(s) URLs: fetched to a temporary file, on request only, under limits.

A host name is resolved once, every address it has must be public, and the connection goes to that address:
a name that changes its mind between check and use, and a redirect inwards, are refused alike.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from vidagent.errors import UsageError, VideoError

MAX_SECONDS = 600.0
MAX_REDIRECTS = 5
SILENCE_S = 30.0
"""A server that sends nothing for this long is given up on."""
_PIECE_BYTES = 1 << 18
_MB = 1_000_000
_REDIRECTS = {301, 302, 303, 307, 308}


class DownloadConnection:
    """The connection of a download, which another thread may cut."""

    def __init__(self) -> None:
        """Start without one."""
        self._socket: socket.socket | None = None
        self._is_cut = False
        self._lock = threading.Lock()

    def hold(self, connection: HTTPConnection) -> None:
        """Take a new connection, unless the line is cut already.

        Raises:
            ConnectionAbortedError: If it is.
        """
        with self._lock:
            if self._is_cut:
                raise ConnectionAbortedError("given up")
            self._socket = connection.sock

    def cut(self) -> None:
        """End the download; whoever reads from it gets an error at once."""
        with self._lock:
            self._is_cut = True
            if self._socket is not None:
                with suppress(OSError):  # it ended by itself
                    self._socket.shutdown(socket.SHUT_RDWR)


def is_url(video: str) -> bool:
    """Tell a web address from a path."""
    return video.lower().startswith(("http://", "https://"))


@contextmanager
def local(video: str, *, allowed: bool, max_mb: int, tell: Callable[[str], None]) -> Iterator[str]:
    """Give the path of a file to open: `video` itself, or a copy of the URL that lives as long as the block.

    Args:
        video: A path or an http(s) URL.
        allowed: Whether the user asked for a download.
        max_mb: Largest download, in MB (10^6 bytes).
        tell: Takes one line about the download, for people.

    Raises:
        UsageError: If `max_mb` is not positive.
        VideoError: If a download is not allowed, over a limit, or fails.
    """
    if max_mb <= 0:
        raise UsageError(f"--max-download-mb must be more than 0, got {max_mb}")
    if not is_url(video):
        yield video
        return
    if not allowed:
        raise VideoError(f"{video} is a URL, not a file: --download fetches it first (at most {max_mb} MB)")
    with tempfile.TemporaryDirectory(prefix="vidagent-") as folder:
        copy = Path(folder, _file_name(video))
        size = fetch(video, copy, max_bytes=max_mb * _MB)
        tell(f"downloaded {size / _MB:.1f} MB from {video}")
        yield str(copy)


def _file_name(url: str) -> str:
    """Return the last part of an address as a name for the copy, which reports show."""
    last = re.split(r"[?#]", url, maxsplit=1)[0].rpartition("/")[2]
    return re.sub(r"[^\w.-]+", "_", unquote(last)).lstrip(".")[-100:] or "video"


def fetch(
    url: str,
    copy: Path,
    *,
    max_bytes: int,
    check: Callable[[str], None] = lambda _: None,
    room: Callable[[int], None] = lambda _: None,
    line: DownloadConnection | None = None,
) -> int:
    """Write what the URL leads to into `copy` and return its size in bytes.

    Args:
        url: An http(s) address.
        copy: The file to write.
        max_bytes: Largest download.
        check: Raises an error for an address that may not be asked; it is given the URL, and each it is sent on to.
        room: Raises an error where the disk has no room; it is given the bytes that are announced, then 0 with each
            piece that has come.
        line: Through which another thread may end the download.

    Raises:
        VideoError: If the download is over a limit, or fails, or an address is not public.
    """
    line = line or DownloadConnection()
    deadline = time.monotonic() + MAX_SECONDS
    try:
        for _ in range(MAX_REDIRECTS + 1):
            check(url)
            with closing(_connect(urlsplit(url))) as connection:
                line.hold(connection)
                response = _get(connection, urlsplit(url))
                if response.status not in _REDIRECTS:
                    return _save(response, copy, room, max_bytes=max_bytes, deadline=deadline, url=url)
                url = urljoin(url, response.headers.get("Location", ""))
    except (OSError, HTTPException, ValueError) as error:
        raise VideoError(f"cannot download {url}: {error or type(error).__name__}") from error
    raise VideoError(f"cannot download {url}: more than {MAX_REDIRECTS} redirects")


def _connect(url: SplitResult) -> HTTPConnection:
    """Connect to a public address of the URL's host."""
    secure = url.scheme == "https"
    if not url.hostname or url.scheme not in {"http", "https"}:
        raise VideoError(f"cannot download {url.geturl()}: not an http or https address")
    port = url.port or (443 if secure else 80)
    plain = socket.create_connection((_public_address(url.hostname, port), port), timeout=SILENCE_S)
    if not secure:
        connection = HTTPConnection(url.hostname, port, timeout=SILENCE_S)
        connection.sock = plain
        return connection
    try:
        connection = HTTPSConnection(url.hostname, port, timeout=SILENCE_S)
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=url.hostname)
    except BaseException:
        plain.close()
        raise
    return connection


def _public_address(host: str, port: int) -> str:
    addresses = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    private = next((address for address in addresses if not _is_public(address)), None)
    if private is not None:
        raise VideoError(f"refused to download from {host}: {private} is not a public address")
    return addresses[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    return ip.is_global and not ip.is_multicast


def _get(connection: HTTPConnection, url: SplitResult) -> HTTPResponse:
    target = quote(url.path or "/", safe="/%:@!$&'()*+,;=~") + (f"?{url.query}" if url.query else "")
    connection.request("GET", target, headers={"User-Agent": "vidagent", "Accept-Encoding": "identity"})
    return connection.getresponse()


def _save(
    response: HTTPResponse,
    copy: Path,
    room: Callable[[int], None],
    *,
    max_bytes: int,
    deadline: float,
    url: str,
) -> int:
    if response.status != 200:
        raise VideoError(f"cannot download {url}: the server answered {response.status} {response.reason}")
    too_large = f"cannot download {url}: larger than {max_bytes / _MB:g} MB (--max-download-mb)"
    announced = int(response.headers.get("Content-Length") or 0)
    if announced > max_bytes:
        raise VideoError(too_large)
    room(announced)
    size = 0
    with copy.open("wb") as file:
        while piece := response.read1(_PIECE_BYTES):
            size += len(piece)
            if size > max_bytes:
                raise VideoError(too_large)
            if time.monotonic() > deadline:
                raise VideoError(
                    f"cannot download {url}: not done after {MAX_SECONDS:g} s ({size / _MB:.1f} MB)"
                )
            room(0)
            file.write(piece)
    _check_complete(response, size, url)
    return size


def _check_complete(response: HTTPResponse, size: int, url: str) -> None:
    announced = response.headers.get("Content-Length")
    if announced is not None and size != int(announced):
        raise VideoError(f"cannot download {url}: the connection ended after {size} of {announced} bytes")
