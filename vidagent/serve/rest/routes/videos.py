"""The routes of the videos that one may ask about: those under the server's folders listed, and all of them sent."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from vidagent.serve.core import media_files
from vidagent.serve.core.caller import client_of, needs
from vidagent.serve.core.schemas import MOST_NAME, VideoList
from vidagent.serve.core.video_locator import VideoLocator

Name = Annotated[
    str,
    Query(
        min_length=1,
        max_length=MOST_NAME,
        description="the id of an uploaded file, or a path under a folder of the server's",
    ),
]


def router(places: VideoLocator) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/videos", tags=["videos"], dependencies=[Depends(needs("ask"))])

    @routes.get("")
    async def page() -> VideoList:
        """List the videos under the server's folders, by the names that one may ask with."""
        return VideoList(data=await asyncio.to_thread(places.videos))

    @routes.get("/content", response_class=Response, responses=media_files.documented())
    async def content(request: Request, video: Name) -> Response:
        """Send a video, or the ranges of it asked for, as players do."""
        path = await asyncio.to_thread(places.video, client_of(request), video)
        return await media_files.sent(path)

    return routes
