"""Routes that list the videos under the server's folders, and send any video that a client may ask about."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from vidagent.serve.core import media_files
from vidagent.serve.core.caller import client_of, requires
from vidagent.serve.core.schemas import MAX_NAME, VideoList
from vidagent.serve.core.video_locator import VideoLocator

Name = Annotated[
    str,
    Query(
        min_length=1,
        max_length=MAX_NAME,
        description="the id of an uploaded file, or a path under one of the server's folders",
    ),
]


def router(locator: VideoLocator) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/videos", tags=["videos"], dependencies=[Depends(requires("ask"))])

    @routes.get("")
    async def page() -> VideoList:
        """List the videos under the server's folders, by the names to use in questions."""
        return VideoList(data=await asyncio.to_thread(locator.videos))

    @routes.get("/content", response_class=Response, responses=media_files.openapi_responses())
    async def content(request: Request, video: Name) -> Response:
        """Download a video, or ranges of it."""
        path = await asyncio.to_thread(locator.downloadable, client_of(request), video)
        return await media_files.media_response(path)

    return routes
