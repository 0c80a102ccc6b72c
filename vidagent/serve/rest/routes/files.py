"""Routes of uploaded files, compatible with OpenAI's clients."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from vidagent.serve.core import media_files
from vidagent.serve.core.caller import client_of, requires
from vidagent.serve.core.http.body_limit import allow, content_length
from vidagent.serve.core.schemas import FileBody, FileDeleted, FileList
from vidagent.serve.core.storage.files import UploadedFiles
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.core.storage.upload_parser import FORM_BYTES, UploadForm

Limit = Annotated[int, Query(ge=1, le=1000)]

_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "description": "accepted and ignored"},
                    },
                }
            }
        },
    }
}


def router(files: UploadedFiles, runs: RunRecords, max_bytes: int) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/files", tags=["files"], dependencies=[Depends(requires("files"))])

    @routes.post("", openapi_extra=_UPLOAD)
    async def add(request: Request) -> FileBody:
        """Upload a video; its id is the hash of its bytes, so the same video has the same id again."""
        allow(request.scope, max_bytes + FORM_BYTES, "--max-file-mb is the largest that a video may be")
        form = UploadForm(request.headers.get("content-type", ""), request.stream())
        min_bytes = max(0, content_length(request.headers) - FORM_BYTES)
        return await files.add(client_of(request), form, min_bytes)

    @routes.get("")
    async def page(request: Request, limit: Limit = 100, after: str | None = None) -> FileList:
        """List your files, the newest first; `after` is the last id of the page before."""
        return files.list(client_of(request), limit, after)

    @routes.get("/{id}")
    async def get(request: Request, id: str) -> FileBody:  # noqa: A002 - the path's word
        """Return a file's properties."""
        return files.get(client_of(request), id)

    @routes.get("/{id}/content", response_class=Response, responses=media_files.openapi_responses())
    async def content(request: Request, id: str) -> Response:  # noqa: A002 - likewise
        """Download the file, or ranges of it."""
        client = client_of(request)
        file = files.get(client, id)
        return await media_files.media_response(files.path(client, id), filename=file.filename)

    @routes.delete("/{id}")
    async def delete(request: Request, id: str) -> FileDeleted:  # noqa: A002 - likewise
        """Delete a file, and the runs about it with their frames, clips and reports."""
        client = client_of(request)
        files.delete(client, id)
        await runs.delete_about(client, id)
        return FileDeleted(id=id)

    return routes
