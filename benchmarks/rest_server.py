"""`vidagent serve` and a scripted VLM as processes of their own, for the benchmarks of the REST door; loopback only."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.media.make import encode

KEY = re.compile(r"vk-\S+")
QUESTION = "When is it seen?"


@dataclass(frozen=True)
class Served:
    """A running server.

    Args:
        url: Its address.
        pid: Its process.
        folder: Where its data, its videos and its cache lie.
    """

    url: str
    pid: int
    folder: Path

    @property
    def process(self) -> psutil.Process:
        """Its process."""
        return psutil.Process(self.pid)

    @functools.cached_property
    def processes(self) -> list[psutil.Process]:
        """It and those that live as long as it does; decoders come and go."""
        return [
            self.process,
            *(child for child in self.process.children(recursive=True) if not decodes(child)),
        ]


def decodes(process: psutil.Process) -> bool:
    """Tell whether it is a decoder."""
    return "vidagent.video.process.worker" in process.cmdline()


def command(*words: str) -> list[str]:
    """Return how vidagent is started."""
    return [sys.executable, "-m", "vidagent", *words]


@contextlib.contextmanager
def vlm(delay_s: float, faults: float = 0.0) -> Iterator[str]:
    """Run a scripted VLM that takes so long for a reply, a part of which are faults; give its base URL."""
    words = [sys.executable, "-m", "benchmarks.rest_vlm", "--delay", str(delay_s), "--faults", str(faults)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextlib.contextmanager
def served(folder: Path, model: str, *flags: str, stop: signal.Signals = signal.SIGTERM) -> Iterator[Served]:
    """Run a server on a folder, which gets a video `videos/clip.mp4`; its log goes to `serve.log` there."""
    videos = folder / "videos"
    if not videos.exists():
        videos.mkdir(parents=True)
        encode(videos / "clip.mp4", range(0, 4000, 40))
    places = ("--root", str(videos), "--data-dir", str(folder / "data"), "--port", "0")
    told = {
        "VIDAGENT_BASE_URL": model,
        "VIDAGENT_MODEL": "scripted",
        "VIDAGENT_CACHE_DIR": str(folder / "cache"),
    }
    log = folder / "serve.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command("serve", *places, *flags),
            stderr=stderr,
            env={**os.environ, **told, "TMPDIR": str(folder)},
        )
    try:
        while (found := re.search(r"serving (http://[\d.:]+);", log.read_text())) is None:
            if process.poll() is not None:
                raise SystemExit(f"the server has ended:\n{log.read_text()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield Served(found[1], process.pid, folder)
    finally:
        process.send_signal(stop)
        process.wait(60)


def new_key(folder: Path, owner: str) -> str:
    """Make a key of a server that does not run yet, or does."""
    words = command("serve", "keys", "add", owner, "--data-dir", str(folder / "data"))
    words += ["--scope", "ask", "--scope", "files", "--scope", "metrics"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return KEY.search(done.stdout)[0]  # type: ignore[index]  # the command has just printed one


def machine() -> str:
    """Say what the figures were measured on."""
    packages = ("vidagent", "fastapi", "starlette", "uvicorn", "langserve", "langgraph")
    told = ", ".join(f"{name} {version(name)}" for name in packages)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    cores = len(os.sched_getaffinity(0))
    return f"{platform.machine()}, {cores} cores, load {load}, Python {platform.python_version()}; {told}"
