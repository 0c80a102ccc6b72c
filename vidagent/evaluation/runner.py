"""Asks the remaining questions of a benchmark in each mode, several at a time, and writes each result at once."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vidagent.agents.client.client import ModelClient
from vidagent.agents.server.connection import ServerError
from vidagent.config import Settings
from vidagent.errors import UsageError, VidagentError
from vidagent.evaluation.formats.item import Item
from vidagent.evaluation.result_log import Log
from vidagent.evaluation.scoring import Marked, Prediction, mark
from vidagent.evaluation.uniform_baseline import ask_directly
from vidagent.evaluation.workers import side_by_side
from vidagent.types import Budget, Question, StepUsage, Usage

Mode = Literal["direct", "agent"]
MODES: tuple[Mode, ...] = ("direct", "agent")
COSTS = ("seconds", "model_calls", "prompt_tokens", "completion_tokens", "thinking_tokens", "frames_sent")
"""Costs of a question in each line of the results."""
_FATAL = frozenset({None, 401, 403, 404})
"""HTTP statuses after which every other question would fail too; None is no response."""


@dataclass(frozen=True, slots=True)
class Task:
    """A question to ask in one mode."""

    item: Item
    path: Path
    mode: Mode


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks questions in both modes, with equal frames.

    Directly the model gets `frames` frames in one call. The agent may show it `frames` in all its calls together, a
    picture shown twice counted twice, as a budget that code keeps.

    Args:
        benchmark: The benchmark's name.
        client: The model.
        settings: Its server, and how videos are read.
        budget: What a question may cost beside frames.
        frames: Frames of each question.
    """

    benchmark: str
    client: ModelClient
    settings: Settings
    budget: Budget
    frames: int

    @property
    def setting(self) -> dict[str, Any]:
        """Fields that all lines of a file must share, as their scores are not comparable otherwise."""
        return {"benchmark": self.benchmark, "model": self.client.name, "frames": self.frames}

    async def line(self, task: Task) -> dict[str, Any]:
        """Ask, and return a line of the results.

        Raises:
            ServerError: If the model's server cannot be reached at all.
        """
        item, began = task.item, time.monotonic()
        fields = {
            "id": item.id,
            "mode": task.mode,
            **self.setting,
            "video": item.video,
            "question": item.question,
        }
        try:
            question = Question(item.question, item.options)
            said, usage = await predict(
                task.path, question, task.mode, self.client, self.settings, self.budget, self.frames
            )
        except VidagentError as error:
            if isinstance(error, ServerError) and error.status in _FATAL:
                raise
            failed = {"type": type(error).__name__, "message": str(error)}
            iou = 0.0 if item.truth.kind == "span" else None
            return fields | _marked(Marked("error", iou), item) | {"error": failed}
        cost = {name: getattr(usage, name) for name in COSTS}
        cost["seconds"] = round(time.monotonic() - began, 3)
        return fields | _marked(mark(item.truth, said), item) | {"answer": said.to_dict(), "cost": cost}


async def predict(
    path: Path,
    question: Question,
    mode: Mode,
    client: ModelClient,
    settings: Settings,
    budget: Budget,
    frames: int,
) -> tuple[Prediction, Usage | StepUsage]:
    """Ask about a video in one mode; the arguments are those of `Asker`.

    Returns:
        What it says, and what that cost.

    Raises:
        VideoError: If the video cannot be read.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
    """
    if mode == "direct":
        return await ask_directly(path, question, frames, client, settings, budget)
    from vidagent import api

    key = settings.api_key
    answer = await api.aanalyze_video(
        path,
        question.text,
        options=question.options,
        model=client.name,
        base_url=settings.base_url,
        api_key=None if key is None else key.get_secret_value(),
        budget=dataclasses.replace(budget, frames=frames),
        decoder=settings.decoder,
        video_stream=settings.video_stream,
    )
    return Prediction.of(answer), answer.usage


def sampled(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """Sample questions at random, in the order of the file; the same seed gives the same sample.

    Raises:
        UsageError: If the limit is below 1.
    """
    if limit is None or limit >= len(items):
        return list(items)
    if limit < 1:
        raise UsageError(f"--limit must be 1 or more, got {limit}")
    chosen = sorted(random.Random(seed).sample(range(len(items)), limit))  # noqa: S311 - no secret
    return [items[place] for place in chosen]


def tasks_left(tasks: Sequence[Task], log: Log, setting: dict[str, Any], *, retry: bool) -> list[Task]:
    """Return the tasks that are not done; with `retry`, also those that failed.

    Raises:
        UsageError: If the file's lines were made with another model, number of frames or benchmark.
    """
    for entry in log.done.values():
        for name, value in setting.items():
            if entry.get(name) != value:
                raise UsageError(
                    f"the results were made with {name} {entry.get(name)!r}, and now it is {value!r}; "
                    "name another file with -o"
                )
    return [task for task in tasks if _open(log.done.get((task.item.id, task.mode)), retry=retry)]


async def ask_all(
    tasks: Sequence[Task], asker: Asker, log: Log, concurrency: int, tell: Callable[[dict[str, Any]], None]
) -> None:
    """Ask everything, at most `concurrency` at a time, and write each line as it comes.

    Raises:
        ServerError: If the model's server cannot be reached; what was answered until then is kept.
    """

    async def ask(task: Task) -> None:
        line = await asker.line(task)
        log.add(line)
        tell(line)

    await side_by_side(tasks, ask, concurrency)


def _open(entry: dict[str, Any] | None, *, retry: bool) -> bool:
    return entry is None or (retry and entry["mark"] == "error")


def _marked(marked: Marked, item: Item) -> dict[str, Any]:
    return {"mark": marked.mark, **dict(_places(marked)), "categories": _listed(item)}


def _places(marked: Marked) -> Iterator[tuple[str, float]]:
    """Yield the overlap and the error in seconds, if any."""
    for name, value in (("iou", marked.iou), ("off_s", marked.off_s)):
        if value is not None:
            yield name, round(value, 6)


def _listed(item: Item) -> dict[str, list[str]]:
    return {name: list(values) for name, values in item.categories.items()}
