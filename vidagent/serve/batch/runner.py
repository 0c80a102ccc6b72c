"""Answering lines side by side on this machine: those of a video together, those of a session in order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from vidagent.api.run_question import ask_opened
from vidagent.errors import UsageError, VidagentError
from vidagent.runs.request import Request
from vidagent.serve.batch.direct import ask_frames, ask_image
from vidagent.serve.batch.input_file import InputLine, Item
from vidagent.serve.batch.model import BatchModel
from vidagent.serve.batch.open_videos import Videos
from vidagent.serve.batch.output_file import Result, answered, failed
from vidagent.serve.batch.setup import Setup
from vidagent.types import Answer, Overview

Done = Callable[[Result], Awaitable[None]]
"""Takes each line of the output as it comes."""
_log = logging.getLogger(__name__)


async def answer_lines(lines: Sequence[InputLine], setup: Setup, model: BatchModel, done: Done) -> None:
    """Answer lines, as many at once as the setup says; an error of one is its result.

    Args:
        lines: The lines, in the order of the input.
        setup: How they are answered.
        model: Who answers.
        done: Takes the results, in the order in which they come.

    Raises:
        VidagentError: What `done` raised; the lines under way are given up then.
    """
    waiting = deque(chains(lines))
    uses = (setup.path(line.item) for line in lines if line.item and line.item.kind == "video")
    async with Videos(uses, setup.settings) as videos:

        async def work() -> None:
            while waiting:
                for line in waiting.popleft():
                    await done(await _result(line, setup, model, videos))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(setup.concurrency, len(waiting))):
                    group.create_task(work())
        except* VidagentError as errors:
            raise errors.exceptions[0] from None


def chains(lines: Iterable[InputLine]) -> list[list[InputLine]]:
    """Group lines: those of a session are one chain, in order; chains of one video follow each other."""
    sessions: dict[str, list[InputLine]] = {}
    videos: dict[str, list[list[InputLine]]] = {}
    for line in lines:
        session = line.item.session if line.item else None
        if session is not None and session in sessions:
            sessions[session].append(line)
            continue
        chain = [line]
        if session is not None:
            sessions[session] = chain
        videos.setdefault(line.item.media if line.item else "", []).append(chain)
    return [chain for video in videos.values() for chain in video]


async def _result(line: InputLine, setup: Setup, model: BatchModel, videos: Videos) -> Result:
    try:
        if line.item is None:
            raise UsageError(line.error or "")
        return answered(line, await _answer(line.item, setup, model, videos))
    except VidagentError as error:
        return failed(line, error)
    except Exception as error:  # noqa: BLE001 - one line's fault is that line's result, and never the batch's end
        _log.debug("line %d", line.number, exc_info=True)
        return failed(line, error)


async def _answer(item: Item, setup: Setup, model: BatchModel, videos: Videos) -> Answer:
    path = setup.path(item)
    if item.kind == "image":
        return await ask_image(path, model, item, setup)
    async with videos.held(path) as opened:
        if setup.is_direct(item):
            return await ask_frames(opened, model, item, setup)
        view = opened.view()
        try:
            request = Request(item.prompt, Overview(), setup.settings, item.limits(setup.settings.budget()))
            return await ask_opened(view, model.client, request, session=item.session)
        finally:
            view.close()
