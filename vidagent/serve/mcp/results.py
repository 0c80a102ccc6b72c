"""Results of the tools: text and images for the assistant, and the same as structured data."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel, ConfigDict

from vidagent.api import Picture, Seen
from vidagent.serve.core.schemas import VideoBody
from vidagent.text import counted, short_number
from vidagent.video.clock import format_time


class VideoListed(BaseModel):
    """A video file."""

    name: str
    bytes: int


class VideoList(BaseModel):
    """Video files; `more` if the list is cut."""

    videos: list[VideoListed]
    more: bool


class ProbeBody(VideoBody):
    """Properties of a video, without decoding it; `shots` are times, null if not indexed yet."""

    codec: str
    container: str
    audio: str | None
    rotation_deg: int
    subtitles: list[str]
    frames: int | None
    keyframes: int
    shots: list[float] | None


class FrameBody(BaseModel):
    """An image of the result, in the order of the images."""

    time_s: float
    width: int
    height: int
    box_px: tuple[int, int, int, int]


class FramesBody(BaseModel):
    """The range, rate and frames that were shown."""

    model_config = ConfigDict(extra="forbid")

    video: str
    duration_s: float
    start_s: float
    end_s: float
    fps: float | None
    every_frame: bool
    frames: list[FrameBody]
    notes: list[str]


def text_part(text: str) -> TextContent:
    """Return a text as a part of a result."""
    return TextContent(type="text", text=text)


def image_parts(picture: Picture, caption: str) -> list[ContentBlock]:
    """Return an image as parts of a result, after its caption."""
    data = base64.b64encode(picture.jpeg).decode()
    return [text_part(caption), ImageContent(type="image", data=data, mime_type="image/jpeg")]


def frames_result(video: str, found: Seen) -> CallToolResult:
    """Return frames as a result, each with its true time."""
    body = FramesBody(
        video=video,
        duration_s=round(found.info.duration_s, 6),
        start_s=found.start_s,
        end_s=found.end_s,
        fps=found.fps,
        every_frame=found.every_frame,
        frames=[_frame(picture) for picture in found.pictures],
        notes=list(found.notes),
    )
    parts: list[ContentBlock] = [text_part(_summary(video, found))]
    for number, picture in enumerate(found.pictures, 1):
        parts += image_parts(picture, f"frame {number} at {_time(picture.time_s)}")
    return CallToolResult(content=parts, structured_content=body.model_dump(mode="json"))


def _frame(picture: Picture) -> FrameBody:
    width, height = picture.size_wh
    return FrameBody(time_s=picture.time_s, width=width, height=height, box_px=picture.box_px)


def _summary(video: str, found: Seen) -> str:
    count = len(found.pictures)
    rate = "" if found.fps is None else f", {short_number(found.fps)} a second"
    every = ", every frame there is" if found.every_frame else ""
    of = f"{counted(count, 'frame')} of {video} ({found.info.duration_s:.3f} s long)"
    where = f"between {found.start_s:.3f} and {found.end_s:.3f} s{rate}{every}"
    return ". ".join([f"{of} {where}", _sizes(found), *found.notes])


def _sizes(found: Seen) -> str:
    first, info = found.pictures[0], found.info
    shown = "x".join(map(str, first.size_wh))
    if first.box_px == (0, 0, info.width, info.height):
        return f"Shown as {shown} of {info.width}x{info.height} px"
    return f"Shown is the part {list(first.box_px)} of {info.width}x{info.height} px, as {shown}"


def _time(time_s: float) -> str:
    return f"{time_s:.3f} s ({format_time(time_s)})"


def video_list_result(files: Sequence[VideoListed], *, more: bool) -> CallToolResult:
    """Return names of videos as a result."""
    lines = [f"{file.name}  ({file.bytes / 1e6:,.1f} MB)" for file in files]
    if more:
        lines.append(f"and more: these are the first {len(files)}; `contains` narrows them down")
    body = VideoList(videos=list(files), more=more)
    words = "\n".join(lines) or "there are no videos of such a name in the served folders"
    return CallToolResult(content=[text_part(words)], structured_content=body.model_dump())
