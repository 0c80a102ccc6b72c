"""Ask drawn videos with simulated observers: the agent, and one request with 32 evenly spaced frames.

    python -m benchmarks.observers --quick --json observers.json

Each drawn video carries its own truth in every frame, and the model that answers reads it from the pictures it is
sent, with the mistakes of its skill. So the table shows what the policy is worth, apart from what a real model sees.
A row sums up one skill, method, kind and length; calls, rounds, frames and prompt tokens are means a question.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.observers.billing import Billed
from benchmarks.observers.drawing import draw
from benchmarks.observers.model import SKILLS, Model
from benchmarks.observers.world import (
    FPS,
    IN_PARTS,
    KINDS,
    Mark,
    PartsMark,
    Question,
    World,
    make_world,
    mark,
    mark_parts,
    questions,
)
from tests.scripted_server import ScriptedServer
from vidagent import analyze_video
from vidagent.api import frames_of
from vidagent.errors import VideoError
from vidagent.evaluation.scoring import Prediction
from vidagent.types import Span, Status

METHODS = ("agent", "uniform-32")
UNIFORM_FRAMES = 32
LENGTHS_S = {10.0: 3, 60.0: 3, 1200.0: 2, 7200.0: 1}
"""Lengths, and how many worlds of each are drawn."""
QUICK_LENGTHS_S = {10.0: 2, 60.0: 2, 1200.0: 1}
QUICK_SKILLS = ("perfect", "literal", "forgetful-10", "inventive-5", "sloppy")
_DELAY_S = 1.0
"""Seconds of each reply: looks side by side are one round only if a reply takes longer than to decode the next look."""
_SHORT_S = 60.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class Task:
    """One question asked in one way."""

    skill: str
    method: str
    length_s: float
    seed: int
    kind: str


@dataclass(frozen=True)
class Done:
    """What came of a task."""

    task: Task
    mark: Mark
    calls: int
    rounds: int
    frames: int
    tokens: int
    wrong_labels: int
    broken: int
    answer: str
    truth: str
    parts: PartsMark | None = None


def ask(task: Task, folder: Path) -> Done:
    """Ask one question and judge the answer."""
    world = make_world(task.length_s, task.seed)
    question = next(question for question in questions(world) if question.kind == task.kind)
    model = Model(world, question, SKILLS[task.skill], task.seed)
    billed = Billed(model, _DELAY_S if task.method == "agent" else 0.0)
    asked = _agent if task.method == "agent" else _uniform
    answer, parts = asked(_path(world, folder), question, billed)
    return Done(
        task,
        mark(world, question, answer),
        billed.calls,
        billed.rounds,
        billed.frames,
        billed.tokens,
        model.wrong_labels,
        model.broken,
        f"{answer.status}: {answer.text}",
        _truth(world, question),
        mark_parts(world, question, parts) if task.kind in IN_PARTS else None,
    )


def rows(done: Sequence[Done]) -> Iterator[dict[str, Any]]:
    """Yield a row for each skill, method, kind and length."""
    groups: dict[tuple[str, str, str, float], list[Done]] = defaultdict(list)
    for one in done:
        groups[one.task.skill, one.task.method, one.task.kind, one.task.length_s].append(one)
    for (skill, method, kind, length_s), group in groups.items():
        yield {"skill": skill, "method": method, "kind": kind, "length_s": length_s, **_sums(group)}


def _sums(group: Sequence[Done]) -> dict[str, Any]:
    marks = [one.mark for one in group]
    counts: dict[str, Any] = {name: marks.count(name) for name in ("right", "wrong", "abstained")}
    for name in ("calls", "rounds", "frames", "tokens"):
        counts[name] = round(statistics.mean(getattr(one, name) for one in group), 1)
    return {"asked": len(group), **counts, **_parts_sums([one.parts for one in group if one.parts])}


def _parts_sums(marks: Sequence[PartsMark]) -> dict[str, Any]:
    """Return the share of true parts told, false parts told among all, and how far times are off."""
    if not marks:
        return {}
    told, false = sum(one.told for one in marks), sum(one.false for one in marks)
    return {
        "parts_told": round(told / max(1, sum(one.true for one in marks)), 3),
        "parts_false": round(false / max(1, told + false), 3),
        "off_s": round(statistics.mean(one.off_s for one in marks), 3),
    }


_Told = tuple[Prediction, list[tuple[float, float, str]]]
"""An answer, and its parts: start, end and text of each."""


def _agent(path: Path, question: Question, model: Billed) -> _Told:
    with ScriptedServer(model) as server:
        found = analyze_video(
            path, question.text, options=question.options, base_url=server.url, model="scripted"
        )
    return Prediction.of(found), [(part.start_s, part.end_s, part.text) for part in found.parts]


def _uniform(path: Path, question: Question, model: Billed) -> _Told:
    """Ask once, with frames in the middles of equal parts, and take the reply as it is."""
    length_s = _length_s(path)
    times = [float(t) for t in (np.arange(UNIFORM_FRAMES) + 0.5) * length_s / UNIFORM_FRAMES]
    seen = asyncio.run(frames_of(path, times))
    content: list[dict[str, Any]] = []
    for picture in seen.pictures:
        url = "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode()
        content.append({"type": "text", "text": f"t = {picture.time_s:.3f} s"})
        content.append({"type": "image_url", "image_url": {"url": url}})
    content.append({"type": "text", "text": question.text})
    reply = model({"messages": [{"role": "user", "content": content}]})
    told = json.loads(reply["choices"][0]["message"]["content"])
    spans: tuple[Span, ...] = ()
    if told.get("start_s") is not None:
        spans = (Span(told["start_s"], max(told["start_s"], told["end_s"])),)
    status: Status = "answered" if told["found"] else "not_found"
    parts = [(part["start_s"], part["end_s"], part["text"]) for part in told.get("parts", [])]
    return Prediction(status, told["answer"], told.get("choice"), spans, told.get("count")), parts


def _truth(world: World, question: Question) -> str:
    thing = world.thing(question.things[0])
    if question.choice is not None and question.options:
        return question.options[question.choice]
    return (
        f"{thing.name} {thing.text}".strip()
        + " at "
        + ", ".join(f"{span.start_s:.1f}-{span.end_s:.1f}" for span in thing.spans)
    )


def _path(world: World, folder: Path) -> Path:
    return folder / f"world-{world.length_s:g}-{world.seed}.mp4"


def _length_s(path: Path) -> float:
    return float(path.stem.split("-")[1])


def _draw(length_s: float, seed: int, folder: Path) -> None:
    world = make_world(length_s, seed)
    draw(world, _path(world, folder))


def _tasks(skills: Sequence[str], lengths: dict[float, int], kinds: Sequence[str]) -> list[Task]:
    """Return all tasks, those about one video together, as they share its index."""
    return [
        Task(skill, method, length_s, seed, kind)
        for length_s, worlds in lengths.items()
        for seed in range(worlds)
        for skill in skills
        for method in METHODS
        for kind in kinds
    ]


def _worker(tasks: Sequence[Task], folder: Path) -> list[Done]:
    return [_ask_again(task, folder) for task in tasks]


def _ask_again(task: Task, folder: Path) -> Done:
    """Ask, and again where a busy machine did not open the video in time."""
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(VideoError):
            return ask(task, folder)
    return ask(task, folder)


def _table(done: Sequence[Done]) -> Iterator[str]:
    """Yield the sums by skill, method and length, then those by kind for the perfect observer."""
    yield "| skill | method | length | asked | right | wrong | abstained | calls | rounds | frames | tokens |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    by_length: dict[tuple[str, str, str], list[Done]] = defaultdict(list)
    for one in done:
        by_length[one.task.skill, one.task.method, f"{one.task.length_s:g} s"].append(one)
    for one in done:
        if one.task.skill == "perfect":
            by_length[one.task.skill, one.task.method, one.task.kind].append(one)
    for (skill, method, length), group in by_length.items():
        sums = _sums(group)
        cells = [sums[name] for name in ("asked", "right", "wrong", "abstained")]
        means = [f"{sums[name]:,.0f}" for name in ("calls", "rounds", "frames", "tokens")]
        yield "| " + " | ".join(map(str, (skill, method, length, *cells, *means))) + " |"
    yield from _parts_table(done)
    yield from _short_lines(done)


def _short_lines(done: Sequence[Done]) -> Iterator[str]:
    """Yield what the agent took for questions about short videos that the same observer answers from 32 frames."""
    by_task = {one.task: one for one in done}
    for skill in dict.fromkeys(one.task.skill for one in done):
        pairs = [
            (agent, one)
            for one in done
            if one.task.skill == skill and one.task.method == "uniform-32" and one.mark == "right"
            if one.task.length_s <= _SHORT_S
            if (agent := by_task.get(dataclasses.replace(one.task, method="agent"))) is not None
        ]
        for length_s in sorted({one.task.length_s for _, one in pairs}):
            own = [pair for pair in pairs if pair[1].task.length_s == length_s]
            calls = [agent.calls for agent, _ in own]
            times = statistics.median(agent.tokens / one.tokens for agent, one in own)
            right = sum(agent.mark == "right" for agent, _ in own)
            yield (
                f"\n{skill}, {length_s:g} s: of {len(own)} questions that 32 frames answer, {right} right; "
                f"calls: median {statistics.median(calls):g}, most {max(calls)}; tokens: median {times:.2f} times"
            )


def _parts_table(done: Sequence[Done]) -> Iterator[str]:
    """Yield how good answers in parts are, by skill, method, kind and length."""
    groups: dict[tuple[str, ...], list[Done]] = defaultdict(list)
    for one in done:
        if one.parts is not None:
            task = one.task
            groups[task.skill, task.method, task.kind, f"{task.length_s:g} s"].append(one)
    if groups:
        yield "\n| skill | method | kind | length | true parts told | false parts | times off | calls |"
        yield "|---|---|---|---|---|---|---|---|"
    for names, group in groups.items():
        sums = _sums(group)
        cells = (
            f"{sums['parts_told']:.0%}",
            f"{sums['parts_false']:.1%}",
            f"{sums['off_s']:.2f} s",
            sums["calls"],
        )
        yield "| " + " | ".join(map(str, (*names, *cells))) + " |"


def main() -> None:
    """Draw, ask, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer worlds and skills: ten minutes on two cores"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    parser.add_argument("--skill", action="append", choices=list(SKILLS), help="only this skill (repeatable)")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind (repeatable)")
    parser.add_argument(
        "--length", action="append", type=float, help="only this length, in seconds (repeatable)"
    )
    parser.add_argument("--worlds", type=int, help="most worlds of each length")
    parser.add_argument("--failures", action="store_true", help="also list the answers that were not right")
    parser.add_argument(
        "--videos", type=Path, help="where drawn videos are kept; default: a folder for this run"
    )
    given = parser.parse_args()
    lengths = QUICK_LENGTHS_S if given.quick else LENGTHS_S
    if given.length:
        lengths = {length: LENGTHS_S.get(length, 1) for length in given.length}
    lengths = {length: min(worlds, given.worlds or worlds) for length, worlds in lengths.items()}
    skills = given.skill or (QUICK_SKILLS if given.quick else tuple(SKILLS))
    tasks = _tasks(skills, lengths, given.kind or KINDS)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"VIDAGENT_CACHE_DIR": folder, "VIDAGENT_PROBE_SERVER": "false"}
        videos = given.videos or Path(folder)
        videos.mkdir(parents=True, exist_ok=True)
        done = _run(tasks, lengths, videos)
    found = list(rows(done))
    print("\n".join(_table(done)))
    wrong, broken = sum(one.wrong_labels for one in done), sum(one.broken for one in done)
    print(f"\npictures with the time of another frame: {wrong}; pictures of no frame: {broken}")
    if given.failures:
        for one in done:
            if one.mark != "right":
                print(f"{one.task}: {one.mark}; {one.answer!r}; truth: {one.truth}")
    print(
        f"{len(done)} questions in {time.monotonic() - start:.0f} s; {os.cpu_count()} cores, "
        f"{platform.machine()}, Python {platform.python_version()}, vidagent {version('vidagent')}, {FPS} fps"
    )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def _run(tasks: Sequence[Task], lengths: dict[float, int], folder: Path) -> list[Done]:
    groups: dict[tuple[float, int, str], list[Task]] = defaultdict(list)
    for task in tasks:
        groups[task.length_s, task.seed, task.skill].append(task)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        drawn = [
            pool.submit(_draw, length_s, seed, folder)
            for length_s, worlds in sorted(lengths.items(), reverse=True)
            for seed in range(worlds)
        ]
        for waited in drawn:
            waited.result()
        done: list[Done] = []
        for place, part in enumerate([pool.submit(_worker, group, folder) for group in groups.values()], 1):
            done += part.result()
            print(f"{place} of {len(groups)} groups", file=sys.stderr, flush=True)
    return done


if __name__ == "__main__":
    main()
