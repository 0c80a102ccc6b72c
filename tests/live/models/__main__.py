"""Make every tiny model: `python -m tests.live.models FOLDER`, with the Python of vLLM's environment."""

from __future__ import annotations

import argparse
from pathlib import Path

from transformers.utils.logging import disable_progress_bar

from tests.live.models import gemma_4, glm_4v, llama_cpp, llava_next_video, nemotron_vl, qwen3_5, qwen3_vl

MODELS = {
    "qwen3-vl": qwen3_vl.make,
    "qwen3.5": qwen3_5.make,
    "gemma-4": gemma_4.make,
    "glm-4v": glm_4v.make,
    "llama-cpp": llama_cpp.make,
    "nemotron-vl": nemotron_vl.make,
    "llava-next-video": llava_next_video.make,
}


def main() -> None:
    """Make them in folders of their names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    disable_progress_bar()
    for name, make in MODELS.items():
        folder = given.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)
        print(f"{folder}: {sum(file.stat().st_size for file in folder.iterdir()) // 1024} KiB")


if __name__ == "__main__":
    main()
