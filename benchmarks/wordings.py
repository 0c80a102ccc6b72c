"""Questions in natural wordings to the embedded model: right, wrong, cannot judge, and what they cost.

`python -m benchmarks.wordings --out FOLDER --videos DIR` draws its own videos into the folder, asks every question of
`benchmarks/data/wordings.jsonl` and `benchmarks/data/wordings_later.jsonl` (written after the code, by others), and
prints a table. `--questions FILE` asks those of another file instead, such as what ordinary people ask in four
languages, `benchmarks/data/wordings_ordinary.jsonl`.

Each line of those files is `{"video", "question", "kind", "right"}`; `kind` is `text` for questions about text that
can be read. `right` is what a right answer holds: `says` (texts, of which one is enough, case and punctuation aside),
`spans` (`[[start_s, end_s], …]`, each within `within_s` of one of the answer's), `count`, `status`. A question that
only a vision-language model can answer has the status `cannot_judge`; an answer to it is wrong. The ordinary ones have
also `language` and `from`: what they could be answered from without such a model (`text`, `subtitles`, `cuts`,
`movement`, `colours`, `facts`), or null. For them shares are printed, too: an answer is useful if it is right, and says
more than that it cannot judge.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vidagent
from benchmarks import wordings_later_videos, wordings_videos
from benchmarks.cpu_time import cpu_s
from vidagent.types import Answer
from vidagent.video.texts.track import plain

DATA = Path(__file__).parent / "data"
FILES = (DATA / "wordings.jsonl", DATA / "wordings_later.jsonl")
DRAWN: dict[str, Callable[[Path], None]] = {
    **dict.fromkeys(wordings_videos.DRAWN, wordings_videos.draw),
    **dict.fromkeys(wordings_later_videos.DRAWN, wordings_later_videos.draw),
}
_WITHIN_S = 0.3
_SURE = 0.5


@dataclass(frozen=True)
class Asked:
    """A question, what became of it (`right`, `wrong`, `unjudged` or `error`), and its CPU seconds."""

    row: dict[str, Any]
    mark: str
    words: str
    confidence: float
    cpu_s: float

    @property
    def useful(self) -> bool:
        """Whether it was answered rightly, other than by not judging."""
        return self.mark == "right" and self.row["right"].get("status") != "cannot_judge"

    @property
    def sure(self) -> bool:
        """Whether it was answered wrongly, and surely."""
        return self.mark == "wrong" and self.confidence > _SURE


def questions(files: Sequence[Path] = FILES) -> list[dict[str, Any]]:
    """Return the questions of the data files."""
    return [
        json.loads(line) for path in files for line in path.read_text("utf-8").splitlines() if line.strip()
    ]


def mark(right: dict[str, Any], answer: Answer) -> str:
    """Mark an answer: one that claims nothing is `unjudged`, unless that is what is right."""
    if "status" in right:
        return "right" if answer.status == right["status"] else _other(right, answer)
    if answer.status == "cannot_judge":
        return "unjudged"
    if "count" in right and answer.count != right["count"]:
        return "wrong"
    if "says" in right and not any(plain(text) in plain(answer.answer) for text in right["says"]):
        return "wrong"
    if "spans" in right and not _placed(right, answer):
        return "wrong"
    return "right"


def _other(right: dict[str, Any], answer: Answer) -> str:
    """Mark an answer of another status than the right one: not to judge, or not to find, claims nothing false."""
    if answer.status == "cannot_judge":
        return "unjudged"
    return "unjudged" if right["status"] == "cannot_judge" and answer.status == "not_found" else "wrong"


def _placed(right: dict[str, Any], answer: Answer) -> bool:
    within_s = right.get("within_s", _WITHIN_S)
    return all(
        any(
            abs(span.start_s - start_s) <= within_s and abs(span.end_s - end_s) <= within_s
            for span in answer.spans
        )
        for start_s, end_s in right["spans"]
    )


def ask(row: dict[str, Any], folder: Path, videos: Path) -> Asked:
    """Ask one question."""
    path = folder / row["video"] if row["video"] in DRAWN else videos / row["video"]
    began = cpu_s()
    try:
        answer = vidagent.analyze_video(path, row["question"], model="signals")
    except vidagent.VidagentError as error:
        return Asked(row, "error", str(error), 0.0, cpu_s() - began)
    return Asked(row, mark(row["right"], answer), answer.answer, answer.confidence, cpu_s() - began)


def summary(done: list[Asked]) -> list[str]:
    """Return a table by kind, and what all of them cost."""
    lines = [
        "| kind | asked | right | wrong | wrong and sure | cannot judge | errors |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in [*sorted({one.row["kind"] for one in done}), "all"]:
        part = [one for one in done if kind in {one.row["kind"], "all"}]
        sums = Counter(one.mark for one in part)
        sure = sum(one.sure for one in part)
        cells = [kind, len(part), sums["right"], sums["wrong"], sure, sums["unjudged"], sums["error"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    spent = sorted(one.cpu_s for one in done)
    lines.append(f"CPU seconds a question: median {spent[len(spent) // 2]:.1f}, most {spent[-1]:.1f}")
    return lines


def shares(done: list[Asked]) -> list[str]:
    """Return a table of shares: by language, by whether a question can be answered without a model, and of all."""
    groups: dict[str, list[Asked]] = {}
    for one in done:
        answerable = "answerable without a model" if one.row["from"] else "needs a model"
        for group in (one.row["language"], answerable, "all"):
            groups.setdefault(group, []).append(one)
    lines = ["| questions | asked | useful | wrong | wrong and sure |", "|---|---|---|---|---|"]
    for group in sorted(groups, key=lambda name: (name == "all", len(name), name)):
        part = groups[group]
        marks = (
            [one.useful for one in part],
            [one.mark == "wrong" for one in part],
            [one.sure for one in part],
        )
        cells = [f"{sum(each) / len(part):.0%}" for each in marks]
        lines.append("| " + " | ".join([group, str(len(part)), *cells]) + " |")
    return lines


def main() -> None:
    """Print each question that was not answered rightly, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the drawn videos and the cache")
    parser.add_argument("--videos", type=Path, help="folder of the real videos; without it they are left out")
    parser.add_argument("--only", default="", help="ask only about videos whose names begin so")
    parser.add_argument(
        "--questions",
        type=Path,
        action="append",
        metavar="FILE",
        help="ask the questions of this file instead",
    )
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ["VIDAGENT_CACHE_DIR"] = str(given.out / f"cache-{time.time_ns()}")
    rows = questions(given.questions or FILES)
    for name in sorted({row["video"] for row in rows} & set(DRAWN)):
        if name.startswith(given.only):
            DRAWN[name](given.out / name)
    done = []
    for row in rows:
        there = row["video"] in DRAWN or given.videos is not None
        if there and row["video"].startswith(given.only):
            one = ask(row, given.out, given.videos or given.out)
            done.append(one)
            if one.mark != "right":
                print(
                    f"{one.mark} ({one.confidence:.2f}) {row['video']}: {row['question']}\n    {one.words[:200]!r}",
                    flush=True,
                )
    print("\n".join(summary(done)))
    ordinary = [one for one in done if "language" in one.row]
    if ordinary:
        print("\n".join(shares(ordinary)))


if __name__ == "__main__":
    main()
