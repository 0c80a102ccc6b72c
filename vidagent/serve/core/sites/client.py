"""Downloads a video from a site through a process that runs yt-dlp, within limits of size and time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vidagent.errors import VideoError
from vidagent.text import shown_address
from vidagent.video.clock import format_time
from vidagent.video.process.starter import child_environment

COMMAND = (sys.executable, "-m", "vidagent.serve.core.sites.process")
_MB = 1_000_000


def fetch(url: str, folder: Path, *, max_bytes: int, max_seconds: float, tell: Callable[[str], None]) -> Path:
    """Download the video of a page into a folder, with its subtitles beside it, and return its path.

    Args:
        url: The page.
        folder: An empty folder.
        max_bytes: Largest download.
        max_seconds: Longest download.
        tell: Called with a line about what was found.

    Raises:
        VideoError: If there is no video, it is over a limit, or the site cannot be read.
    """
    process = subprocess.Popen(  # noqa: S603 - this package's own module
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={**child_environment(), "HOME": str(folder), "YTDLP_NO_PLUGINS": "1"},
    )
    timer = threading.Timer(max_seconds, process.kill)
    timer.start()
    try:
        done = _followed(process, {"url": url, "folder": str(folder), "max_bytes": max_bytes}, tell)
    finally:
        is_late = not timer.is_alive()
        timer.cancel()
        process.kill()
        process.wait()
    shown = shown_address(url)
    if is_late:
        raise VideoError(f"cannot download {shown}: not done after {max_seconds:g} s")
    if "error" in done:
        raise VideoError(f"cannot download {shown}: {shown_address(done['error'])}")
    return folder / Path(done["done"]["video"]).name


def _followed(
    process: subprocess.Popen[str], request: Mapping[str, Any], tell: Callable[[str], None]
) -> dict[str, Any]:
    """Send the request, tell what is found, and return the last line, which says how it ended."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    with process.stdin as requests, process.stdout as lines:
        with suppress(BrokenPipeError):  # it has ended already
            requests.write(json.dumps(request))
            requests.close()
        for line in lines:
            said: dict[str, Any] = json.loads(line)
            if "found" not in said:
                return said
            tell(_found(said["found"]))
    return {"error": "the process that ran yt-dlp has ended"}


def _found(video: Mapping[str, Any]) -> str:
    """Say what is downloaded, such as `found "Talk", 12:34.000 long, 1080 lines, 85 MB, subtitles en`."""
    subtitles = ", ".join(video["subtitles"])
    parts = [
        f'found     "{video["title"]}"',
        f"{format_time(float(video['duration_s']))} long" if video["duration_s"] else "",
        f"{video['height']} lines" if video["height"] else "",
        f"{video['bytes'] / _MB:.0f} MB" if video["bytes"] else "",
        "" if video["has_sound"] else "without sound",
        f"subtitles {subtitles}" if subtitles else "no subtitles",
        "the first of several on this page" if video["more"] else "",
    ]
    return ", ".join(part for part in parts if part)
