"""The route that searches the indexed videos under the server's folders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from vidagent.serve.core.caller import client_of, requires
from vidagent.serve.core.library_search import LibrarySearch
from vidagent.serve.core.schemas import FoundBody
from vidagent.serve.core.video_locator import VideoLocator

Words = Annotated[
    str,
    Query(
        min_length=1,
        max_length=1000,
        pattern=r"\S",
        description="words to look for; a text in quotes is searched as a phrase",
    ),
]
Limit = Annotated[int, Query(ge=1, le=100, description="most hits")]


def router(search: LibrarySearch, locator: VideoLocator) -> APIRouter:
    """Return the route."""
    routes = APIRouter(prefix="/v1/library", tags=["library"], dependencies=[Depends(requires("ask"))])

    @routes.get("/find")
    async def find(request: Request, query: Words, limit: Limit = 20) -> FoundBody:
        """Find moments in the videos under the server's folders, by words and by meaning, the best first.

        `GET /v1/videos/frame?video=…&time_s=…` shows the frame of a hit. Videos are indexed on the server by
        `vidagent library add DIR`; uploads are not.
        """
        return await search.find(client_of(request), locator.folders, query, limit)

    return routes
