"""What a follow-up costs: texts of 0.4 s hidden in hours, each asked for in a session of its own, then asked about.

The first question pays for the search; the follow-ups go on from what it saw. The embedded model answers all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.needle_videos import Question, draw
from vidagent import analyze_video
from vidagent.api import index_video
from vidagent.types import Answer
from vidagent.video.texts.reader import shared_reader

_FRAME_S = 0.04
_TEXTS = 10
"""Texts in a video of the set `brief`."""

Judge = Callable[[Answer, Question, Question], bool]
"""Tells whether an answer is right, given the text of the session and the other one."""


@dataclass(frozen=True)
class Asked:
    """One question that was asked.

    Args:
        form: The question, texts left out.
        right: Whether the answer is right.
        frames: Frames sent for it.
        share: The same as a share of those of the session's first question.
        seconds: How long it took.
        told: The answer in words.
    """

    form: str
    right: bool
    frames: int
    share: float
    seconds: float
    told: str


def _is_at(answer: Answer, start_s: float | None, end_s: float | None) -> bool:
    bounds = (start_s or 0.0, end_s or 0.0)
    return len(answer.spans) == 1 and all(
        abs(one - other) < _FRAME_S / 2
        for one, other in zip((answer.spans[0].start_s, answer.spans[0].end_s), bounds, strict=True)
    )


def _text_of(question: Question) -> str:
    return question.text.split('"')[1]


def _honest(answer: Answer, _one: Question, _other: Question) -> bool:
    """Take a text, a cut, or plainly neither; the drawn video hides nothing else next to a text."""
    return answer.status == "not_found" or "a new shot begins" in answer.answer


FORMS: tuple[tuple[str, Judge], ...] = (
    ("how long is it shown?", lambda a, q, _: _is_at(a, q.start_s, q.end_s) and "0.400 s" in a.answer),
    ("when does it disappear?", lambda a, q, _: abs(a.spans[0].start_s - (q.end_s or 0.0)) < _FRAME_S / 2),
    ("what does it say?", lambda a, q, _: a.answer == _text_of(q)),
    ("where is it?", lambda a, q, _: _is_at(a, q.start_s, q.end_s) and "(" in a.answer),
    ("and right after that?", _honest),
    ('and "ANOTHER TEXT"?', lambda a, _, other: _is_at(a, other.start_s, other.end_s)),
    ("and right before that?", _honest),
    ("is it there again later?", lambda a, _, __: a.status == "not_found"),
)
"""Follow-ups in the order they are asked; the last two are about the other text, and the last is a new search."""


def session(video: Path, one: Question, other: Question, name: str) -> Iterator[Asked]:
    """Ask for one text, then the follow-ups, and yield what came of each."""
    shared_reader.cache_clear()  # else frames read in an earlier session would cost no time in this one
    first, seconds = _ask(video, one.text, name)
    sent = first.usage.frames_sent
    right = _is_at(first, one.start_s, one.end_s)
    yield Asked('When does the text "…" appear?', right, sent, 1.0, seconds, first.answer)
    for form, judge in FORMS:
        answer, seconds = _ask(video, form.replace("ANOTHER TEXT", _text_of(other)), name)
        frames = answer.usage.frames_sent
        right = bool(answer.spans or answer.status == "not_found") and judge(answer, one, other)
        yield Asked(form, right, frames, frames / sent, seconds, answer.answer)


def _ask(video: Path, question: str, name: str) -> tuple[Answer, float]:
    began = time.perf_counter()
    answer = analyze_video(video, question, model="signals", session=name)
    return answer, time.perf_counter() - began


def rows(asked: Sequence[Asked]) -> Iterator[str]:
    """Yield the lines of the table: a row for each form of question."""
    yield "| question | right | frames, median | most | share of the first's, most | s, median |"
    yield "|---|---|---|---|---|---|"
    for form in dict.fromkeys(one.form for one in asked):
        these = [one for one in asked if one.form == form]
        frames = [one.frames for one in these]
        yield (
            f"| {form} | {sum(one.right for one in these)} of {len(these)} | {statistics.median(frames):g} | "
            f"{max(frames)} | {max(one.share for one in these):.0%} | "
            f"{statistics.median(one.seconds for one in these):.1f} |"
        )


def main() -> None:
    """Draw the video, ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument(
        "--sessions", type=int, default=5, help="texts asked for, each in a session of its own"
    )
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--folder", type=Path, help="keeps the video and the index for the next time")
    given = parser.parse_args()
    if not 1 <= given.sessions <= _TEXTS:
        parser.error(f"--sessions must be 1 to {_TEXTS}, got {given.sessions}")
    with tempfile.TemporaryDirectory(prefix="follow-ups-") as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["VIDAGENT_CACHE_DIR"] = str(folder / "cache")
        video = folder / f"brief-{given.hours:g}h-{given.seed}.mp4"
        texts = draw(
            video, folder / "scenes", duration_s=given.hours * 3600, seed=given.seed, hidden="brief"
        )[:_TEXTS]
        began = time.perf_counter()
        index_video(video)
        print(f"index: {time.perf_counter() - began:.0f} s", flush=True)
        asked: list[Asked] = []
        for number in range(given.sessions):
            other = texts[(number + 1) % _TEXTS]
            for one in session(video, texts[number], other, f"follow-ups-{time.time_ns()}"):
                print(
                    f"{one.right!s:<5} {one.frames:4} {one.seconds:6.1f} s  {one.form}  {one.told}",
                    flush=True,
                )
                asked.append(one)
    print("\n".join(rows(asked)))


if __name__ == "__main__":
    main()
