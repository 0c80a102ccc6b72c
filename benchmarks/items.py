"""Ask every verified question about the real videos through the command line, and mark the answers.

An instant is right within its tolerance of the true range; an interval when both edges are; a text when it holds
the true one, case, punctuation and spaces aside; a choice or a count when it is the true one; an absent thing when
the answer is that it was not found. A question that the model says it cannot judge counts as abstained.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidagent.evaluation import scoring
from vidagent.evaluation.formats.own import truth_of
from vidagent.evaluation.scoring import Mark, Prediction


@dataclass(frozen=True)
class Marked:
    """One question, its answer and its mark."""

    item: dict[str, Any]
    answer: dict[str, Any]
    mark: Mark
    off_frames: float | None
    seconds: float


def ask(item: dict[str, Any], folder: Path, extra: list[str]) -> tuple[dict[str, Any], float]:
    """Ask one question through `vidagent ask --json`."""
    command = [sys.executable, "-m", "vidagent", "ask", str(folder / item["video"]), item["question"]]
    for option in item["options"] or []:
        command += ["--option", option]
    start = time.perf_counter()
    done = subprocess.run([*command, "--json", "-q", *extra], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode not in {0, 5}:
        return {"status": "error", "answer": done.stderr.strip(), "spans": [], "confidence": 0}, seconds
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer, seconds


def mark(item: dict[str, Any], answer: dict[str, Any]) -> tuple[Mark, float | None]:
    """Mark an answer as `vidagent eval` does; for times, also return how many frames it is off."""
    if answer["status"] == "error":
        return "error", None
    marked = scoring.mark(truth_of(item), Prediction.read(answer))
    if marked.off_s is None:
        return marked.mark, None
    numerator, denominator = map(int, answer["video"]["fps"].split("/"))
    return marked.mark, marked.off_s * numerator / denominator


def main() -> None:
    """Print the table, and the sums by kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the videos and items.jsonl")
    parser.add_argument("--only", default="", help="ask only items whose id starts with this")
    parser.add_argument("--kind", action="append", default=[], help="ask only items of this kind")
    parser.add_argument("--out", type=Path, help="also write the marked answers as JSON lines")
    given, extra = parser.parse_known_args()
    lines = (given.folder / "items.jsonl").read_text("utf-8").splitlines()
    items = [item for item in map(json.loads, lines) if item["id"].startswith(given.only)]
    items = [item for item in items if not given.kind or item["kind"] in given.kind]
    print("| item | kind | mark | answer | truth | frames off | frames sent | s |")
    print("|---|---|---|---|---|---|---|---|")
    done = []
    for item in items:
        answer, seconds = ask(item, given.folder, extra or ["--model", "signals"])
        marked = Marked(item, answer, *mark(item, answer), seconds)
        done.append(marked)
        print(_row(marked), flush=True)
    print("\n" + "\n".join(_sums(done)))
    if given.out:
        rows = [json.dumps({"item": m.item, "answer": m.answer, "mark": m.mark}) for m in done]
        given.out.write_text("\n".join(rows) + "\n", "utf-8")


def _row(marked: Marked) -> str:
    item, answer = marked.item, marked.answer
    said = answer["answer"].replace("|", "/").replace("\n", " ")
    said = "(cannot judge)" if "cannot judge" in said else said[:110]
    off = "" if marked.off_frames is None else f"{marked.off_frames:.1f}"
    sent = answer.get("usage", {}).get("frames_sent", "")
    cells = [item["id"], item["kind"], marked.mark, said, item["answer"], off, sent, f"{marked.seconds:.1f}"]
    return "| " + " | ".join(map(str, cells)) + " |"


def _sums(done: list[Marked]) -> list[str]:
    sums = Counter(marked.mark for marked in done)
    lines = [f"all: {len(done)} asked, " + ", ".join(f"{count} {name}" for name, count in sums.most_common())]
    for field in ("kind", "split"):
        for value in dict.fromkeys(marked.item[field] for marked in done):
            part = Counter(marked.mark for marked in done if marked.item[field] == value)
            told = ", ".join(f"{count} {name}" for name, count in part.most_common())
            lines.append(f"{field} {value}: {told}")
    return lines


if __name__ == "__main__":
    main()
