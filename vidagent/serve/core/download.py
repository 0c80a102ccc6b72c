"""Videos that are no local file: http(s) URLs, fetched to a temporary file within limits and only when asked for.

A page of a site is left to yt-dlp (`sites`), if it is installed.

A host name is resolved once, all its addresses must be public, and the connection goes to the address checked. This
refuses DNS rebinding and redirects into the private network. `-` is the video on stdin.
"""

from __future__ import annotations

import ipaddress
import mimetypes
import re
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from vidagent.errors import UsageError, VideoError
from vidagent.text import shown_address

MAX_SECONDS = 600.0
MAX_REDIRECTS = 5
SILENCE_S = 30.0
"""Read timeout: longest wait for the next bytes."""
STDIN = "-"
_EXTRA = "pip install 'vidagent[web]'"
_PAGES = {
    "text/html",
    "application/xhtml+xml",
    "application/dash+xml",
    "application/vnd.apple.mpegurl",
    "application/x-mpegurl",
    "audio/mpegurl",
    "audio/x-mpegurl",
}
"""Media types of pages and playlists, which name a video and are none."""
_CHUNK_BYTES = 1 << 18
_MB = 1_000_000
_GLOBAL_UNICAST, _6TO4 = ipaddress.ip_network("2000::/3"), ipaddress.ip_network("2002::/16")
_6TO4_RELAYS = ipaddress.ip_network("192.88.99.0/24")
_REDIRECTS = {301, 302, 303, 307, 308}


class PageError(VideoError):
    """A URL leads to a page or a playlist, not to a file."""


class DownloadConnection:
    """The connection of a download, which another thread may abort."""

    def __init__(self) -> None:
        """Start unconnected."""
        self._socket: socket.socket | None = None
        self._is_aborted = False
        self._lock = threading.Lock()

    def attach(self, connection: HTTPConnection) -> None:
        """Use a new connection.

        Raises:
            ConnectionAbortedError: If the download has been aborted.
        """
        with self._lock:
            if self._is_aborted:
                raise ConnectionAbortedError("aborted")
            self._socket = connection.sock

    def abort(self) -> None:
        """End the download; a pending read fails at once."""
        with self._lock:
            self._is_aborted = True
            if self._socket is not None:
                with suppress(OSError):  # already closed
                    self._socket.shutdown(socket.SHUT_RDWR)


def is_url(video: str) -> bool:
    """Return whether this is an http(s) URL, not a path."""
    return video.lower().startswith(("http://", "https://"))


@contextmanager
def local(video: str, *, allowed: bool, max_mb: int, tell: Callable[[str], None]) -> Iterator[str]:
    """Yield the path of a file to open: `video` itself, or a copy of a URL or of stdin that is deleted after the block.

    Args:
        video: A path, an http(s) URL, or `-` for the video on stdin.
        allowed: Whether the user asked for a download.
        max_mb: Largest copy, in MB (10^6 bytes).
        tell: Called with a line about what is found and what was copied, for people.

    Raises:
        UsageError: If `max_mb` is not positive, or stdin is a terminal.
        VideoError: If a download is not allowed, over a limit, or fails.
    """
    if max_mb <= 0:
        raise UsageError(f"--max-download-mb must be more than 0, got {max_mb}")
    if video != STDIN and not is_url(video):
        yield video
        return
    if video != STDIN and not allowed:
        raise VideoError(_not_a_file(video, max_mb))
    with tempfile.TemporaryDirectory(prefix="vidagent-") as folder:
        if video == STDIN:
            copy = _read_stdin(Path(folder, "stdin"), max_mb * _MB)
        else:
            copy = _download(video, Path(folder), max_mb * _MB, tell)
            tell(f"downloaded {copy.stat().st_size / _MB:.1f} MB from {shown_address(video)}")
        try:
            yield str(copy)
        except VideoError as error:  # the copy's path means nothing to the user
            named = "stdin" if video == STDIN else shown_address(video)
            error.args = (str(error).replace(str(copy), named),)
            raise


def _read_stdin(copy: Path, max_bytes: int) -> Path:
    """Copy stdin into a file.

    Raises:
        UsageError: If it is a terminal.
        VideoError: If there is nothing, or more than `max_bytes`.
    """
    if sys.stdin.isatty():
        raise UsageError("- reads the video from stdin, which is a terminal: pipe a video into the command")
    with copy.open("wb") as file:
        while chunk := sys.stdin.buffer.read(_CHUNK_BYTES):
            file.write(chunk)
            if file.tell() > max_bytes:
                raise VideoError(
                    f"the video on stdin is larger than {max_bytes / _MB:g} MB (--max-download-mb)"
                )
    if not copy.stat().st_size:
        raise VideoError("there is no video on stdin: it is empty")
    return copy


def _download(url: str, folder: Path, max_bytes: int, tell: Callable[[str], None]) -> Path:
    """Download a file, or the video of a page, into a folder and return its path."""
    copy = folder / file_name(url)
    try:
        fetch(url, copy, max_bytes=max_bytes)
    except PageError as page:
        from vidagent.serve.core.sites import client  # only for what is no file

        if not find_spec("yt_dlp"):
            raise VideoError(f"{page}. For the videos of sites: {_EXTRA}") from None
        return client.fetch(url, folder, max_bytes=max_bytes, max_seconds=MAX_SECONDS, tell=tell)
    return copy


def _not_a_file(url: str, max_mb: int) -> str:
    """Say how to get the video behind a URL: of a file by `--download`, of a site's page by a program for sites."""
    shown = shown_address(url)
    if mimetypes.guess_type(urlsplit(url).path)[0] is not None:
        return f"{shown} is a URL, not a file: --download fetches it first (at most {max_mb} MB)"
    needs = "" if find_spec("yt_dlp") else f", with yt-dlp ({_EXTRA})"
    return (
        f"{shown} does not name a video file: --download fetches the video of the page first{needs}, or the file, if "
        f"it is one (at most {max_mb} MB)"
    )


def file_name(url: str) -> str:
    """Return the last part of a URL as the copy's file name, which reports show."""
    last = re.split(r"[?#]", url, maxsplit=1)[0].rpartition("/")[2]
    return re.sub(r"[^\w.-]+", "_", unquote(last)).lstrip(".")[-100:] or "video"


def fetch(
    url: str,
    copy: Path,
    *,
    max_bytes: int,
    check_url: Callable[[str], None] = lambda _: None,
    check_space: Callable[[int], None] = lambda _: None,
    handle: DownloadConnection | None = None,
) -> int:
    """Download a URL into `copy` and return its size in bytes.

    Args:
        url: An http(s) URL.
        copy: The file to write.
        max_bytes: Largest download.
        check_url: Raises an error for a URL that is not allowed; called with the URL and with every redirect.
        check_space: Raises an error if the disk is full; called with the announced size, then with 0 for each chunk.
        handle: Lets another thread abort the download.

    Raises:
        VideoError: If the download is over a limit, or fails, or an address is not public.
    """
    handle = handle or DownloadConnection()
    deadline = time.monotonic() + MAX_SECONDS
    try:
        for _ in range(MAX_REDIRECTS + 1):
            check_url(url)
            with closing(_connect(urlsplit(url))) as connection:
                handle.attach(connection)
                response = _get(connection, urlsplit(url))
                if response.status not in _REDIRECTS:
                    return _save(response, copy, check_space, max_bytes=max_bytes, deadline=deadline, url=url)
                url = urljoin(url, response.headers.get("Location", ""))
    except (OSError, HTTPException, ValueError) as error:
        raise VideoError(f"cannot download {shown_address(url)}: {error or type(error).__name__}") from error
    raise VideoError(f"cannot download {shown_address(url)}: more than {MAX_REDIRECTS} redirects")


def _connect(url: SplitResult) -> HTTPConnection:
    """Connect to a public address of the URL's host."""
    secure = url.scheme == "https"
    if not url.hostname or url.scheme not in {"http", "https"}:
        raise VideoError(f"cannot download {shown_address(url.geturl())}: not an http or https address")
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
    private = next((address for address in addresses if not is_public(address)), None)
    if private is not None:
        raise VideoError(f"refused to download from {host}: {private} is not a public address")
    return addresses[0]


def is_public(address: str) -> bool:
    """Return whether an address leads into the public network by itself, and not through a translator or tunnel.

    IPv4-mapped, IPv4-compatible, NAT64, site-local and private IPv6 addresses lie outside of the global unicast block
    (RFC 4291, RFC 6052); 6to4 (RFC 3056) lies in it, with an IPv4 address inside.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and (ip not in _GLOBAL_UNICAST or ip in _6TO4):
        return False
    return ip.is_global and not ip.is_multicast and ip not in _6TO4_RELAYS


def _get(connection: HTTPConnection, url: SplitResult) -> HTTPResponse:
    target = quote(url.path or "/", safe="/%:@!$&'()*+,;=~") + (f"?{url.query}" if url.query else "")
    connection.request("GET", target, headers={"User-Agent": "vidagent", "Accept-Encoding": "identity"})
    return connection.getresponse()


def _save(
    response: HTTPResponse,
    copy: Path,
    check_space: Callable[[int], None],
    *,
    max_bytes: int,
    deadline: float,
    url: str,
) -> int:
    shown = shown_address(url)
    if response.status != 200:
        raise VideoError(f"cannot download {shown}: the server answered {response.status} {response.reason}")
    if response.headers.get_content_type() in _PAGES:
        raise PageError(f"{shown} is a page or a playlist, not a video file")
    too_large = f"cannot download {shown}: larger than {max_bytes / _MB:g} MB (--max-download-mb)"
    length = response.headers.get("Content-Length")
    announced = int(length or 0)
    if announced > max_bytes:
        raise VideoError(too_large)
    check_space(announced)
    size = 0
    with copy.open("wb") as file:
        while chunk := response.read1(_CHUNK_BYTES):
            size += len(chunk)
            if size > max_bytes:
                raise VideoError(too_large)
            if time.monotonic() > deadline:
                raise VideoError(
                    f"cannot download {shown}: not done after {MAX_SECONDS:g} s ({size / _MB:.1f} MB)"
                )
            check_space(0)
            file.write(chunk)
    if length is not None and size != announced:
        raise VideoError(f"cannot download {shown}: the connection ended after {size} of {announced} bytes")
    return size
