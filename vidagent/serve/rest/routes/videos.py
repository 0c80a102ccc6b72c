"""Routes that list the videos under the server's folders, and send a video's content, frames and transcript."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from vidagent import api
from vidagent.serve.core import media_files
from vidagent.serve.core.caller import client_of, requires
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.schemas import MAX_NAME, SpokenLines, VideoList
from vidagent.serve.core.video_locator import VideoLocator
from vidagent.serve.rest.video_frames import VideoFrames

Name = Annotated[
    str,
    Query(
        min_length=1,
        max_length=MAX_NAME,
        description="the id of an uploaded file, or a path under one of the server's folders",
    ),
]


Time = Annotated[
    float | None,
    Query(
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="seconds from the start; without it, the server chooses",
    ),
]
Side = Annotated[int, Query(ge=64, le=1280, description="longest side of the picture")]
_CONCURRENT, _MOST_WAITING, _TIMEOUT_S = 2, 8, 60.0
"""Transcripts read at once, those that a client may wait for, and for how long."""
_CACHING = {**media_files.INERT, "Cache-Control": "private, max-age=600"}


def router(locator: VideoLocator, video_frames: VideoFrames) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/videos", tags=["videos"], dependencies=[Depends(requires("ask"))])
    limits = ConcurrencyLimits(_CONCURRENT, 1, "transcripts")

    @routes.get("")
    async def page() -> VideoList:
        """List the videos under the server's folders, by the names to use in questions."""
        return VideoList(data=await asyncio.to_thread(locator.videos))

    @routes.get("/content", response_class=Response, responses=media_files.openapi_responses())
    async def content(request: Request, video: Name) -> Response:
        """Download a video, or ranges of it."""
        path = await asyncio.to_thread(locator.downloadable, client_of(request), video)
        return await media_files.media_response(path)

    @routes.get(
        "/frame",
        response_class=Response,
        responses=media_files.openapi_responses(media_files.JPEG, ranges=False),
    )
    async def frame(request: Request, video: Name, time_s: Time = None, side_px: Side = 320) -> Response:
        """Return the frame that a player shows at a time, or one that stands for the video."""
        jpeg = await video_frames.frame(client_of(request), video, time_s, side_px)
        return Response(jpeg, media_type=media_files.JPEG, headers=_CACHING)

    @routes.get("/transcript")
    async def transcript(request: Request, video: Name) -> SpokenLines:
        """Return what is transcribed of a video so far; a question about speech has it transcribed."""
        client = client_of(request)
        path = await asyncio.to_thread(locator.downloadable, client, video)
        async with limits.short_wait(client, most=_MOST_WAITING, within_s=_TIMEOUT_S):
            found = await asyncio.to_thread(api.kept_transcript, path)
        return SpokenLines() if found is None else SpokenLines.model_validate(found.to_dict())

    return routes
