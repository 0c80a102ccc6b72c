"""Memory: the peak of a program that indexes a video and asks about it, and of its decoding processes.

The program is a process of its own, and the model a scripted server. What it holds after its imports is taken off.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.rest_server import vlm
from benchmarks.speed.drawn_videos import drawn
from benchmarks.speed.turns import Row, Setting, Table, in_turn

_PROGRAM = """
import sys
from vidagent import analyze_video
from vidagent.api.videos import index_video
print("imported", flush=True)
sys.stdin.readline()
index_video(sys.argv[1])
analyze_video(sys.argv[1], "What is to be seen?", base_url=sys.argv[2], model="scripted")
"""
_SHORT_S, _SMALL_WH, _LARGE_WH = 10.0, (640, 360), (3840, 2160)
_STEP_S = 0.02
_MB = 1e6


def measure(setting: Setting) -> list[Table]:
    """Return the peaks of the program over its imports, and those of its children."""
    videos = {
        "10 s": drawn(setting.folder, _SHORT_S, _SMALL_WH),
        f"{setting.length_s / 60:g} min": drawn(setting.folder, setting.length_s, _SMALL_WH),
        "10 s of 4K": drawn(setting.folder, _SHORT_S, _LARGE_WH),
    }
    children: dict[str, list[float]] = {name: [] for name in videos}
    with vlm(0.0) as url:

        def peak(name: str, path: Path) -> Callable[[], float]:
            def once() -> float:
                own, of_children = _peaks(path, url, setting.folder / "memory-cache")
                children[name].append(of_children)
                return own

            return once

        own = in_turn({name: peak(name, path) for name, path in videos.items()}, setting.rounds)
    return [
        Table("program, over its imports", "MB", [Row(name, some) for name, some in own.items()]),
        Table("its largest child", "MB", [Row(name, some) for name, some in children.items()]),
    ]


def _peaks(path: Path, url: str, cache: Path) -> tuple[float, float]:
    """Run the program once; return its peak over its imports, and that of its largest child."""
    env = {**os.environ, "VIDAGENT_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", _PROGRAM, str(path), url]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        program = psutil.Process(process.pid)
        imported = own = program.memory_info().rss
        largest = 0
        process.stdin.write(b"\n")
        process.stdin.flush()
        while process.poll() is None:
            try:
                own = max(own, program.memory_info().rss)
                largest = max(
                    [largest, *(child.memory_info().rss for child in program.children(recursive=True))]
                )
            except psutil.NoSuchProcess:
                continue
            psutil.wait_procs([program], timeout=_STEP_S)
    if process.returncode:
        raise RuntimeError(f"the program ended with {process.returncode}")
    return (own - imported) / _MB, largest / _MB
