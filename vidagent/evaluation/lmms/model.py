"""The model `vidagent` of lmms-eval: the agent, or its model asked directly, about the video of each question."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms
from loguru import logger
from tqdm import tqdm

from vidagent import config
from vidagent.agents.server.model_choice import choose, describe
from vidagent.errors import UsageError, VideoError
from vidagent.evaluation.runner import MODES, Mode, predict
from vidagent.evaluation.scoring import Prediction
from vidagent.evaluation.workers import side_by_side
from vidagent.types import Budget, Question

_OPTION = re.compile(r"^\s*\(?([A-Z])[.):]\s*(\S.*?)\s*$")
_FORM = re.compile(r"\bletters?\b|\bbest answer is\b|^\s*answer:?\s*$", re.IGNORECASE)
"""Lines of a prompt that ask for the form of a reply; the agent gets the options apart from the question."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A task's prompt as a question of ours.

    Args:
        question: The question; its options are those that the prompt lists as `A. …`, `B. …`.
        letters: Their letters.
    """

    question: Question
    letters: Sequence[str]

    @classmethod
    def of(cls, text: str) -> Prompt:
        """Split a prompt into its question and its options; a list of options begins with A and skips no letter."""
        lines = text.splitlines()
        listed = [(place, match) for place, line in enumerate(lines) if (match := _OPTION.match(line))]
        letters = [match[1] for _, match in listed]
        if len(letters) < 2 or letters != [chr(ord("A") + number) for number in range(len(letters))]:
            return cls(Question(text.strip()), ())
        options = {place for place, _ in listed}
        left = [line for place, line in enumerate(lines) if place not in options and not _FORM.search(line)]
        question = "\n".join(left).strip() or text.strip()
        return cls(Question(question, tuple(match[2] for _, match in listed)), letters)

    def reply(self, said: Prediction) -> str:
        """Return a prediction as the task reads it: the letter of the option, else the words."""
        return said.text if said.choice is None or not self.letters else self.letters[said.choice]


class Vidagent(lmms):  # type: ignore[misc] # lmms-eval is not installed where types are checked
    """Asks vidagent about videos: `lmms_eval --model vidagent --model_args mode=agent,base_url=…,model=…`.

    Args:
        mode: `agent`, or `direct`: evenly spaced frames in one call.
        model: The model's name, as for `vidagent ask`.
        base_url: The server's base URL.
        frames: Frames of a question: sent in the one call, or the agent's budget.
        seconds: The agent's budget of seconds.
        concurrency: Most questions in progress at once.
        batch_size: Ignored, like the two that follow: lmms-eval passes them to every model.
        max_batch_size: Ignored.
        device: Ignored.

    Raises:
        UsageError: If an argument is out of range.
        ModelError: If the model's server cannot be reached.
    """

    is_simple = True

    def __init__(
        self,
        mode: Mode = "agent",
        model: str | None = None,
        base_url: str | None = None,
        frames: int = 64,
        seconds: float | None = None,
        concurrency: int = 1,
        batch_size: object = None,
        max_batch_size: object = None,
        device: object = None,
    ) -> None:
        """Find the model."""
        super().__init__()
        if mode not in MODES:
            raise UsageError(f"mode must be one of {', '.join(MODES)}; got {mode!r}")
        for name, value in (("frames", frames), ("concurrency", concurrency)):
            if not isinstance(value, int) or value < 1:
                raise UsageError(f"{name} must be a whole number, 1 or more; got {value!r}")
        self._mode, self._frames, self._concurrency = mode, frames, concurrency
        self._settings = config.load(model=None if model is None else str(model), base_url=base_url)
        self._budget = Budget(seconds=seconds)
        self._client = choose(self._settings)
        logger.info("vidagent, mode {}: {}", mode, describe(self._client))

    def generate_until(self, requests: Sequence[Instance]) -> list[str]:
        """Return the reply to each request, in order; empty where its video cannot be read."""
        return asyncio.run(self._replies(requests))

    def generate_until_multi_round(self, requests: Sequence[Instance]) -> list[str]:
        """Refuse tasks of several rounds."""
        raise NotImplementedError("vidagent answers tasks of one round only")

    def loglikelihood(self, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """Refuse tasks that compare likelihoods."""
        raise NotImplementedError("vidagent answers in words: use a task of output_type generate_until")

    async def _replies(self, requests: Sequence[Instance]) -> list[str]:
        replies = [""] * len(requests)
        with tqdm(total=len(requests), desc="vidagent") as bar:

            async def ask(place: int) -> None:
                replies[place] = await self._reply(*requests[place].args)
                bar.update()

            await side_by_side(range(len(requests)), ask, self._concurrency)
        return replies

    async def _reply(
        self,
        context: str,
        _generation: dict[str, Any],
        doc_to_visual: Any,  # noqa: ANN401 - a function of the task
        doc_id: int,
        task: str,
        split: str,
    ) -> str:
        path = _video(doc_to_visual(self.task_dict[task][split][doc_id]), task)
        prompt = Prompt.of(context)
        try:
            said, _ = await predict(
                path,
                prompt.question,
                self._mode,
                self._client,
                self._settings,
                self._budget,
                self._frames,
            )
        except VideoError as error:
            logger.error("question {} of {} gets no reply: {}", doc_id, task, error)
            return ""
        return prompt.reply(said)


def _video(visuals: object, task: str) -> Path:
    """Return the path of the one video that a task shows.

    Raises:
        UsageError: If it shows something else.
    """
    found = visuals if isinstance(visuals, list | tuple) else [visuals]
    if len(found) == 1 and isinstance(found[0], str | Path):
        return Path(found[0])
    shown = ", ".join(type(one).__name__ for one in found) or "nothing"
    raise UsageError(f"vidagent answers questions about one video file; task {task} shows {shown}")
