"""A library of many files: an add that is killed and goes on, what `find` finds, and a million vectors.

`python -m benchmarks.library --out FOLDER` makes 200 short files, of footage where there is some (`--footage`), plants
50 events in them (texts on screen, words in subtitles, colours for a scripted embedding server), indexes them with
`vidagent library add`, which it kills twice, and searches for each event. Then it fills a library with a million random
vectors and searches that. `--quick` does the same with 24 files and 50,000 vectors.
"""

from __future__ import annotations

import argparse
import colorsys
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
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

SIZE_WH, RATE, LENGTH_S = (480, 270), 10, 12
WORDS = (
    "anchor amber beacon birch canal cedar comet coral delta ember falcon ferry garnet glacier harbor heron indigo "
    "ivory jasmine juniper kestrel lagoon lantern maple marble meadow nectar onyx orchard osprey pebble pepper quartz "
    "quill raven ribbon saddle salmon sparrow summit thistle timber tulip tundra umber valley velvet walnut zephyr"
).split()
KINDS = ("text", "subtitle", "colour")
DIMS, OF_VIDEO, QUERIES = 768, 500, 200


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
    options = parser.parse_args()
    files, events, vectors = (24, 12, 50_000) if options.quick else (200, 50, 1_000_000)
    if options.only != "vectors":
        search_files(options.out, options.footage, files, events)
    if options.only != "files":
        search_vectors(options.out / "vectors", vectors)


def search_files(out: Path, footage: Path | None, files: int, events: int) -> None:
    """Make files, index them with kills, and search for what is planted."""
    planted = make_files(out / "videos", footage, files, events)
    script = EmbeddingScript()
    with ScriptedServer([says("")], models=("colours",), routes={"/v1/embeddings": script}) as server:
        os.environ["VIDAGENT_CACHE_DIR"] = str(out / "cache")
        os.environ["VIDAGENT_EMBEDDING_BASE_URL"] = server.url
        seconds, kills = index_with_kills(out / "videos", files)
        sent = script.pictures
        status = Library().status()
        stored = [one for one in status.videos if one.state == "indexed"]
        needed = files * LENGTH_S // 2
        print(
            "| files | hours | killed at | indexed | twice | failed | seconds | pictures sent / needed | file, MB |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        twice = len(stored) - len({one.path for one in stored})
        hours = sum(one.duration_s or 0 for one in stored) / 3600
        print(
            f"| {files} | {hours:.2f} | {', '.join(map(str, kills))} | {len(stored)} | {twice} | "
            f"{status.counts['failed']} | {seconds:.0f} | {sent} / {needed} | {status.bytes / 1e6:.1f} |\n"
        )
        report_recall(planted)


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


def index_with_kills(videos: Path, files: int) -> tuple[float, list[int]]:
    """Run `vidagent library add`, and kill it when a third and two thirds are indexed; then to the end."""
    began, kills = time.monotonic(), []
    for share in (1 / 3, 2 / 3):
        adding = subprocess.Popen(_add(videos), stderr=subprocess.DEVNULL)
        while adding.poll() is None and Library().status().counts["indexed"] < share * files:
            time.sleep(0.5)
        adding.send_signal(signal.SIGKILL)
        adding.wait()
        kills.append(Library().status().counts["indexed"])
    subprocess.run(_add(videos), check=True)
    return time.monotonic() - began, kills


def _add(videos: Path) -> list[str]:
    return [sys.executable, "-m", "vidagent", "library", "add", str(videos)]


def make_files(folder: Path, footage: Path | None, files: int, events: int) -> list[Event]:
    """Write the files, and return what is planted in them; every file has texts, subtitles and colours of its own."""
    drawn, planted = random.Random(11), []
    folder.mkdir(parents=True, exist_ok=True)
    hues = drawn.sample(range(3 * files), files)
    chosen = drawn.sample(range(files), events)
    for number, ground in zip(range(files), _grounds(footage, files), strict=False):
        name = f"clip {number:03} {drawn.choice(WORDS)}.mp4"
        text = f"{drawn.choice(WORDS).upper()} {drawn.randrange(1000, 9999)}"
        said = [" ".join(drawn.sample(WORDS, 4)) for _ in range(3)]
        rgb = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hues[number] / (3 * files), 0.9, 0.85))
        starts = {"text": 1.0, "subtitle": 5.0, "colour": 8.0}
        _write(folder / name, ground, text, rgb)
        _subtitle(folder / name, said)
        if number in chosen:
            kind = KINDS[chosen.index(number) % len(KINDS)]
            query = {
                "text": text,
                "subtitle": said[1],
                "colour": f"something of the colour #{rgb[0]:02x}{rgb[1]:02x}{rgb[2]:02x}",
            }[kind]
            planted.append(Event(kind, name, starts[kind], starts[kind] + 2, query))
    return planted


def _grounds(footage: Path | None, files: int) -> Iterator[list[NDArray[np.uint8]]]:
    """Yield pictures for each file: stretches of footage one after the other, or drawn noise."""
    clips = sorted(footage.iterdir()) if footage else []
    readers = [
        reader for clip in clips if clip.suffix in {".mp4", ".webm", ".avi"} for reader in [_frames(clip)]
    ]
    for number in range(files):
        frames: list[NDArray[np.uint8]] = []
        if readers:
            reader = readers[number % len(readers)]
            frames = [frame for frame, _ in zip(reader, range(LENGTH_S * RATE), strict=False)]
        rng = np.random.default_rng(number)
        grid = rng.integers(40, 200, (5, 8, 3), np.uint8)
        noise = cv2.resize(grid, SIZE_WH, interpolation=cv2.INTER_CUBIC)
        while len(frames) < LENGTH_S * RATE:
            frames.append(np.roll(noise, 3 * len(frames), axis=1))
        yield frames


def _frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 3 == 0:
                yield cv2.resize(frame.to_ndarray(format="rgb24"), SIZE_WH)


def _write(path: Path, ground: Sequence[NDArray[np.uint8]], text: str, rgb: tuple[int, ...]) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "23", "g": "40"})
        (stream.width, stream.height), stream.pix_fmt = SIZE_WH, "yuv420p"
        for number, picture in enumerate(ground):
            shown = picture.copy()
            if RATE <= number < 3 * RATE:
                cv2.rectangle(shown, (40, 190), (440, 250), (0, 0, 0), -1)
                cv2.putText(
                    shown, text, (60, 232), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (255, 255, 255), 2, cv2.LINE_AA
                )
            if 8 * RATE <= number < 10 * RATE:
                shown[:] = rgb
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def _subtitle(path: Path, said: Sequence[str]) -> None:
    cues = [
        f"{number + 1}\n00:00:{1 + 4 * number:02},000 --> 00:00:{3 + 4 * number:02},000\n{text}"
        for number, text in enumerate(said)
    ]
    path.with_suffix(".srt").write_text("\n\n".join(cues))


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
