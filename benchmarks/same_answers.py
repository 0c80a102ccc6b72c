"""Ask a fixed list of questions and write down each answer, so that two states of the code can be compared.

    python -m benchmarks.same_answers VIDEOS --out before.jsonl
    python -m benchmarks.same_answers VIDEOS --out after.jsonl --against before.jsonl

The embedded model is asked about the real videos. A scripted server, whose observer sees a thing in set stretches of
time, plays one question of each kind that code adds looks to: edges, counts, before and after, an absence, a veto.
The cache is fresh in every run, so that no answer depends on what was indexed before.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.scripted_server import ScriptedServer, labelled_images, routes, says, step_of
from vidagent import Answer, analyze_video

ITEMS = (
    "gnome_launch-1 gnome_launch-3 gnome_launch-4 gnome_launch-5 gnome_launch-7 compliment_bot-1 compliment_bot-2 "
    "compliment_bot-3 compliment_bot-4 compliment_bot-5 claymation-3 claymation-4 claymation-7 cups-5 dashcam-4 "
    "greenwall_man-5 long_dev-8 long_dev-9"
).split()
QUESTIONS = [
    ("claymation.mp4", "How many cuts are there?"),
    ("dashcam.mp4", "How many cuts are there?"),
    ("cups.mp4", "When does something move?"),
    ("gnome_launch.webm", "Which texts can be read after 20 s?"),
    ("bottles.mp4", "Is there a QR code?"),
    ("squats.mp4", "What is written at 0:05?"),
]


class Seen(Script):
    """A scripted model whose observer sees the thing in frames of set stretches."""

    spans: tuple[tuple[float, float], ...] = ()

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        if step_of(body) != "look":
            return super().__call__(body)
        shown = [time_s for time_s, _ in labelled_images(body)]
        times = [t for t in shown if any(start <= t < end for start, end in self.spans)]
        return says(
            observation(found=bool(times), times=times, what="The thing." if times else "No such thing.")
        )


def scripts() -> Iterator[tuple[str, str, Seen]]:
    """Yield a name, a video and a script for each kind."""
    claim = {"text": "The thing is seen.", "ledger": ["L1"], "time_s": 5.0}
    here = answer(answer="The thing is seen.", claims=[claim], spans=[{"start_s": 4.0, "end_s": 6.0}])
    no = answer(found="no", answer="There is no such thing.", claims=[], spans=[])
    look = clip_look(3, 8)
    for name, video, turns, spans, kind in (
        ("edges", "bottles.mp4", ([look], [here]), ((4.2, 6.3),), {"kind": "locate"}),
        ("count", "cups.mp4", ([here],), ((2.0, 3.0), (6.0, 7.5), (9.0, 9.4)), {"kind": "count"}),
        (
            "order",
            "dashcam.mp4",
            ([look], [here]),
            ((4.2, 6.3),),
            {"kind": "order", "anchor": "it", "side": "after"},
        ),
        ("absent", "long_dev.mp4", ([no],), (), {"kind": "whether"}),
        ("found late", "long_dev.mp4", ([no], [here]), ((300.0, 330.0),), {"kind": "whether"}),
    ):
        script = Seen(*turns, route=routes(thing="the thing", **kind))
        script.spans = spans
        yield name, video, script
    vetoed = Seen([look], [here], verdicts=("unsupported", "supported"))
    vetoed.spans = ((4.2, 6.3),)
    yield "veto", "squats.mp4", vetoed


def kept(name: str, found: Answer) -> dict[str, Any]:
    """Return what has to stay the same."""
    usage = found.usage
    return {
        "name": name,
        "status": found.status,
        "answer": found.answer,
        "choice": found.choice,
        "count": found.count,
        "confidence": found.confidence,
        "spans": [[round(span.start_s, 3), round(span.end_s, 3)] for span in found.spans],
        "claims": [[round(e.time_s, 3), e.claim, e.verdict] for e in found.evidence],
        "frames_sent": usage.frames_sent,
        "frames_decoded": usage.frames_decoded,
        "model_calls": usage.model_calls,
        "prompt_tokens": usage.prompt_tokens,
    }


def runs(folder: Path) -> Iterator[dict[str, Any]]:
    """Ask every question, and yield what came of it."""
    items = {
        item["id"]: item for item in map(json.loads, (folder / "items.jsonl").read_text("utf-8").splitlines())
    }
    for name in ITEMS:
        item = items[name]
        found = analyze_video(
            folder / item["video"], item["question"], options=item["options"], model="signals"
        )
        yield kept(name, found)
    for video, question in QUESTIONS:
        yield kept(f"{video}: {question}", analyze_video(folder / video, question, model="signals"))
    for name, video, script in scripts():
        with ScriptedServer(script) as server:
            found = analyze_video(folder / video, "What of the thing?", base_url=server.url, model="scripted")
        yield kept(f"scripted: {name}", found)


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return a line for each field that differs; the time it took is no difference."""
    lines = []
    for key in before:
        old, new = [re.sub(r"run \w+", "run", str(side[key])) for side in (before, after)]
        if old != new:
            lines.append(f"  {key}: {old} -> {new}")
    return lines


def main() -> None:
    """Write the answers, and compare them with earlier ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of the videos and items.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="where the answers go, as JSON lines")
    parser.add_argument("--against", type=Path, help="earlier answers to compare with")
    given = parser.parse_args()
    earlier = {}
    if given.against:
        earlier = {
            line["name"]: line for line in map(json.loads, given.against.read_text("utf-8").splitlines())
        }
    asked = same = 0
    with tempfile.TemporaryDirectory() as cache, given.out.open("w", encoding="utf-8") as out:
        os.environ["VIDAGENT_CACHE_DIR"] = cache
        for line in runs(given.folder):
            out.write(json.dumps(line) + "\n")
            out.flush()
            found = differences(earlier[line["name"]], line) if line["name"] in earlier else []
            asked, same = asked + 1, same + (not found and line["name"] in earlier)
            print("\n".join([f"{line['name']}: {line['status']}", *found]), flush=True)
    print(f"{asked} asked" + (f", {same} the same as before" if earlier else ""))


if __name__ == "__main__":
    main()
