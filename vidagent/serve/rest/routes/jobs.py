"""Routes of background jobs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from sse_starlette import EventSourceResponse

from vidagent.serve.core.caller import Client, client_of, requires
from vidagent.serve.core.schemas import JobBody, JobList, QuestionBody
from vidagent.serve.rest.jobs import Jobs

Limit = Annotated[int, Query(ge=1, le=1000)]
LastEventId = Annotated[
    int, Header(ge=0, le=2**53, description="number of the last event received; the next ones follow")
]


def router(jobs: Jobs) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[Depends(requires("ask"))])

    @routes.post("", status_code=202)
    async def add(request: Request, response: Response, question: QuestionBody) -> JobBody:
        """Ask a question in the background; the job survives a restart of the server."""
        job = await jobs.add(client_of(request), question)
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        return job

    @routes.get("")
    async def newest(request: Request, limit: Limit = 100) -> JobList:
        """List your jobs, the newest first."""
        return JobList(data=jobs.newest(client_of(request), limit))

    @routes.get("/{id}")
    async def get(request: Request, id: str) -> JobBody:  # noqa: A002 - the path's word
        """Return a job's state, and its answer or error once it has ended."""
        return jobs.get(client_of(request), id)

    @routes.delete("/{id}")
    async def cancel(request: Request, id: str) -> JobBody:  # noqa: A002 - likewise
        """Cancel a job, unless it has ended."""
        return jobs.cancel(client_of(request), id)

    @routes.get(
        "/{id}/events",
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def events(request: Request, id: str, last_event_id: LastEventId = 0) -> EventSourceResponse:  # noqa: A002
        """Stream a job's events up to `ended`; `progress` has no number, and is not sent again."""
        client = client_of(request)
        jobs.get(client, id)
        return EventSourceResponse(_stream(jobs, client, id, last_event_id))

    return routes


async def _stream(jobs: Jobs, client: Client, id_: str, after: int) -> AsyncGenerator[dict[str, str]]:
    async for number, event in jobs.events(client, id_, after):
        sent = {"event": event["kind"], "data": json.dumps(event)}
        yield sent if number is None else {"id": str(number), **sent}
