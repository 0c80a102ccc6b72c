"""The progress of indexing: counts, rate, failures, and what is being done with a long video."""

from __future__ import annotations

import io
from pathlib import Path

from vidagent.library.indexing import VideoDone
from vidagent.serve.terminal.console import Terminal
from vidagent.serve.terminal.library_progress import LibraryProgress


def test_lines_tell_how_far_it_is_every_ten_seconds(monkeypatch):
    now = [0.0]
    console = Terminal(stderr=True)
    console.file = out = io.StringIO()
    progress = LibraryProgress(console, 1, quiet=False, clock=lambda: now[0])
    with progress:
        progress.start(6)
        progress.doing(Path("talk.mp4"), "indexing", 0.25)
        now[0] = 11.0
        progress.doing(Path("talk.mp4"), "indexing", 0.5)
        progress.add(VideoDone(Path("talk.mp4")))
        progress.add(VideoDone(Path("bad.mp4"), "bad.mp4: is empty (0 bytes)"))
        for number in range(3):
            now[0] += 20.0
            progress.add(VideoDone(Path(f"{number}.mp4")))
    lines = out.getvalue().splitlines()
    assert lines[:3] == [
        "0 of 6 videos; talk.mp4: indexing, 50%",
        "failed    bad.mp4: is empty (0 bytes)",
        "3 of 6 videos, 1 failed",
    ]
    assert lines[-1] == "5 of 6 videos, 3.0/min, 0:00:20 left, 1 failed"
    assert progress.summary() == "indexed   4 videos in 0:01:11, 1 video failed"
