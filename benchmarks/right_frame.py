"""Compare the frames each decoder gives with those of a full decode, on a clip of every kind.

`python -m benchmarks.right_frame [--keep FOLDER]` from the repository root. Every frame of the clips carries its
number in its pixels; a cell says `errors/checked`, or why the decoder refuses that kind of file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.media.make import CLIPS
from tests.media.truth import Truth, full_decode, sample_times, wrong_frames
from vidagent.errors import UsageError, VideoError
from vidagent.video.decoders import DECODERS, open_decoder

SINGLES = 8


@dataclass(frozen=True)
class Cell:
    """What one decoder made of one clip."""

    checked: int = 0
    errors: int = 0
    refusal: str = ""
    missing: bool = False

    def __str__(self) -> str:
        if self.missing:
            return "not installed"
        return "refused" if self.refusal else f"{self.errors}/{self.checked}"


def compare(name: str, path: Path, truth: Truth) -> Cell:
    """Ask one decoder for frames of one clip, all at once and then some singly."""
    times_s = sample_times(truth)
    try:
        decoder = open_decoder(name, path)
    except UsageError as error:
        return Cell(refusal=str(error), missing=True)
    except VideoError as error:
        return Cell(refusal=str(error))
    try:
        return Cell(len(times_s) + SINGLES, len(wrong_frames(decoder, truth, times_s)))
    except VideoError as error:
        return Cell(refusal=str(error))
    finally:
        decoder.close()


def main() -> None:
    """Print the table, the sums and the reasons of refusals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the clips here and leave them")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        table = {clip: _row(CLIPS[clip](folder).path) for clip in CLIPS}
    if arguments.json:
        cells = {clip: {name: vars(cell) for name, cell in row.items()} for clip, row in table.items()}
        print(json.dumps(cells, indent=2))
        return
    _print(table)


def _row(path: Path) -> dict[str, Cell]:
    truth = full_decode(path)
    return {name: compare(name, path, truth) for name in DECODERS}


def _print(table: dict[str, dict[str, Cell]]) -> None:
    print(f"{'clip':18}" + "".join(f"{name:>15}" for name in DECODERS))
    for clip, row in table.items():
        print(f"{clip:18}" + "".join(f"{cell!s:>15}" for cell in row.values()))
    print()
    for name in DECODERS:
        cells = [row[name] for row in table.values()]
        checked, errors = sum(cell.checked for cell in cells), sum(cell.errors for cell in cells)
        print(f"{name}: {checked} frames checked, {errors} errors, {_refused(cells)}")


def _refused(cells: list[Cell]) -> str:
    reasons = Counter(cell.refusal for cell in cells if cell.refusal)
    listed = "".join(f"\n    {count} x {reason}" for reason, count in reasons.most_common())
    return f"{sum(reasons.values())} files refused{listed}"


if __name__ == "__main__":
    main()
