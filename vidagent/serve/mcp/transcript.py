"""The tool `transcript`: what is said in a video, line by line, in pages; its docstring is a prompt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from mcp_types import CallToolResult
from pydantic import BaseModel, Field

from vidagent import api
from vidagent.serve.mcp.context import ServedFolders, ToolCall, client_of, path_of
from vidagent.serve.mcp.progress import with_progress
from vidagent.serve.mcp.results import text_part
from vidagent.serve.mcp.tools import Video
from vidagent.text import counted, one_line
from vidagent.tools.factory import Seconds
from vidagent.video.index.transcript import Stop, Transcript

MAX_LINES = 500
MAX_CHARACTERS = 50_000
"""Most characters of the lines of a page; a page has one line at least."""


class NumberedLine(BaseModel):
    """A line of speech: its number in the transcript, its times, and who says it; null if unknown."""

    line: int
    start_s: float
    end_s: float
    speaker: str | None
    text: str

    def __str__(self) -> str:
        by = f", speaker {self.speaker}" if self.speaker else ""
        return f"{self.line}. {self.start_s:.3f}-{self.end_s:.3f} s{by}: {one_line(self.text)}"


class TranscriptPage(BaseModel):
    """Lines of a transcript, of which `done_s` seconds are there; the rest begins with `next_line`, null if none."""

    video: str
    model: str
    languages: list[str]
    done_s: float
    complete: bool
    total_lines: int
    lines: list[NumberedLine]
    next_line: int | None


async def transcript(
    call: ToolCall,
    folders: ServedFolders,
    video: Video,
    start_s: Annotated[Seconds, Field(description="only lines from this time on")] = 0.0,
    end_s: Annotated[Seconds | None, Field(description="only lines that begin before this time")] = None,
    from_line: Annotated[
        int, Field(ge=1, description="number of the first line; next_line of the page before")
    ] = 1,
    max_lines: Annotated[int, Field(ge=1, le=MAX_LINES, description="most lines of this page")] = 200,
) -> Annotated[CallToolResult, TranscriptPage]:
    """Read what is said in a video, line by line with its times, and who says it where the speech model tells.

    At most 500 lines a call; next_line says where to go on. On first use the speech is transcribed, which may take
    minutes; progress is told meanwhile. If the time runs out, what is there is returned, and another call goes on.
    The text is what a model heard, not proof: it mishears names and numbers. Subtitles are not in it.
    """
    path = path_of(folders, video)
    found = await _transcribed(call, path)
    page = _page(video, found, (start_s, end_s), from_line, max_lines)
    words = "\n".join([*_summary(page, found), *map(str, page.lines)])
    return CallToolResult(content=[text_part(words)], structured_content=page.model_dump(mode="json"))


async def _transcribed(call: ToolCall, path: Path) -> Transcript:
    """Return the transcript, as far as it gets within the server's time; it ends with the call."""
    context = call.request_context.lifespan_context
    loop, progress, ended = asyncio.get_running_loop(), asyncio.Queue[str | None](), False
    end_s = time.monotonic() + context.deadline_s

    def report(doing: str, share: float) -> None:
        loop.call_soon_threadsafe(progress.put_nowait, f"{doing}, {share:.0%}")

    async def run() -> Transcript:
        nonlocal ended
        stop = Stop(closed=lambda: ended or time.monotonic() > end_s)
        try:
            return await asyncio.to_thread(api.transcript_of, path, on_progress=report, stop=stop)
        finally:
            ended = True

    with context.concurrency.slot(client_of(call)):
        return await with_progress(call, run(), progress, context.deadline_s)


def _page(
    video: str, found: Transcript, range_s: tuple[float, float | None], from_line: int, max_lines: int
) -> TranscriptPage:
    start_s, end_s = range_s
    wanted = [
        NumberedLine(line=n, start_s=cue.start_s, end_s=cue.end_s, speaker=cue.speaker or None, text=cue.text)
        for n, cue in enumerate(found.cues, 1)
        if n >= from_line and cue.end_s > start_s and (end_s is None or cue.start_s < end_s)
    ]
    shown = list(_that_fit(wanted[:max_lines]))
    return TranscriptPage(
        video=video,
        model=found.model,
        languages=list(found.languages),
        done_s=round(found.done_s, 3),
        complete=found.complete,
        total_lines=len(found.cues),
        lines=shown,
        next_line=wanted[len(shown)].line if len(shown) < len(wanted) else None,
    )


def _that_fit(lines: list[NumberedLine]) -> Iterator[NumberedLine]:
    characters = 0
    for line in lines:
        characters += len(str(line))
        if characters > MAX_CHARACTERS and line is not lines[0]:
            return
        yield line


def _summary(page: TranscriptPage, found: Transcript) -> Iterator[str]:
    """Yield what is on the page, and what is not."""
    if not found.has_sound:
        yield f"{page.video} has no sound"
        return
    languages = f" ({', '.join(page.languages)})" if page.languages else ""
    yield f"{counted(len(page.lines), 'line')} of {page.total_lines:,} said in {page.video}{languages}, by {page.model}"
    if not page.complete:
        yield f"transcribed up to {page.done_s:.3f} s of {found.duration_s:.3f} s; another call goes on with it"
    if page.next_line is not None:
        yield f"more lines: from_line {page.next_line}"
