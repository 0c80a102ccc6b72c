"""The tool that asks the agent: progress while it runs, and the frames of the evidence beside the answer."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ContentBlock
from pydantic import Field

from vidagent import api
from vidagent.errors import VideoError
from vidagent.graphs.events import Event
from vidagent.serve.core.question_service import allowed, event_told, named
from vidagent.serve.core.schemas import MOST_CHARACTERS, MOST_OPTIONS, AnswerBody, Limits, Text
from vidagent.serve.mcp.context import ServedFolders, ToolCall, client_of, path_of
from vidagent.serve.mcp.results import pictured, text
from vidagent.serve.mcp.tools import Video
from vidagent.serve.terminal import printing
from vidagent.types import Answer

_MOST_PICTURES = 8
_GRACE_S = 30.0
"""What a run may take beyond its budget of seconds, to say what it found."""
_UNTOLD = frozenset({"answer", "thought", "token"})


async def ask(
    call: ToolCall,
    folders: ServedFolders,
    video: Video,
    question: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=MOST_CHARACTERS,
            description="one question that can be understood without this conversation, in full words; text to be "
            'looked for in double quotes, such as: When does the text "GATE 7" appear?',
        ),
    ],
    options: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=MOST_CHARACTERS)]] | None,
        Field(min_length=2, max_length=MOST_OPTIONS, description="answers to choose from"),
    ] = None,
    budget: Annotated[
        Limits | None,
        Field(
            description='most that the answer may cost, such as {"seconds": 60}; what is found until then is '
            "answered, with status partial"
        ),
    ] = None,
    session: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9._-]{1,32}$",
            description="a name of your own for questions about one video that follow each other, so that "
            '"and after that?" is understood and what was seen is not looked at again',
        ),
    ] = None,
) -> Annotated[CallToolResult, AnswerBody]:
    """Ask a question about a video of any length. The agent searches the whole video and checks what it found.

    Says when it was seen, with the frames that prove it, each claim with its verdict, or plainly that it was not found
    and how much was looked at. Good for: when something happens, how often, how long, what is written, what comes
    before or after. It may take from seconds to minutes; progress is told meanwhile, and cancelling ends it.
    """
    serving, client = call.request_context.lifespan_context, client_of(call)
    path = path_of(folders, video)
    prefix = "" if serving.piped else f"{client.owner}."

    def hear(event: Event) -> None:
        if event.kind not in _UNTOLD:
            loop.call_soon_threadsafe(heard.put_nowait, event_told(event, path, video)["text"])

    loop, heard = asyncio.get_running_loop(), asyncio.Queue[str | None]()
    with serving.lanes.held(client):
        run = api.aanalyze_video(
            path,
            question,
            options=options,
            budget=allowed(budget, serving.deadline_s),
            session=None if session is None else f"{prefix}{session}",
            on_event=hear,
        )
        try:
            with anyio.fail_after(serving.deadline_s + _GRACE_S):
                answer = await _followed(call, run, heard)
        except TimeoutError:
            raise ToolError(f"no answer within {serving.deadline_s:g} s") from None
    return await _result(answer, path, video, options)


async def _followed(
    call: ToolCall, run: Coroutine[Any, Any, Answer], heard: asyncio.Queue[str | None]
) -> Answer:
    """Tell the client what happens in a run, and return its answer; a run that nobody waits for is cancelled.

    It is a task of its own, as anyio cancels a task again at each thing it awaits while it cleans up.
    """
    task = asyncio.create_task(run)
    task.add_done_callback(lambda _: heard.put_nowait(None))
    left = asyncio.create_task(_until_left(call))
    left.add_done_callback(lambda _: task.cancel())
    try:
        told = 0
        while (line := await heard.get()) is not None:
            told += 1
            await call.report_progress(told, message=line)
        if task.cancelled():
            raise ToolError("the client has left")
        return await task
    finally:
        left.cancel()
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({task})


async def _until_left(call: ToolCall) -> None:
    """Return when the HTTP exchange of a call is over; a pipe that ends cancels the call by itself."""
    request = call.request_context.request
    await (asyncio.Event() if request is None else request.state.over).wait()


async def _result(answer: Answer, path: Path, video: str, options: list[str] | None) -> CallToolResult:
    bare = [dataclasses.replace(item, frame=None) for item in answer.evidence]  # where they lie is ours alone
    rows = printing.aligned(printing.answer_rows(dataclasses.replace(answer, evidence=tuple(bare)), options))
    words = "\n".join([answer.answer, "", *rows, f"cost      {printing.cost(answer)}"])
    parts: list[ContentBlock] = [text(words), *await _proof(answer, path)]
    return CallToolResult(content=parts, structured_content=named(answer.to_dict(), video))


async def _proof(answer: Answer, path: Path) -> list[ContentBlock]:
    """Return the frames of the evidence, boxes drawn, as parts of a result."""
    evidence = answer.evidence[:_MOST_PICTURES]
    if not evidence:
        return []
    times, boxes = [item.time_s for item in evidence], [item.box_px for item in evidence]
    try:
        shown = await api.frames_of(path, times, marks_px=boxes)
    except VideoError:  # the file went away meanwhile; the answer stands
        return [text("the frames of the evidence can no longer be read")]
    parts: list[ContentBlock] = []
    for item, picture in zip(evidence, shown.pictures, strict=True):
        box = f", in the box drawn at {list(item.box_px)} px" if item.box_px else ""
        words = f"evidence at {item.time_s:.3f} s ({item.verdict}{box}): {item.claim}"
        parts += pictured(picture, words)
    return parts
