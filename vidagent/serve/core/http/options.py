"""How the server is to be run, checked before anything is started."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from vidagent.errors import UsageError

MB = 1_000_000


def default_data_dir() -> Path:
    """Return the folder of the user's data where files, keys and jobs are kept."""
    return Path(platformdirs.user_data_dir("vidagent", appauthor=False), "serve")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, as seen from itself."""
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
        host: The address it listens on.
        port: The port; 0 takes a free one.
        insecure_local: Whether whoever is on this machine may ask without a key.
        development: Whether LangServe's playground is there.
        data_dir: Folder of files, keys and jobs.
        roots: Folders whose videos may be named by path.
        hosts: Hosts that videos may be fetched from, each `HOST` or `HOST:PORT`.
        max_body_mb: Largest JSON body.
        max_file_mb: Largest uploaded or fetched video.
        files_mb: Most that the uploads of one owner take together.
        min_free_mb: What uploads and fetched videos leave free of the disk.
        running: How many questions are answered at once.
        running_each: How many of one client.
        jobs_each: How many jobs of one client may wait or run.
        batch: Most questions of one batch.
        deadline_s: Most seconds that an answer may take.
        drain_s: Seconds that requests have to end once the server is told to stop.

    Raises:
        UsageError: If a value is out of range, or the server would be open to others without keys.
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
        """Refuse what cannot be served, or only dangerously."""
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port must be 0 to 65535; got {self.port}")
        if self.insecure_local and not is_loopback(self.host):
            raise UsageError(
                f"--insecure-local serves this machine alone, without keys: --host must be 127.0.0.1, ::1 or "
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
