"""A search at the size of a library of 10,000 hours: its signs in memory, and as many lines as are asked for.

    python -m benchmarks.library_scale --out FOLDER [--hours 10000] [--lines 1000000]

The signs are random, 18 million of 768 bits: one for each 2 s, none joined with its neighbour. The lines are of words
as frequent as in speech (Zipf), in one library file. Of both, p50 and p99 of a search, and its CPU time, are printed;
time with other work on the machine is longer.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vidagent.library.catalog import Catalog
from vidagent.library.finding import Finder
from vidagent.library.vectors import Signs

DIMS, WORDS, LINES_OF_VIDEO, WORDS_OF_LINE = 768, 60_000, 700, 8
SEARCHES = 30


def main() -> None:
    """Measure both, and print a line of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    parser.add_argument("--hours", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    asked = parser.parse_args()
    print(f"signs of {asked.hours:,} hours: {search_signs(asked.hours * 1800)}", flush=True)
    print(f"{asked.lines:,} lines: {search_lines(asked.out / 'library', asked.lines)}", flush=True)


def search_signs(count: int) -> str:
    """Search random signs, and say how long it takes and how much memory they need."""
    rng = np.random.default_rng(1)
    words = rng.integers(0, 1 << 63, (count, DIMS // 64), np.uint64)
    number = np.arange(count, dtype=np.int64)
    signs = Signs(words, number, number, number, np.zeros(DIMS, np.float32))
    queries = iter(rng.standard_normal((SEARCHES, DIMS)).astype(np.float32))
    size = words.nbytes + 3 * number.nbytes
    return f"{size / 1e9:.1f} GB in memory, {timed(lambda: signs.nearest(next(queries)))}"


def search_lines(folder: Path, count: int) -> str:
    """Fill a library with lines, search it for words of all frequencies, and say how long it takes."""
    rng = np.random.default_rng(2)
    with Catalog(folder) as catalog:
        began = time.process_time()
        if not catalog.database.row("SELECT 1 FROM videos LIMIT 1"):
            for video in range(1, count // LINES_OF_VIDEO + 1):
                fill(catalog, video, rng)
        filled_s = time.process_time() - began
        drawn = iter(np.minimum(rng.zipf(1.3, (SEARCHES, 3)), WORDS))
        told = timed(lambda: Finder(catalog, None, {}).find(sentence(next(drawn)), 20))
        size = (folder / "library.sqlite3").stat().st_size
    return f"{size / 1e6:,.0f} MB, filled with {filled_s:.0f} s of CPU, {told}"


def fill(catalog: Catalog, video: int, rng: np.random.Generator) -> None:
    """Add a video of an hour, which is nowhere and has no stamp."""
    first = (video - 1) * LINES_OF_VIDEO + 1
    drawn = np.minimum(rng.zipf(1.3, (LINES_OF_VIDEO, WORDS_OF_LINE)), WORDS)
    texts = [sentence(one) for one in drawn]
    lines = [(first + n, video, "spoken", 5.0 * n, 5.0 * n + 4, text) for n, text in enumerate(texts)]
    words = [(first + n, text) for n, text in enumerate(texts)]
    with catalog.database.transaction():
        catalog.database.change(
            "INSERT INTO videos (id, path, stamp, beside, due, found, sha256) VALUES (?, ?, '', '', 0, 1, ?)",
            video,
            os.fsencode(f"/nowhere/{video}.mp4"),
            str(video),
        )
        catalog.database.write(
            lambda db: db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", lines)
        )
        catalog.database.write(
            lambda db: db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", words)
        )


def sentence(drawn: np.ndarray) -> str:
    """Return words by their ranks."""
    return " ".join(f"w{rank}x" for rank in drawn)


def timed(search: Callable[[], object]) -> str:
    """Search again and again, and say how long it takes."""
    took_s, cpu_s = [], []
    for _ in range(SEARCHES):
        began, spent = time.perf_counter(), time.process_time()
        search()
        took_s.append(time.perf_counter() - began)
        cpu_s.append(time.process_time() - spent)
    p50, p99, cpu50, cpu99 = (
        1e3 * float(np.quantile(values, share)) for values in (took_s, cpu_s) for share in (0.5, 0.99)
    )
    return f"a search p50 {p50:.0f} ms, p99 {p99:.0f} ms; CPU p50 {cpu50:.0f} ms, p99 {cpu99:.0f} ms"


if __name__ == "__main__":
    main()
