"""The tool that searches the library; its docstring and descriptions are prompts."""

from __future__ import annotations

from typing import Annotated

from mcp_types import CallToolResult
from pydantic import Field

from vidagent.serve.core.schemas import FoundBody, HitBody, Text
from vidagent.serve.mcp.context import ServedFolders, ToolCall, client_of
from vidagent.serve.mcp.results import text_part
from vidagent.text import counted, one_line


async def find(
    call: ToolCall,
    folders: ServedFolders,
    query: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=1000,
            description="what to look for, such as words that are said or shown, or what is to be seen; a text in "
            "quotes is searched as a phrase",
        ),
    ],
    limit: Annotated[int, Field(ge=1, le=50, description="most hits")] = 10,
) -> Annotated[CallToolResult, FoundBody]:
    """Find moments in all videos of the library at once, the best first: video, time and why it fits.

    Fast and cheap: subtitles, speech, texts on screen and file names are searched, and pictures by meaning where the
    library has them. A hit is where to look, and no proof: check it with `look` or `ask`. Only videos that were
    indexed by `vidagent library add` are searched; the text says how many those are.
    """
    search = call.request_context.lifespan_context.library
    found = await search.find(client_of(call), folders, query, limit)
    lines = [f"{counted(len(found.hits), 'hit')} in {counted(found.searched, 'indexed video')}", *found.notes]
    lines += [_line(number, hit) for number, hit in enumerate(found.hits, 1)]
    return CallToolResult(
        content=[text_part("\n".join(lines))], structured_content=found.model_dump(mode="json")
    )


def _line(number: int, hit: HitBody) -> str:
    return f"{number}. {hit.video} at {hit.time_s:.3f}-{hit.end_s:.3f} s: {one_line(hit.why)}"
