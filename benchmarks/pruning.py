"""Print what the same clip costs in prompt tokens at several rates of vLLM's video pruning (EVS).

`python -m benchmarks.pruning` from the repository root, after `make test-vllm` has installed vLLM and made its tiny
models. The rate is a flag of the server, so one is started for each row.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.live.pruning import cost
from tests.live.rates import RATES, encode
from tests.live.serving import NEMOTRON, QWEN, Kitchen


def main() -> None:
    """Start the servers in turn and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--environment", type=Path, default=Path(".venv-vllm"), help="with vLLM and the models"
    )
    parser.add_argument(
        "--rate", action="append", help="rates from 0 to below 1; 0, 0.5 and 0.75 unless given"
    )
    given = parser.parse_args()
    print(
        "| model | --video-pruning-rate | prompt tokens | of the video | of its pictures | before, by /tokenize |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clip = encode(folder / "clip.mp4", RATES["25"])
        kitchen = Kitchen(given.environment.absolute(), folder, folder)
        for shape in (NEMOTRON, QWEN):
            for rate in given.rate or ["0", "0.5", "0.75"]:
                with kitchen.serve(shape, f"--video-pruning-rate={rate}") as server:
                    paid = cost(server, clip)
                cells = (shape.name, rate, paid.prompt, paid.video, paid.pictures, paid.counted)
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
