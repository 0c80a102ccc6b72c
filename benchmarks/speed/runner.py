"""Runs the benchmarks of speed and memory, all of them or those named.

    python -m benchmarks [NAME…] [--quick] [--video FILE] [--json FILE] [--plot FILE] [--write]

Ways of doing one thing are measured in turn in one run, so that ratios hold on a busy machine where seconds do not.
Videos are drawn, unless one is given. `--write` puts the tables into benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.speed import concurrent, decode, images, index, memory, overhead, startup
from benchmarks.speed.results import Found, machine, plot, rewrite, write_json
from benchmarks.speed.turns import Setting

_MODULES = {
    "decode": decode,
    "index": index,
    "startup": startup,
    "overhead": overhead,
    "images": images,
    "memory": memory,
    "concurrent": concurrent,
}
_FULL = Setting(Path(), rounds=5, length_s=1800.0, size_wh=(1920, 1080), at_once=(1, 4, 16, 64))
_QUICK = Setting(Path(), rounds=3, length_s=120.0, size_wh=(1280, 720), at_once=(1, 4, 16))
_RESULTS = Path(__file__).parents[1] / "RESULTS.md"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmarks and print their tables as they are found."""
    given = _parser().parse_args(argv)
    found = []
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        setting = _setting(given, given.folder or Path(scratch))
        for name in given.names or _MODULES:
            found.append(
                _run(name, setting, shlex.join(["python", "-m", "benchmarks", name, *_flags(given)]))
            )
            print(f"\n{found[-1].markdown()}\n\n({found[-1].seconds:.0f} s)", flush=True)
    if given.json:
        write_json(given.json, found)
    if given.plot:
        plot(given.plot, found)
    if given.write:
        rewrite(_RESULTS, found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *_MODULES], help=", ".join(_MODULES))
    parser.add_argument(
        "--quick", action="store_true", help="a short video and few rounds: under five minutes"
    )
    parser.add_argument("--video", type=Path, help="decode and index this one in place of a drawn one")
    parser.add_argument("--length", type=float, metavar="SECONDS", help="length of the drawn video")
    parser.add_argument("--size", type=_size, metavar="WIDTHxHEIGHT", help="its size")
    parser.add_argument("--rounds", type=int, help="how often each way is measured")
    parser.add_argument("--at-once", type=int, nargs="+", metavar="N", help="numbers of questions at once")
    parser.add_argument("--folder", type=Path, help="keep the drawn videos there, for the next run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios there, as PNG or SVG")
    parser.add_argument("--write", action="store_true", help="rewrite the sections of benchmarks/RESULTS.md")
    return parser


def _size(text: str) -> tuple[int, int]:
    width, height = map(int, text.split("x"))
    return width, height


def _flags(given: argparse.Namespace) -> list[str]:
    """Return the flags that shape the figures."""
    flags = ["--quick"] if given.quick else []
    for name in ("length", "rounds", "video"):
        value = getattr(given, name)
        flags += (
            [] if value is None else [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
        )
    flags += ["--size", "{}x{}".format(*given.size)] if given.size else []
    return flags + (["--at-once", *map(str, given.at_once)] if given.at_once else [])


def _setting(given: argparse.Namespace, folder: Path) -> Setting:
    folder.mkdir(parents=True, exist_ok=True)
    changed = {
        "rounds": given.rounds,
        "length_s": given.length,
        "size_wh": given.size,
        "at_once": tuple(given.at_once) if given.at_once else None,
        "video": given.video,
    }
    chosen = {name: value for name, value in changed.items() if value is not None}
    return replace(_QUICK if given.quick else _FULL, folder=folder, **chosen)


def _run(name: str, setting: Setting, command: str) -> Found:
    module, began = _MODULES[name], time.perf_counter()
    kept = os.environ.get("VIDAGENT_CACHE_DIR")
    try:
        tables = module.measure(setting)
    finally:
        if kept is None:
            os.environ.pop("VIDAGENT_CACHE_DIR", None)
        else:
            os.environ["VIDAGENT_CACHE_DIR"] = kept
    about = (module.__doc__ or "").strip()
    return Found(name, about, command, tables, time.perf_counter() - began)
