"""Take places to the frame that a planner drafted seconds off, with an observer that reads the pixels without error.

    python -m benchmarks.boundaries [--questions 6] [--keep FOLDER]

Videos of a minute and of an hour at 25 frames a second show a bright square at some times; the planner looks at a
minute round one of them and drafts a place whose start and end are off by up to so many seconds. What is measured is
what the code makes of it: which frames it asks for, and where it stops.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np

import vidagent
from tests.scripted_server import ScriptedServer, block_of, calls, labelled_images, routes, says, step_of
from vidagent.images import jpeg

FPS = 25
DURATIONS_S = (60, 3600)
OFF_S = (0.5, 2.0, 8.0)
FRAMES_A_LOOK = (8, 32)
SIZE_WH = (320, 180)
LENGTHS_S = (3.0, 12.0)
APART_S = 25
WINDOW_S = 60.0
DARK, BRIGHT = 60, 235

Event = tuple[int, int]
"""Its first frame, and the first one after it."""


@dataclass(frozen=True)
class Result:
    """One question: how many frames the draft and the answer are off, and what looking closer took."""

    before: int
    after: int
    looks: int
    frames: int
    unsure: bool


@dataclass
class Planner:
    """Looks once, drafts a place that is off, and reads what the frames show as they do.

    Args:
        event: The event asked about.
        drafted: The place as drafted, in seconds.
        duration_s: Length of the video.
    """

    event: Event
    drafted: tuple[float, float]
    duration_s: float
    planned: int = 0
    looks: int = 0
    frames: int = 0

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        match step_of(body):
            case "route":
                return routes("locate")
            case "plan":
                self.planned += 1
                return calls(self._look() if self.planned == 1 else self._answer())
            case "look":
                return self._seen(body)
            case "verify":
                return says(json.dumps({"why": "seen", "verdict": "supported", "confidence": 1}))
        return says(json.dumps({"answer": "The square is seen.", "choice": None, "confidence": 1}))

    @property
    def _middle_s(self) -> float:
        return sum(self.event) / 2 / FPS

    def _look(self) -> tuple[str, dict[str, Any]]:
        start_s = min(max(0.0, self._middle_s - WINDOW_S / 2), self.duration_s - WINDOW_S)
        return "clip", {
            "start_s": start_s,
            "end_s": start_s + WINDOW_S,
            "question": "When is the square seen?",
        }

    def _answer(self) -> tuple[str, dict[str, Any]]:
        start_s, end_s = self.drafted
        claim = {"text": "The square is seen.", "ledger": ["L1"], "time_s": self._middle_s}
        place = {"start_s": start_s, "end_s": end_s}
        return "answer", {"found": "yes", "answer": claim["text"], "claims": [claim], "spans": [place]}

    def _seen(self, body: dict[str, Any]) -> dict[str, Any]:
        frames = labelled_images(body)
        if "List a sighting for every frame" in str(block_of(body, "looking_for")):
            self.looks, self.frames = self.looks + 1, self.frames + len(frames)
        shown = [
            time_s
            for time_s, data in frames
            if jpeg.decode(data)[60:120, 130:190].mean() > (DARK + BRIGHT) / 2
        ]
        sightings = [{"time_s": time_s, "text": None, "box": None} for time_s in shown]
        return says(json.dumps({"found": bool(shown), "what": "", "sightings": sightings, "confidence": 1}))


def draw(path: Path, duration_s: int, rng: random.Random) -> list[Event]:
    """Write a video and return its events, none nearer to another than some seconds."""
    events = list[Event]()
    for start_s in range(5, duration_s - 15, max(APART_S, duration_s // 40)):
        first = round((start_s + rng.random()) * FPS)
        events.append((first, first + round(rng.uniform(*LENGTHS_S) * FPS)))
    shown = {number for first, after in events for number in range(first, after)}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "24", "g": "250"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        for number in range(duration_s * FPS):
            picture = np.full((SIZE_WH[1], SIZE_WH[0]), DARK, np.uint8)
            picture[150:, number % 300 : number % 300 + 20] = 160
            picture[60:120, 130:190] = BRIGHT if number in shown else DARK
            frame = av.VideoFrame.from_ndarray(
                np.pad(picture, ((0, 90), (0, 0)), constant_values=128), "yuv420p"
            )
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return events


def ask(path: Path, planner: Planner) -> Result:
    """Ask one question and compare its answer with the truth."""
    with ScriptedServer(planner) as server:
        found = vidagent.analyze_video(
            path, "When is the square seen?", base_url=server.url, model="scripted"
        )
    (span,) = found.spans
    return Result(
        before=_off(planner.drafted, planner.event),
        after=_off((span.start_s, span.end_s), planner.event),
        looks=planner.looks,
        frames=planner.frames,
        unsure="known" in found.answer,
    )


def _off(place: tuple[float, float], event: Event) -> int:
    return max(abs(round(time_s * FPS) - number) for time_s, number in zip(place, event, strict=True))


def _drafted(event: Event, off_s: float, duration_s: float, rng: random.Random) -> tuple[float, float]:
    middle_s = sum(event) / 2 / FPS
    start_s = min(event[0] / FPS + rng.uniform(-off_s, off_s), middle_s)
    end_s = max(event[1] / FPS + rng.uniform(-off_s, off_s), middle_s)
    return round(max(start_s, 0.0), 3), round(min(end_s, duration_s), 3)


def main() -> None:
    """Draw the videos, ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--questions", type=int, default=6, metavar="N", help="questions of each row")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the videos here and leave them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["VIDAGENT_CACHE_DIR"] = f"{scratch}/cache"
        print(
            "| video | drafts off by up to | frames a look | frames off before | after | looks | frames | unsure |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for duration_s in DURATIONS_S:
            rng = random.Random(duration_s)
            path = folder / f"squares_{duration_s}.mp4"
            events = draw(path, duration_s, rng)
            for off_s in OFF_S:
                for frames in FRAMES_A_LOOK:
                    profile = Path(scratch) / f"{frames}.toml"
                    profile.write_text(f'frames_per_call = {frames}\nwithout = ["shapes"]\n')
                    os.environ["VIDAGENT_PROFILE"] = str(profile)
                    chosen = [rng.choice(events) for _ in range(arguments.questions)]
                    results = [
                        ask(path, Planner(event, _drafted(event, off_s, duration_s, rng), duration_s))
                        for event in chosen
                    ]
                    _print(duration_s, off_s, frames, results)


def _print(duration_s: int, off_s: float, frames: int, results: list[Result]) -> None:
    before, after = [result.before for result in results], [result.after for result in results]
    cells = [
        "1 min" if duration_s == 60 else f"{duration_s // 3600} h",
        f"{off_s} s",
        str(frames),
        f"{median(before):.0f} (most {max(before)})",
        f"{median(after):.0f} (most {max(after)})",
        f"{median(result.looks for result in results):.0f}",
        f"{median(result.frames for result in results):.0f}",
        f"{sum(result.unsure for result in results)} of {len(results)}",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
