"""Routes that rename and delete conversations: the questions of one session."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from vidagent.serve.core.caller import client_of, requires
from vidagent.serve.core.schemas import ConversationDeleted, ConversationTitle
from vidagent.serve.rest.conversations import Conversations

Id = Annotated[
    str, Path(description="the session of its jobs, or the id of a job that was asked without one")
]


def router(conversations: Conversations) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/conversations", tags=["jobs"], dependencies=[Depends(requires("ask"))])

    @routes.patch("/{id}")
    async def rename(request: Request, id: Id, body: ConversationTitle) -> ConversationTitle:  # noqa: A002
        """Name a conversation; its jobs then have the title. Null takes the name away."""
        conversations.rename(client_of(request), id, body.title)
        return body

    @routes.delete("/{id}")
    async def delete(request: Request, id: Id) -> ConversationDeleted:  # noqa: A002 - the path's word
        """Stop what is being answered in a conversation, and delete its jobs and runs, with frames and reports."""
        await conversations.delete(client_of(request), id)
        return ConversationDeleted(id=id)

    return routes
