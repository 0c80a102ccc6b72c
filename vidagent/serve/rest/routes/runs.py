"""Routes of runs, and of their frames, clips and reports."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from vidagent.serve.core import media_files
from vidagent.serve.core.caller import client_of, requires
from vidagent.serve.core.schemas import RunBody, RunList
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.rest.run_media import RunMedia

Limit = Annotated[int, Query(ge=1, le=1000)]
Number = Annotated[int, Path(ge=0, le=10_000, description="counted from 0")]
_HTML = "text/html; charset=utf-8"
_PAGE = {
    **media_files.INERT,
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'",
}
"""The report has no script, and its own narrower policy for its one style sheet."""


def router(records: RunRecords, run_media: RunMedia) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/runs", tags=["runs"], dependencies=[Depends(requires("ask"))])

    @routes.get("")
    async def newest(request: Request, limit: Limit = 100) -> RunList:
        """List your runs of the last week, the newest first."""
        return RunList(data=records.newest(client_of(request), limit))

    @routes.get("/{id}")
    async def get(request: Request, id: str) -> RunBody:  # noqa: A002 - the path's word
        """Return a run's question and answer; the answer is null until there is one."""
        return records.get(client_of(request), id)

    @routes.get(
        "/{id}/frames/{number}.jpg",
        response_class=Response,
        responses=media_files.openapi_responses(media_files.JPEG),
    )
    async def frame(request: Request, id: str, number: Number) -> Response:  # noqa: A002 - likewise
        """Return the frame of an item of the evidence as the model saw it, without the box."""
        return await media_files.media_response(
            await run_media.frame(client_of(request), id, number), media_files.JPEG
        )

    @routes.get(
        "/{id}/clips/{number}.mp4",
        response_class=Response,
        responses=media_files.openapi_responses(media_files.MP4),
    )
    async def clip(request: Request, id: str, number: Number) -> Response:  # noqa: A002 - likewise
        """Return a span of the answer as a video; it is cut when first requested."""
        return await media_files.media_response(
            await run_media.clip(client_of(request), id, number), media_files.MP4
        )

    @routes.get("/{id}/report", response_class=Response, responses=media_files.openapi_responses("text/html"))
    async def report(request: Request, id: str) -> Response:  # noqa: A002 - likewise
        """Return the run's report as a self-contained page; it is written when first requested."""
        path = await run_media.report(client_of(request), id)
        return media_files.MediaResponse(path, media_type=_HTML, headers=dict(_PAGE))

    return routes
