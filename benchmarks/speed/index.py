"""The scan that makes the index, against what decoding the same frames costs alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import av

from benchmarks.speed.drawn_videos import subject
from benchmarks.speed.turns import Row, Setting, Table, in_turn, wall_s
from vidagent.video.index.scan import to_json
from vidagent.video.video import Video

_FLOOR = "decoding alone, 1 thread"


def measure(setting: Setting) -> list[Table]:
    """Return the table; a scan that differs from the first one is an error."""
    path = subject(setting)
    with Video.open(path) as video:
        first = video.scan()
        minutes = video.info.duration_s / 60

    def scanned() -> float:
        with Video.open(path) as video:
            found = []
            seconds = wall_s(lambda: found.append(video.scan()))
            if to_json(found[0]) != to_json(first):
                raise RuntimeError("two scans of one video differ")
            return seconds

    ways: dict[str, Callable[[], float]] = {
        _FLOOR: lambda: wall_s(lambda: _decode(path, 1, exact=first.exact)),
        "scan": scanned,
    }
    for threads in sorted({2, os.cpu_count() or 1} - {1}):
        ways[f"decoding alone, {threads} threads"] = lambda threads=threads: wall_s(
            lambda: _decode(path, threads, exact=first.exact)
        )
    values = in_turn(ways, setting.rounds)
    note = "every frame" if first.exact else "reference frames"
    rows = [Row(name, some, values[_FLOOR], note if name == "scan" else "") for name, some in values.items()]
    return [Table(f"index of {minutes:.1f} min", "s", rows, base="decoding alone on one thread")]


def _decode(path: Path, threads: int, *, exact: bool) -> int:
    """Decode the frames that a scan sees, and nothing more; return how many there are."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "FRAME", threads
        if not exact:
            stream.codec_context.skip_frame = "NONREF"
        return sum(1 for _ in container.decode(stream))
