"""Ask about the demo video, as `vidagent ask` does, and compare the answer with the truth.

    python examples/demo.py [FOLDER]

The video is drawn by `draw_demo.py`, which knows every time in it to the frame. The embedded model answers,
so this needs no GPU, no download and no network. Ends with 1 if the answer is more than one frame off.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import draw_demo

from vidagent import Answer, VidagentError, analyze_video
from vidagent.serve.terminal import console, printing
from vidagent.serve.terminal.progress import Progress

TEXT = "GATE 7 OPEN"
QUESTION = f'When does the text "{TEXT}" appear?'
FRAME_S = 1 / draw_demo.FPS
ROUNDING_S = 1e-6  # the times in an answer have six decimals


def main(arguments: Sequence[str]) -> int:
    """Draw, ask, compare; return the exit code."""
    folder = Path(arguments[0] if arguments else "demo")
    video, frames = folder / "demo.mp4", folder / "frames"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"drawing {video}: {draw_demo.DURATION_S:g} s, {draw_demo.SHOTS} shots", flush=True)
    draw_demo.render(video)
    command = ["vidagent", "ask", str(video), QUESTION, "--model", "signals", "--save-frames", str(frames)]
    print(f"\n$ {shlex.join(command)}", flush=True)
    with Progress(console.stderr()) as progress:
        answer = analyze_video(video, QUESTION, model="signals", save_frames=frames, on_event=progress)
        progress.tell(f"cost      {printing.cost(answer)}\n")
    printing.show_answer(answer)
    return compare(answer, frames)


def compare(answer: Answer, frames: Path) -> int:
    """Say how far the answer is from the truth, and where the frames are; 0 if it is within one frame."""
    truth = next(event for event in draw_demo.EVENTS if event.what == TEXT)
    print(f"\ntruth     {truth.start_s:.3f} s to {truth.end_s:.3f} s, as draw_demo.py drew it")
    saved = [Path(item.frame) for item in answer.evidence if item.frame and Path(item.frame).is_file()]
    errors = [
        abs(got - true) / FRAME_S
        for span in answer.spans[:1]
        for got, true in ((span.start_s, truth.start_s), (span.end_s, truth.end_s))
    ]
    right = bool(errors) and max(errors) <= 1 + ROUNDING_S / FRAME_S and len(answer.spans) == 1
    off = (
        f"start and end {errors[0]:.2f} and {errors[1]:.2f} frames off" if errors else "no time in the answer"
    )
    print(f"check     {'right' if right else 'WRONG'}: {off}")
    sheets = len(list(frames.glob("look-*.jpg")))
    kept = f"{len(saved)} of the evidence and {sheets} {'sheet' if sheets == 1 else 'sheets'}"
    print(f"frames    {kept} of what was looked at, in {frames}/")
    return 0 if right and saved else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except VidagentError as error:
        sys.exit(f"demo: {error}")
