"""A library of many files: an add that is killed and goes on, what `find` finds, and a million vectors.

`python -m benchmarks.library --out FOLDER` makes 200 files of 20 hours in all, of footage where there is some
(`--footage`), plants 50 events in them (texts on screen, words in subtitles, colours for a scripted embedding server),
indexes them with `vidagent library add`, which it kills twice, and searches for each event. Then it fills a library
with a million random vectors and searches that. `--quick` does the same with 24 files of 12 s and 50,000 vectors.
"""

from __future__ import annotations

import argparse
import colorsys
import itertools
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tests.embedding_server import EmbeddingScript
from tests.scripted_server import ScriptedServer, says
from vidagent import Library
from vidagent.library.catalog import Catalog, file_stamp
from vidagent.library.contents import Contents, Depth
from vidagent.library.finding import Finder, KeptSigns
from vidagent.library.vectors import measure_means
from vidagent.video.index.embeddings import Embedded, Vectors

SIZE_WH = (480, 270)
EVENT_S, CUE_EVERY_S = 2.0, 20.0
BLUR_PX = 4.0
WORDS = (
    "anchor amber beacon birch canal cedar comet coral delta ember falcon ferry garnet glacier harbor heron indigo "
    "ivory jasmine juniper kestrel lagoon lantern maple marble meadow nectar onyx orchard osprey pebble pepper quartz "
    "quill raven ribbon saddle salmon sparrow summit thistle timber tulip tundra umber valley velvet walnut zephyr"
).split()
KILLED_AT = (0.05, 0.2)
KINDS = ("text", "subtitle", "colour")
DIMS, OF_VIDEO, QUERIES = 768, 500, 200


@dataclass(frozen=True)
class Form:
    """What the files are like.

    Args:
        files: How many.
        length_s: The length of each, in seconds.
        rate: Frames per second.
        events: How many events are searched for.
    """

    files: int
    length_s: float
    rate: int
    events: int

    @property
    def frames(self) -> int:
        """Frames of a file."""
        return round(self.length_s * self.rate)


WHOLE, QUICK = Form(200, 360.0, 2, 50), Form(24, 12.0, 10, 12)


@dataclass(frozen=True)
class Event:
    """A planted event.

    Args:
        kind: What it is.
        video: The name of its file.
        start_s: When it begins.
        end_s: When it ends.
        query: What finds it.
    """

    kind: str
    video: str
    start_s: float
    end_s: float
    query: str


def main() -> None:
    """Run the benchmark, and print its tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="an empty folder")
    parser.add_argument("--footage", type=Path, help="a folder of videos whose pictures are the ground")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("files", "vectors"))
    parser.add_argument(
        "--minutes",
        type=float,
        help="end the indexing after this time; events of the other files are not asked for",
    )
    options = parser.parse_args()
    form, vectors = (QUICK, 50_000) if options.quick else (WHOLE, 1_000_000)
    if options.only != "vectors":
        search_files(
            options.out, options.footage, form, None if options.minutes is None else 60 * options.minutes
        )
    if options.only != "files":
        search_vectors(options.out / "vectors", vectors)


def search_files(out: Path, footage: Path | None, form: Form, limit_s: float | None) -> None:
    """Make files, index them with kills, and search for what is planted in those that are indexed."""
    planted = make_files(out / "videos", footage, form)
    script = EmbeddingScript()
    with ScriptedServer([says("")], models=("colours",), routes={"/v1/embeddings": script}) as server:
        os.environ["VIDAGENT_CACHE_DIR"] = str(out / "cache")
        os.environ["VIDAGENT_EMBEDDING_BASE_URL"] = server.url
        seconds, kills = index_with_kills(out / "videos", form.files, limit_s)
        sent = script.pictures
        status = Library().status()
        stored = [one for one in status.videos if one.state == "indexed"]
        needed = round(len(stored) * form.length_s / 2)
        print(
            "| files | hours | killed at | indexed | twice | failed | seconds | pictures sent / needed | file, MB |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        twice = len(stored) - len({one.path for one in stored})
        hours = sum(one.duration_s or 0 for one in stored) / 3600
        print(
            f"| {form.files} | {hours:.2f} | {', '.join(map(str, kills))} | {len(stored)} | {twice} | "
            f"{status.counts['failed']} | {seconds:.0f} | {sent} / {needed} | {status.bytes / 1e6:.1f} |\n"
        )
        names = {one.path.name for one in stored}
        report_recall([event for event in planted if event.video in names])


def report_recall(planted: Sequence[Event]) -> None:
    """Search for each event, and print how many are among the first five, and how long that takes."""
    library, took_s = Library(), []
    found: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    for event in planted:
        began = time.perf_counter()
        hits = library.find(event.query, limit=5).hits
        took_s.append(time.perf_counter() - began)
        right = [
            hit.video.name == event.video
            and hit.time_s < event.end_s + 0.5
            and hit.end_s > event.start_s - 0.5
            for hit in hits
        ]
        found[event.kind].append(any(right))
        if not any(right):
            print(f"missed: {event}", file=sys.stderr)
    print("| planted | events | among the first 5 |\n|---|---|---|")
    for kind, rights in found.items():
        print(f"| {kind} | {len(rights)} | {sum(rights)} |")
    print(f"| all | {len(planted)} | {sum(map(sum, found.values()))} |\n")
    print(f"find: p50 {1e3 * statistics.median(took_s):.0f} ms, most {1e3 * max(took_s):.0f} ms\n")


def index_with_kills(videos: Path, files: int, limit_s: float | None) -> tuple[float, list[int]]:
    """Run `vidagent library add`, and kill it when 5% and 20% are indexed; then to the end, or for some time."""
    began, kills = time.monotonic(), []
    for share in KILLED_AT:
        adding = subprocess.Popen(_add(videos), stderr=subprocess.DEVNULL)
        while adding.poll() is None and Library().status().counts["indexed"] < share * files:
            time.sleep(0.5)
        adding.send_signal(signal.SIGKILL)
        adding.wait()
        kills.append(Library().status().counts["indexed"])
    last = subprocess.Popen(_add(videos))
    try:
        last.wait(None if limit_s is None else max(1.0, limit_s + began - time.monotonic()))
    except subprocess.TimeoutExpired:
        last.kill()
        last.wait()
    return time.monotonic() - began, kills


def _add(videos: Path) -> list[str]:
    return [sys.executable, "-m", "vidagent", "library", "add", str(videos)]


def make_files(folder: Path, footage: Path | None, form: Form) -> list[Event]:
    """Write the files, and return what is planted in them; every file has texts, subtitles and colours of its own."""
    drawn, planted = random.Random(11), []
    folder.mkdir(parents=True, exist_ok=True)
    hues = drawn.sample(range(3 * form.files), form.files)
    chosen = drawn.sample(range(form.files), form.events)
    grounds = _grounds(footage, form)
    for number in range(form.files):
        name = f"clip {number:03} {drawn.choice(WORDS)}.mp4"
        text = f"{drawn.choice(WORDS).upper()} {drawn.randrange(1000, 9999)}"
        rgb = tuple(
            round(255 * part) for part in colorsys.hsv_to_rgb(hues[number] / (3 * form.files), 0.9, 0.85)
        )
        cues = _cues(drawn, form)
        starts = {
            "text": float(round(drawn.uniform(0.05, 0.3) * form.length_s)),
            "subtitle": drawn.choice(list(cues)),
            "colour": float(round(drawn.uniform(0.6, 0.8) * form.length_s)),
        }
        if not (folder / name).exists():  # else of an earlier run
            _write(folder / name, next(grounds), form, starts, text, rgb)
            _subtitle(folder / name, cues)
        if number in chosen:
            kind = KINDS[chosen.index(number) % len(KINDS)]
            query = {
                "text": text,
                "subtitle": cues[starts["subtitle"]],
                "colour": f"something of the colour #{rgb[0]:02x}{rgb[1]:02x}{rgb[2]:02x}",
            }[kind]
            planted.append(Event(kind, name, starts[kind], starts[kind] + EVENT_S, query))
    return planted


def _cues(drawn: random.Random, form: Form) -> dict[float, str]:
    """Return subtitles by their starts."""
    count = max(3, round(form.length_s / CUE_EVERY_S))
    return {
        round(number * form.length_s / count + 1, 1): " ".join(drawn.sample(WORDS, 4))
        for number in range(count)
    }


def _grounds(footage: Path | None, form: Form) -> Iterator[Iterator[NDArray[np.uint8]]]:
    """Yield the pictures of each file: footage, of one video after the other, or drawn noise."""
    clips = (
        [clip for clip in sorted(footage.iterdir()) if clip.suffix in {".mp4", ".webm", ".avi"}]
        if footage
        else []
    )
    readers = [itertools.cycle(_frames(clip, form.rate)) for clip in clips]
    for number in itertools.count():
        rng = np.random.default_rng(number)
        yield readers[number % len(readers)] if readers else _noise(rng)


def _noise(rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    noise = cv2.resize(rng.integers(40, 200, (5, 8, 3), np.uint8), SIZE_WH, interpolation=cv2.INTER_CUBIC)
    for number in itertools.count():
        yield np.roll(noise, 3 * number, axis=1)


def _frames(path: Path, rate: int) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of a video, without its own texts: reading these in all files would take hours."""
    with av.open(str(path)) as container:
        due_s = 0.0
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= due_s:
                due_s = frame.time + 1 / rate
                yield cv2.GaussianBlur(cv2.resize(frame.to_ndarray(format="rgb24"), SIZE_WH), (0, 0), BLUR_PX)


def _write(
    path: Path,
    ground: Iterator[NDArray[np.uint8]],
    form: Form,
    starts: Mapping[str, float],
    text: str,
    rgb: tuple[int, ...],
) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx264", rate=form.rate, options={"preset": "ultrafast", "crf": "23", "g": "40"}
        )
        (stream.width, stream.height), stream.pix_fmt = SIZE_WH, "yuv420p"
        for number, picture in zip(range(form.frames), ground, strict=False):
            shown, time_s = picture.copy(), number / form.rate
            if starts["text"] <= time_s < starts["text"] + EVENT_S:
                cv2.rectangle(shown, (40, 190), (440, 250), (0, 0, 0), -1)
                cv2.putText(
                    shown, text, (60, 232), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (255, 255, 255), 2, cv2.LINE_AA
                )
            if starts["colour"] <= time_s < starts["colour"] + EVENT_S:
                shown[:] = rgb
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, form.rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def _subtitle(path: Path, cues: Mapping[float, str]) -> None:
    lines = [
        f"{number}\n{_stamp(start_s)} --> {_stamp(start_s + EVENT_S)}\n{text}"
        for number, (start_s, text) in enumerate(cues.items(), 1)
    ]
    path.with_suffix(".srt").write_text("\n\n".join(lines))


def _stamp(time_s: float) -> str:
    minutes, seconds = divmod(time_s, 60)
    return f"00:{int(minutes):02}:{seconds:06.3f}".replace(".", ",")


class RandomEmbedder:
    """Gives each query the next of some vectors."""

    model = "random"

    def __init__(self, vectors: Vectors) -> None:
        """Begin with the first."""
        self._vectors = iter(vectors)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return the next vector."""
        return next(self._vectors)[None]

    def pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Refuse: a search embeds words only, and here the vectors are random."""
        raise NotImplementedError("no picture is embedded in this benchmark")


def search_vectors(folder: Path, count: int) -> None:
    """Fill a library with random vectors in clusters around a mean far from zero, and search it."""
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True, exist_ok=True)
    centres, mean = rng.standard_normal((count // 50, DIMS)), rng.standard_normal(DIMS)
    began = time.monotonic()
    with Catalog(folder / "library") as catalog:
        for number in range(count // OF_VIDEO):
            if (folder / f"{number}.mp4").exists():  # of an earlier run
                continue
            noise = 0.6 * rng.standard_normal((OF_VIDEO, DIMS))
            vectors = _unit(mean + centres[rng.integers(0, len(centres), OF_VIDEO)] + noise)
            _store(catalog, folder / f"{number}.mp4", vectors)
        measure_means(catalog.database)
        built_s = time.monotonic() - began
        rows = catalog.database.rows("SELECT vectors FROM vectors ORDER BY id")
        queries = _queries(rng, [row[0] for row in rows])
        truth = _exact([row[0] for row in rows], queries)
        del rows
        size = (folder / "library" / "library.sqlite3").stat().st_size
        print(f"{count:,} vectors of {DIMS}: stored in {built_s:.0f} s, {size / 1e6:,.0f} MB\n")
        print("| signs | queries | p50 | p99 | CPU, p50 | 10 nearest, exactly |\n|---|---|---|---|---|---|")
        for title, keeps in (
            ("kept in memory, as a server does", True),
            ("read each time, as a command does", False),
        ):
            few = queries if keeps else queries[: QUERIES // 4]
            took_s, cpu_s, right = _searched(catalog, few, truth, keeps=keeps)
            p50, p99 = (1e3 * took_s[int(share * len(took_s))] for share in (0.5, 0.99))
            cpu = 1e3 * statistics.median(cpu_s)
            print(f"| {title} | {len(few)} | {p50:.0f} ms | {p99:.0f} ms | {cpu:.0f} ms | {right:.1%} |")


def _store(catalog: Catalog, path: Path, vectors: NDArray[np.float16]) -> None:
    path.write_bytes(str(path).encode())
    stamp = file_stamp(path)
    catalog.database.change(
        "INSERT INTO videos (path, stamp, beside) VALUES (?, ?, '')", os.fsencode(path), stamp
    )
    [due] = catalog.due(1)
    times = np.arange(len(vectors), dtype=np.float64)
    contents = Contents(
        str(path), float(len(vectors)), model="random", pictures=Embedded(times, times + 1, vectors)
    )
    catalog.store(due, contents, Depth())


def _searched(
    catalog: Catalog, queries: Vectors, truth: NDArray[np.int64], *, keeps: bool
) -> tuple[list[float], list[float], float]:
    """Return the seconds of each search, sorted, its CPU seconds, and the share of the ten nearest that it has."""
    embedder, signs, right = RandomEmbedder(np.concatenate([queries[:1], queries])), KeptSigns(), 0
    took_s, cpu_s = list[float](), list[float]()
    Finder(catalog, embedder, signs).find("x", 1)
    for number in range(len(queries)):
        began, spent = time.perf_counter(), time.process_time()
        hits = Finder(catalog, embedder, signs if keeps else {}).find("x", 100).hits
        took_s.append(time.perf_counter() - began)
        cpu_s.append(time.process_time() - spent)
        places = [int(hit.video.stem) * OF_VIDEO + int(hit.time_s) for hit in hits]
        right += len(set(places) & set(truth[number].tolist()))
    return sorted(took_s), cpu_s, right / (10 * len(queries))


def _queries(rng: np.random.Generator, rows: Sequence[bytes]) -> Vectors:
    chosen = [
        np.frombuffer(rows[row], np.float16).reshape(-1, DIMS) for row in rng.integers(0, len(rows), QUERIES)
    ]
    picked = np.stack([row[rng.integers(0, len(row))] for row in chosen]).astype(np.float32)
    return _unit(picked + 0.02 * rng.standard_normal(picked.shape)).astype(np.float32)


def _exact(rows: Sequence[bytes], queries: Vectors) -> NDArray[np.int64]:
    """Return the places of the ten nearest of all vectors, which the rows hold in order."""
    best, places, first = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64), 0
    for start in range(0, len(rows), 200):
        vectors = np.frombuffer(b"".join(rows[start : start + 200]), np.float16).reshape(-1, DIMS)
        cosines = queries @ vectors.astype(np.float32).T
        best = np.hstack([best, cosines])
        places = np.hstack([places, np.tile(np.arange(first, first + len(vectors)), (len(queries), 1))])
        order = np.argpartition(-best, 10, axis=1)[:, :10]
        best, places = np.take_along_axis(best, order, 1), np.take_along_axis(places, order, 1)
        first += len(vectors)
    return places


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float16]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


if __name__ == "__main__":
    main()
