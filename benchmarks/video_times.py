"""Print how far the times that vLLM writes beside the frames of a video are from the true ones.

`python -m benchmarks.video_times` from the repository root, after `make test-vllm` has installed vLLM and made its tiny
models. A table by model, form and frame rate; clips of 30 s, their pictures beginning with the sound or 8 frames late.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.live.frame_times import FORMS, LABELS, Labels, off_s
from tests.live.rates import RATES, encode
from tests.live.server import Server
from tests.live.serving import Kitchen

LATE_FRAMES = 8


def rows(server: Server, labels: Labels, clips: dict[tuple[str, int], Path]) -> Iterator[str]:
    """Yield a line for each form, rate and start."""
    for form, make in FORMS.items():
        for (rate, late), path in clips.items():
            off = [abs(off) for off in off_s(server, labels, make(path, labels.media))]
            start = f"{late} frames late" if late else "with the sound"
            cells = (
                labels.shape.name,
                form,
                rate,
                start,
                str(len(off)),
                _ms(statistics.median(off)),
                _ms(max(off)),
            )
            yield "| " + " | ".join(cells) + " |"


def main() -> None:
    """Make the clips, start a server of each model in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--environment", type=Path, default=Path(".venv-vllm"), help="with vLLM and the models"
    )
    environment = parser.parse_args().environment.absolute()
    print("| model | form | fps | picture begins | labels | median off, ms | largest off, ms |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clips = {
            (rate, late): encode(folder / f"{rate}-{late}.mp4", fps, late)
            for rate, fps in RATES.items()
            for late in (0, LATE_FRAMES)
        }
        for labels in LABELS:
            with Kitchen(environment, folder, folder).serve(labels.shape) as server:
                for row in rows(server, labels, clips):
                    print(row, flush=True)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}"


if __name__ == "__main__":
    main()
