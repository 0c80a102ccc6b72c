"""Hidden events in long videos: the agent against evenly chosen frames, and against itself less one part.

`python -m benchmarks.needle --out FOLDER --durations 60,300 --seeds 1,2 --methods agent,uniform` draws each video, asks
every question about it in every way, and writes `answers.jsonl`, `table.md`, `table.json` and plots to the folder. What
stands in `answers.jsonl` is not asked again, so that a run that was ended goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.needle_marks import Marked, mark
from benchmarks.needle_methods import BASELINES, METHODS, Said, ask
from benchmarks.needle_plots import plot
from benchmarks.needle_tables import spoken, tables, to_json
from benchmarks.needle_videos import SETS, Question, draw
from vidagent.api import index_video


class Record:
    """The answers so far, a line of JSON each, and how long indexing took.

    Args:
        path: The file; it is made where there is none.
    """

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line that was cut off is left out."""
        self._path = path
        self.answers: dict[tuple[str, float, int, str, str], Marked] = {}
        self.scans: dict[str, float] = {}
        for line in path.read_text("utf-8").splitlines() if path.exists() else []:
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            self._take(row)

    def add(self, hidden: str, marked: Marked) -> None:
        """Keep an answer."""
        self._write({"hidden": hidden, **asdict(marked)})

    def add_scan(self, name: str, seconds: float) -> None:
        """Keep how long the index of a video took to build."""
        self._write({"scan": name, "seconds": seconds})

    def _write(self, row: dict[str, Any]) -> None:
        self._take(row)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _take(self, row: dict[str, Any]) -> None:
        if "scan" in row:
            self.scans.setdefault(row["scan"], row["seconds"])
            return
        fields = {key: value for key, value in row.items() if key not in {"hidden", "question", "said"}}
        question, said = Question(**row["question"]), Said(**row["said"])
        fields["mark"], fields["off_frames"] = mark(question, said)
        marked = Marked(question=question, said=said, **fields)
        key = (row["hidden"], marked.duration_s, marked.seed, marked.method, question.id)
        self.answers[key] = marked


def _ask_all(record: Record, given: argparse.Namespace, duration_s: float, seed: int) -> Iterator[Marked]:
    """Draw a video, index it, and ask what has not been asked."""
    name = f"{given.hidden} {spoken(duration_s)} seed {seed}"
    video = given.out / f"{name.replace(' ', '_')}.mp4"
    questions = draw(
        video,
        given.out / "scenes",
        duration_s=duration_s,
        seed=seed,
        hidden=given.hidden,
        absent=given.absent,
    )
    began = time.perf_counter()
    index_video(video)
    if name not in record.scans:
        record.add_scan(name, time.perf_counter() - began)
    for question in (question for question in questions if question.id.startswith(given.only)):
        for method in given.methods:
            place = (given.hidden, duration_s, seed)
            if (*place, method, question.id) in record.answers:
                continue
            agent = record.answers.get((*place, "agent", question.id))
            said = ask(method, video, question, None if agent is None else agent.said)
            marked = Marked(duration_s, seed, method, question, said, *mark(question, said))
            record.add(given.hidden, marked)
            yield marked
    if not given.keep:
        video.unlink()


def _line(marked: Marked) -> str:
    off = "" if marked.off_frames is None else f", {marked.off_frames:g} frames off"
    said, where = marked.said, f"{spoken(marked.duration_s)} seed {marked.seed}"
    cost = f"{said.frames} frames, {said.seconds:.1f} s"
    return f"{where} {marked.question.id} {marked.method}: {marked.mark}{off} ({cost})"


def _report(record: Record, folder: Path) -> None:
    answers = list(record.answers.values())
    (folder / "table.md").write_text(tables(answers, record.scans), "utf-8")
    (folder / "table.json").write_text(json.dumps(to_json(answers, record.scans), indent=1) + "\n", "utf-8")
    plot(answers, folder)


def _given() -> argparse.Namespace:
    def numbers(text: str) -> list[float]:
        return [float(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the results; its cache is there, too"
    )
    parser.add_argument("--durations", type=numbers, default=[60.0, 300.0], help="seconds, such as 60,7200")
    parser.add_argument("--seeds", type=numbers, default=[1.0], help="whole numbers, such as 1,2,3")
    parser.add_argument("--methods", default=",".join(METHODS), help=f"of {', '.join(METHODS)}")
    parser.add_argument("--hidden", choices=list(SETS), default="mixed", help="what is hidden in a video")
    parser.add_argument("--absent", type=int, default=0, help="more questions about texts that are not there")
    parser.add_argument(
        "--only", default="", help="ask only questions whose names begin so, such as more-absent"
    )
    parser.add_argument("--keep", action="store_true", help="keep the videos")
    parser.add_argument("--report", action="store_true", help="only write the tables and plots anew")
    given = parser.parse_args()
    given.methods = given.methods.split(",")
    unknown = [method for method in given.methods if method not in METHODS]
    if unknown:
        parser.error(f"no method {', '.join(unknown)}; there are {', '.join(METHODS)}")
    if "agent" not in given.methods and set(BASELINES) & set(given.methods):
        print("baselines take as many frames as the agent did: it must have been asked before")
    return given


def main() -> None:
    """Ask, and write the tables and plots after each video."""
    given = _given()
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ["VIDAGENT_CACHE_DIR"] = str(given.out / "cache")
    record = Record(given.out / "answers.jsonl")
    for duration_s in given.durations if not given.report else []:
        for seed in map(int, given.seeds):
            for marked in _ask_all(record, given, duration_s, seed):
                print(_line(marked), flush=True)
            _report(record, given.out)
    _report(record, given.out)
    print((given.out / "table.md").read_text("utf-8"))


if __name__ == "__main__":
    main()
