"""Print how far the times that vLLM writes beside the frames of a video are from the true ones.

`python -m benchmarks.video_times` from the repository root, after `make test-vllm` has installed vLLM and made its tiny
models. Clips of 30 s at four frame rates, their pictures beginning with the sound or 8 frames late. A time in the
table is `median / largest`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.live.frame_times import FORMS, LABELS, Labels, Sent, off_s
from tests.live.rates import RATES, encode
from tests.live.server import Server
from tests.live.serving import Kitchen

LATE_FRAMES = 8


def rows(server: Server, labels: Labels, folder: Path) -> Iterator[str]:
    """Yield a line for each form and rate."""
    for form, make in FORMS.items():
        for rate in RATES:
            off = [
                _off(server, labels, make(_clip(folder, rate, late), labels.media))
                for late in (0, LATE_FRAMES)
            ]
            cells = (labels.shape.name, form, rate, len(off[0]), *map(_ms, off))
            yield "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Make the clips, start a server of each model in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--environment", type=Path, default=Path(".venv-vllm"), help="with vLLM and the models"
    )
    environment = parser.parse_args().environment.absolute()
    print(f"| model | sent | fps | labels | off, ms | off, {LATE_FRAMES} frames late, ms |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for labels in LABELS:
            with Kitchen(environment, folder, folder).serve(labels.shape) as server:
                for row in rows(server, labels, folder):
                    print(row, flush=True)


def _clip(folder: Path, rate: str, late: int) -> Path:
    path = folder / f"{rate}-{late}.mp4"
    return path if path.exists() else encode(path, RATES[rate], late)


def _off(server: Server, labels: Labels, sent: Sent) -> list[float]:
    return [abs(off) for off in off_s(server, labels, sent)]


def _ms(off: list[float]) -> str:
    return f"{1000 * statistics.median(off):.0f} / {1000 * max(off):.0f}"


if __name__ == "__main__":
    main()
