"""Play every fault of a model server at the first to the sixth request of a run, and say how each run ends.

    python -m benchmarks.fault_matrix [--jobs 2] [--seconds 15] [--only NAME ...]

A fault comes once in some runs, and from that request on in others; replies are streamed in every other one. Each run
has a budget of seconds.
A typed end is an answer or a `VidagentError` of one printable line without the key. A claim is false if the video,
in which a red bar is shown from 2 to 3 s, does not show it; where a model names false times to the end, nothing it
claims stands, and "not found" is counted by itself. The server is a process of its own, so that memory and
blocks of the event loop are those of the agent alone; a block is the shorter of the wall-clock and the CPU time
between two turns of the loop, so that other processes do not count.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import gc
import itertools
import math
import multiprocessing
import multiprocessing.connection
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.fault_server import FAULTS, QUESTION, REFUSED, SHOWN_S, Faulty, Honest, Watch, is_clean
from tests.media.make import CLIPS
from tests.scripted_server import ScriptedServer, says
from vidagent import Answer, Budget, VidagentError, aanalyze_video
from vidagent.api import ask
from vidagent.video.process.client import Limits
from vidagent.video.video import Video

CALLS = range(1, 7)
GRACE_S = 1.0
KEY = "sk-secret-of-the-matrix"
SIZE_WH = (320, 180)
_EDGE_S = 0.5
"""How far beside the bar a time may lie: half a second is the distance of the frames in a look."""
_PATIENCE_S = 600.0
"""How long the decoder may take on a busy machine: it is not what is measured."""
_worker: Worker


@dataclass(frozen=True)
class Cell:
    """A run of the matrix."""

    fault: str
    at: int
    lasts: bool
    streamed: bool


@dataclass(frozen=True)
class End:
    """How a run ended.

    Args:
        cell: The run.
        kind: The answer's status, or the name of the error.
        said: The answer, or the error's message.
        seconds: Wall-clock seconds.
        peak_mb: How far memory rose above what it was.
        block_ms: Longest block of the event loop.
        faults: What is wrong with the end; empty if it is typed and true.
        played: How often the fault was played.
    """

    cell: Cell
    kind: str
    said: str
    seconds: float
    peak_mb: float
    block_ms: float
    faults: tuple[str, ...]
    played: int


def cells(only: Iterable[str] = ()) -> list[Cell]:
    """Return the cells of the matrix, or those of the faults named."""
    places = {name: place for place, name in enumerate([*FAULTS, REFUSED])}
    return [
        Cell(name, at, lasts=(places[name] + at // 2) % 2 == 1, streamed=(places[name] + at) % 2 == 1)
        for name, at in itertools.product(list(only) or places, CALLS)
    ]


class Worker:
    """A process that runs cells over one open video, as opening takes longer than asking.

    Its servers are in a process of their own.
    """

    def __init__(self, folder: Path) -> None:
        """Start the servers' process, and make sure that a run without a fault is right."""
        os.environ |= {
            "VIDAGENT_PROBE_SERVER": "false",
            "VIDAGENT_CACHE_DIR": tempfile.mkdtemp(dir=folder),
            "VIDAGENT_PROFILE": str(folder / "few.toml"),
        }
        self.clip = CLIPS["h264"](folder).path
        video = Video.open(self.clip, limits=Limits(open_s=_PATIENCE_S, call_s=_PATIENCE_S))
        ask.open_video = lambda path, settings: contextlib.nullcontext(video)
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._host = context.Process(target=_serve, args=(other,), daemon=True)
        self._host.start()
        for streamed in (False, True):
            warm = self.run(Cell("usage a string", 100, lasts=False, streamed=streamed), deadline_s=None)
            if warm.kind != "answered" or warm.faults:
                raise SystemExit(f"the honest run does not end as it should: {warm}")

    def run(self, cell: Cell, deadline_s: float | None) -> End:
        """Run a cell."""
        gc.collect()
        self._pipe.send(cell)
        url = self._pipe.recv()
        Path("/proc/self/clear_refs").write_text("5")
        before = _memory_mb("VmRSS")
        kind, said, seconds, block_s, wrong = asyncio.run(self._ended(cell, url, deadline_s))
        peak = _memory_mb("VmHWM") - before
        self._pipe.send("stop")
        played, strangers = self._pipe.recv()
        if strangers:
            wrong.append(f"{strangers} requests sent elsewhere")
        return End(cell, kind, said, seconds, peak, 1000 * block_s, tuple(wrong), played)

    async def _ended(
        self, cell: Cell, url: str, deadline_s: float | None
    ) -> tuple[str, str, float, float, list[str]]:
        watch = Watch()
        began = time.monotonic()
        wrong: list[str] = []
        with watch:
            try:
                answer = await aanalyze_video(
                    self.clip,
                    QUESTION,
                    model="scripted",
                    base_url=url,
                    api_key=KEY,
                    budget=Budget(seconds=deadline_s),
                    stream=cell.streamed,
                    on_event=lambda event: None,
                )
            except VidagentError as error:
                kind, said = type(error).__name__, str(error)
                wrong += _faults_of_error(said)
            except Exception as error:  # noqa: BLE001 - this is what the matrix looks for
                kind, said = type(error).__name__, repr(error)[:300]
                wrong.append("untyped")
            else:
                kind, said = answer.status, answer.answer
                wrong += _faults_of_answer(answer)
        seconds = time.monotonic() - began
        if deadline_s is not None and seconds > deadline_s + GRACE_S:
            wrong.append(f"over deadline: {seconds:.1f} s")
        return kind, said, seconds, watch.longest_s, wrong


def _memory_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def _faults_of_error(said: str) -> Iterator[str]:
    if not is_clean(said):
        yield "not one printable line"
    if KEY in said:
        yield "the key"


def _faults_of_answer(answer: Answer) -> Iterator[str]:
    """Yield what an answer claims that is not so, or that no video has."""
    low, high = SHOWN_S[0] - _EDGE_S, SHOWN_S[1] + _EDGE_S
    duration_s = answer.video.duration_s
    for item in answer.evidence:
        if item.verdict != "unsupported" and not ("red bar" in item.claim and low <= item.time_s <= high):
            yield f"false claim: {item.claim[:80]} at {item.time_s}"
        if item.box_px is not None:
            left, top, right, bottom = item.box_px
            if not (0 <= left < right <= SIZE_WH[0] and 0 <= top < bottom <= SIZE_WH[1]):
                yield f"a box outside: {item.box_px}"
    for span in answer.spans:
        if not (low <= span.start_s <= span.end_s <= high and span.end_s <= duration_s):
            yield f"false claim: {span.start_s}-{span.end_s} s"
    if answer.status == "answered" and not any(item.verdict == "supported" for item in answer.evidence):
        yield "false claim: answered without evidence"
    if answer.status == "not_found":
        yield "a wrong no"
    counts = [value for value in answer.to_dict()["usage"].values() if isinstance(value, int | float)]
    if not all(math.isfinite(value) and 0 <= value < 1e12 for value in counts):
        yield "odd usage"


def _serve(pipe: multiprocessing.connection.Connection) -> None:
    """Serve cells, one after the other."""
    while True:
        cell = pipe.recv()
        with ScriptedServer([says("elsewhere")]) as other:
            faulty = Faulty(Honest(), cell.fault, cell.at, lasts=cell.lasts, other_url=other.url)
            with ScriptedServer(faulty) as server:
                faulty.begin(server)
                pipe.send(server.url)
                pipe.recv()
            pipe.send((faulty.played, len(other.bodies) + len(other.asked)))


def _begin(folder: Path) -> None:
    global _worker
    _worker = Worker(folder)


def _run(cell: Cell, deadline_s: float) -> End:
    return _worker.run(cell, deadline_s)


def report(ends: list[End], deadline_s: float) -> Iterator[str]:
    """Yield the lines of the report."""
    wrong = [end for end in ends if end.faults]
    untyped = sum("untyped" in end.faults for end in ends)
    late = sum(any("over deadline" in fault for fault in end.faults) for end in ends)
    false = sum(any("false claim" in fault for fault in end.faults) for end in ends)
    kinds = collections.Counter(end.kind for end in ends)
    yield f"| cells | {len(ends)} ({sum(end.played > 0 for end in ends)} in which the fault was met) |"
    yield "|---|---|"
    yield f"| ends | {', '.join(f'{kind} {count}' for kind, count in kinds.most_common())} |"
    yield f"| untyped | {untyped} |"
    yield f"| over deadline + {GRACE_S:g} s | {late} |"
    yield f"| false claims | {false} |"
    no = sum("a wrong no" in end.faults for end in ends)
    yield f"| not found, though it is there | {no} |"
    yield f"| wrong in another way | {len(wrong) - untyped - late - false - no} |"
    top = max(ends, key=lambda end: end.peak_mb)
    yield f"| peak memory over that before the run | {top.peak_mb:.0f} MB ({top.cell.fault}) |"
    block = max(ends, key=lambda end: end.block_ms)
    yield f"| longest block of the event loop | {block.block_ms:.0f} ms ({block.cell.fault}) |"
    yield f"| longest run | {max(end.seconds for end in ends):.1f} s of {deadline_s:g} |"
    for end in wrong:
        yield f"- {end.cell}: {end.kind}: {end.faults}: {end.said[:120]}"


def main() -> None:
    """Print each end, and the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=(), help="names of faults")
    parser.add_argument("--seconds", type=float, default=15.0, help="the budget of each run")
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "few.toml").write_text("frames_per_call = 8\noverview_frames = 9\n")
        CLIPS["h264"](folder)
        ends = []
        with ProcessPoolExecutor(given.jobs, context, initializer=_begin, initargs=(folder,)) as pool:
            for end in pool.map(partial(_run, deadline_s=given.seconds), cells(given.only)):
                ends.append(end)
                cell = end.cell
                ways = f"{cell.at}{'+' if cell.lasts else ''}{' streamed' if cell.streamed else ''}"
                print(
                    f"{cell.fault} at {ways}: {end.kind} ({end.played}), {end.seconds:.1f} s, {end.peak_mb:.0f} MB, "
                    f"{end.block_ms:.0f} ms {' '.join(end.faults)}: {end.said[:100]}",
                    file=sys.stderr,
                    flush=True,
                )
    print("\n".join(report(ends, given.seconds)))


if __name__ == "__main__":
    main()
