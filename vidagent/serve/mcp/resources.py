"""Resources that a person attaches in an assistant: the videos of the server's own folders, as facts and a frame."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp_types import Resource

from vidagent import api
from vidagent.errors import VideoError
from vidagent.serve.core.errors import without_paths
from vidagent.serve.core.folders import Folders
from vidagent.serve.mcp.context import ToolCall, turn_of
from vidagent.serve.mcp.tools import MAX_LISTED, matching
from vidagent.serve.terminal.video_facts import VideoFacts

FACTS, POSTER = "vidagent://videos/{+name}", "vidagent://posters/{+name}"
_POSTER_PX = 768


class VideoResources:
    """The videos of folders as resources; those that a client offers are in the tools only."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        """Resolve the folders."""
        self._folders = Folders(roots)

    def listed(self) -> list[Resource]:
        """Return the videos, at most 200 of them."""
        return [
            Resource(
                uri=FACTS.replace("{+name}", quote(video.name)),
                name=video.name,
                description="Facts of this video: length, size, frame rate, codecs, sound, subtitles, shots",
                mime_type="application/json",
                size=None,
            )
            for video in matching(self._folders, "")[:MAX_LISTED]
        ]

    async def facts(self, call: ToolCall, name: str) -> str:
        """Return the facts of a video as JSON, as the tool `probe` tells them."""
        path = self._path(name)
        try:
            async with turn_of(call):
                probed = await asyncio.to_thread(api.probe_video, path)
        except VideoError as error:
            raise _readable(error, path, name) from error
        return json.dumps({**VideoFacts(probed).to_dict(), "path": name}, indent=2)

    async def poster(self, call: ToolCall, name: str) -> bytes:
        """Return a frame that stands for a video, as JPEG."""
        path = self._path(name)
        try:
            async with turn_of(call):
                return (await api.poster_of(path, size=api.Size(_POSTER_PX))).jpeg
        except VideoError as error:
            raise _readable(error, path, name) from error

    def _path(self, name: str) -> Path:
        path = self._folders.file(name)
        if path is None:
            raise ResourceNotFoundError(
                "there is no such video; resources/list and list_videos tell those there are"
            )
        return path


def _readable(error: VideoError, path: Path, name: str) -> ResourceError:
    return ResourceError(without_paths(str(error), {str(path): name}))
