"""Tools that need no model: list videos, probe one, and show its frames.

Docstrings and descriptions are prompts: assistants know a tool by them.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Annotated

from mcp_types import CallToolResult
from pydantic import Field

from vidagent import api
from vidagent.serve.core.folders import Folders
from vidagent.serve.core.schemas import MAX_NAME, Text
from vidagent.serve.mcp.context import ServedFolders, ToolCall, path_of, turn_of
from vidagent.serve.mcp.results import (
    FramesBody,
    ProbeBody,
    VideoList,
    VideoListed,
    frames_result,
    text_part,
    video_list_result,
)
from vidagent.serve.terminal.video_facts import VideoFacts
from vidagent.tools.factory import Fps, Seconds

MAX_LISTED = 200
MAX_FRAMES = 16
MAX_SIDE_PX = 1536

Video = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_NAME,
        description="the video: its name as list_videos tells it, a path under a served folder",
    ),
]
Side = Annotated[
    int,
    Field(
        ge=64,
        le=MAX_SIDE_PX,
        description="longest side of each picture; fewer and larger pictures show small text better",
    ),
]


async def list_videos(
    call: ToolCall,
    folders: ServedFolders,
    contains: Annotated[
        Text | None, Field(max_length=200, description="only names with this in them, in any case")
    ] = None,
) -> Annotated[CallToolResult, VideoList]:
    """List the videos that may be named in the other tools, at most 200 of them."""
    found = await asyncio.to_thread(matching, folders, (contains or "").lower())
    return video_list_result(found[:MAX_LISTED], more=len(found) > MAX_LISTED)


async def probe(call: ToolCall, folders: ServedFolders, video: Video) -> Annotated[CallToolResult, ProbeBody]:
    """Say what a video is: length, frame rate, size, codecs, sound, subtitles and shots. Cheap: nothing is decoded."""
    path = path_of(folders, video)
    async with turn_of(call):
        probed = VideoFacts(await asyncio.to_thread(api.probe_video, path))
    body = {**probed.to_dict(), "path": video}
    lines = [line for line in probed.lines() if not line.startswith("file ")]
    return CallToolResult(content=[text_part("\n".join([video, *lines]))], structured_content=body)


async def look(
    call: ToolCall,
    folders: ServedFolders,
    video: Video,
    start_s: Annotated[Seconds, Field(description="start of the range, in seconds from the first frame")],
    end_s: Annotated[
        Seconds,
        Field(
            description="end of the range, clamped to the end of the video; of two frame times, both frames are shown"
        ),
    ],
    fps: Annotated[
        Fps | None,
        Field(
            description="frames a second, for when something starts or ends; lowered where max_frames do not "
            "reach. Without it max_frames are spread evenly over the range"
        ),
    ] = None,
    max_frames: Annotated[int, Field(ge=1, le=MAX_FRAMES, description="most frames to show")] = 8,
    max_side_px: Side = 768,
) -> Annotated[CallToolResult, FramesBody]:
    """Look at a range of a video yourself: frames as images, each with its true time in seconds.

    For what you can judge from at most 16 pictures, such as checking a moment that `ask` has found. To find something
    in a long video, `ask` is better: between two of these frames anything may have happened unseen. The text says
    which range and rate were really shown.
    """
    size = api.Size(side_px=max_side_px)
    path = path_of(folders, video)
    async with turn_of(call):
        seen = await api.look_at(path, start_s, end_s, fps=fps, most_frames=max_frames, size=size)
    return frames_result(video, seen)


async def frames(
    call: ToolCall,
    folders: ServedFolders,
    video: Video,
    times_s: Annotated[
        list[Seconds],
        Field(min_length=1, max_length=MAX_FRAMES, description="times in seconds from the first frame"),
    ],
    box_px: Annotated[
        tuple[int, int, int, int] | None,
        Field(
            description="[left, top, right, bottom] in pixels of the video, to see only this part, at full "
            "resolution; for small text. probe tells the size of the video"
        ),
    ] = None,
    max_side_px: Side = 1024,
) -> Annotated[CallToolResult, FramesBody]:
    """Show exactly the frames that a player shows at given times (at most 16), as images, or a part of each.

    Each comes with its own true time, which is at or shortly before the time asked for.
    """
    size = api.Size(side_px=max_side_px)
    path = path_of(folders, video)
    async with turn_of(call):
        seen = await api.frames_of(path, times_s, box_px=box_px, size=size)
    return frames_result(video, seen)


def matching(folders: Folders, contains: str) -> list[VideoListed]:
    """Return the videos with a text in their names, in lower case; one more than may be listed if there are more."""
    found = (pair for pair in folders.videos() if contains in pair[0].lower())
    return [
        VideoListed(name=name, bytes=path.stat().st_size)
        for name, path in itertools.islice(found, MAX_LISTED + 1)
    ]
