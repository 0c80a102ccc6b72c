"""The tools `ask` and `summarize`: run the agent with progress, and return its answer with the frames that prove it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ContentBlock
from pydantic import Field

from vidagent import api
from vidagent.errors import VideoError
from vidagent.graphs.events import Event, Listener
from vidagent.serve.core.folders import Folders
from vidagent.serve.core.question_service import capped_budget, event_body, public_answer
from vidagent.serve.core.schemas import MAX_CHARACTERS, MAX_OPTIONS, AnswerBody, DataSchema, Limits, Text
from vidagent.serve.mcp.context import ServedFolders, ToolCall, client_of, path_of
from vidagent.serve.mcp.progress import with_progress
from vidagent.serve.mcp.results import image_parts, text_part
from vidagent.serve.mcp.tools import Video
from vidagent.serve.terminal import printing
from vidagent.summary import Length
from vidagent.types import Answer, Budget

_MAX_IMAGES = 8
_GRACE_S = 30.0
"""Time a run gets beyond its budget of seconds to report what it found."""
_SILENT_EVENTS = frozenset({"answer", "thought", "token"})

_Budget = Annotated[
    Limits | None,
    Field(
        description='most that the answer may cost, such as {"seconds": 60}; what is found until then is '
        "answered, with status partial"
    ),
]


async def ask(
    call: ToolCall,
    folders: ServedFolders,
    video: Video,
    question: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=MAX_CHARACTERS,
            description="one question that can be understood without this conversation, in full words; text to be "
            'looked for in double quotes, such as: When does the text "GATE 7" appear?',
        ),
    ],
    options: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=MAX_CHARACTERS)]] | None,
        Field(min_length=2, max_length=MAX_OPTIONS, description="answers to choose from"),
    ] = None,
    budget: _Budget = None,
    session: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9._-]{1,32}$",
            description="a name of your own for questions about one video that follow each other, so that "
            '"and after that?" is understood and what was seen is not looked at again',
        ),
    ] = None,
    schema: Annotated[
        DataSchema | None,
        Field(
            description="JSON Schema of the data that is wanted; `data` of the answer then follows it, with null for "
            "what could not be proved, and `fields` say what proves each value, or why it is null"
        ),
    ] = None,
) -> Annotated[CallToolResult, AnswerBody]:
    """Ask a question about a video of any length. The agent searches the whole video and checks what it found.

    Says when it was seen, with the frames that prove it, each claim with its verdict, or plainly that it was not found
    and how much was looked at. Good for: when something happens, how often, how long, what is written, what comes
    before or after. It may take from seconds to minutes; progress is told meanwhile, and cancelling ends it.
    """
    prefix = "" if call.request_context.lifespan_context.stdio else f"{client_of(call).owner}."

    def start(path: Path, limits: Budget, report: Listener) -> Coroutine[Any, Any, Answer]:
        return api.aanalyze_video(
            path,
            question,
            options=options,
            schema=schema,
            budget=limits,
            session=None if session is None else f"{prefix}{session}",
            on_event=report,
        )

    return await _run(call, folders, video, budget, options, start)


async def summarize(
    call: ToolCall,
    folders: ServedFolders,
    video: Video,
    length: Annotated[
        Length, Field(description="short for the gist, medium for chapters, long for all there is")
    ] = "medium",
    budget: _Budget = None,
) -> Annotated[CallToolResult, AnswerBody]:
    """Summarise a video of any length: chapters with titles, highlights, and sentences that are proved one by one.

    Each sentence comes with its time, its verdict, and the frame or line that shows it; what could not be proved is
    left out and counted. It may take minutes; progress is told meanwhile, and cancelling ends it.
    """

    def start(path: Path, limits: Budget, report: Listener) -> Coroutine[Any, Any, Answer]:
        return api.asummarize_video(path, length, budget=limits, on_event=report)

    return await _run(call, folders, video, budget, None, start)


async def _run(
    call: ToolCall,
    folders: Folders,
    video: str,
    budget: Limits | None,
    options: list[str] | None,
    start: Callable[[Path, Budget, Listener], Coroutine[Any, Any, Answer]],
) -> CallToolResult:
    """Run the agent with progress, within the limits of the client and the server, and return its answer."""
    context, client = call.request_context.lifespan_context, client_of(call)
    path = path_of(folders, video)

    def report(event: Event) -> None:
        if event.kind not in _SILENT_EVENTS:
            line = event_body(event, {str(path): video}, "mcp")["text"]
            loop.call_soon_threadsafe(progress.put_nowait, line)

    loop, progress = asyncio.get_running_loop(), asyncio.Queue[str | None]()
    limits = capped_budget(budget, context.deadline_s)
    with context.concurrency.slot(client):
        run = start(path, limits, report)
        try:
            with anyio.fail_after(context.deadline_s + _GRACE_S):
                answer = await with_progress(call, run, progress, limits.seconds or context.deadline_s)
        except TimeoutError:
            raise ToolError(f"no answer within {context.deadline_s:g} s") from None
    return await _result(answer, path, video, options)


async def _result(answer: Answer, path: Path, video: str, options: list[str] | None) -> CallToolResult:
    evidence = tuple(
        dataclasses.replace(item, frame=None) for item in answer.evidence
    )  # hides the server's paths
    rows = printing.aligned(printing.answer_rows(dataclasses.replace(answer, evidence=evidence), options))
    public = public_answer(answer.to_dict(), {str(path): video}, "mcp")
    data = [] if answer.data is None else [json.dumps(answer.data, ensure_ascii=False, indent=2)]
    words = "\n".join([public["answer"], *data, "", *rows, f"cost      {printing.cost(answer)}"])
    parts: list[ContentBlock] = [text_part(words), *await _evidence_parts(answer, path)]
    return CallToolResult(content=parts, structured_content=public)


async def _evidence_parts(answer: Answer, path: Path) -> list[ContentBlock]:
    """Return the frames of the evidence with their boxes drawn, as parts of a result."""
    evidence = answer.evidence[:_MAX_IMAGES]
    if not evidence:
        return []
    times, boxes = [item.time_s for item in evidence], [item.box_px for item in evidence]
    try:
        shown = await api.frames_of(path, times, marks_px=boxes)
    except VideoError:  # the file was deleted meanwhile; the answer stands
        return [text_part("the frames of the evidence can no longer be read")]
    parts: list[ContentBlock] = []
    for item, picture in zip(evidence, shown.pictures, strict=True):
        box = f", in the box drawn at {list(item.box_px)} px" if item.box_px else ""
        words = f"evidence at {item.time_s:.3f} s ({item.verdict}{box}): {item.claim}"
        parts += image_parts(picture, words)
    return parts
