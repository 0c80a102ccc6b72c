"""Server options, validated before anything is started."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from vidagent.errors import UsageError

MB = 1_000_000


def default_data_dir() -> Path:
    """Return the default folder of files, keys and jobs, in the user's data folder."""
    return Path(platformdirs.user_data_dir("vidagent", appauthor=False), "serve")


def is_loopback(host: str) -> bool:
    """Return whether a host is a loopback address or name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the server is run.

    Args:
        host: The address to listen on.
        port: The port; 0 picks a free one.
        insecure_local: Whether clients on this machine need no key.
        development: Whether LangServe's playground is served.
        data_dir: Folder of files, keys and jobs.
        roots: Folders whose videos may be named by path.
        hosts: Hosts that videos may be downloaded from, each `HOST` or `HOST:PORT`.
        max_body_mb: Largest JSON body.
        max_file_mb: Largest uploaded or downloaded video.
        files_mb: Quota of uploads per owner.
        min_free_mb: Disk space that uploads and downloads leave free.
        running: Questions answered at once.
        running_each: Questions of one client answered at once.
        jobs_each: Unfinished jobs allowed per client.
        batch: Most questions of one batch.
        deadline_s: Most seconds that an answer may take.
        drain_s: Seconds that pending requests get when the server stops.

    Raises:
        UsageError: If a value is out of range, or others could use the server without a key.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    insecure_local: bool = False
    development: bool = False
    data_dir: Path = field(default_factory=default_data_dir)
    roots: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    max_body_mb: float = 1.0
    max_file_mb: float = 2000.0
    files_mb: float = 100_000.0
    min_free_mb: float = 500.0
    running: int = 8
    running_each: int = 4
    jobs_each: int = 100
    batch: int = 16
    deadline_s: float = 600.0
    drain_s: float = 5.0

    def __post_init__(self) -> None:
        """Validate the values."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port must be 0 to 65535; got {self.port}")
        if self.insecure_local and not is_loopback(self.host):
            raise UsageError(
                f"--insecure-local serves this machine only, without keys: --host must be 127.0.0.1, ::1 or "
                f"localhost; got {self.host!r}"
            )
        if self.development and not self.insecure_local:
            raise UsageError(
                "--development opens the playground, which has no keys: it needs --insecure-local"
            )
        if not self.deadline_s > 0:
            raise UsageError(f"--deadline-seconds must be more than 0; got {self.deadline_s:g}")
        for flag, size in (("--max-file-mb", self.max_file_mb), ("--files-mb", self.files_mb)):
            if not 0 < size < math.inf:
                raise UsageError(f"{flag} must be more than 0; got {size:g}")
        if not 0 <= self.min_free_mb < math.inf:
            raise UsageError(f"--min-free-mb must be 0 or more; got {self.min_free_mb:g}")
        for flag, value in (("--max-running", self.running), ("--max-per-client", self.running_each)):
            if value < 1:
                raise UsageError(f"{flag} must be 1 or more; got {value}")
        for root in self.roots:
            if not root.is_dir():
                raise UsageError(f"--root must be a folder; got {str(root)!r}")
