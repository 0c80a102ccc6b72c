"""The routes of files, as OpenAI's clients know them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from vidagent.serve.core import media_files
from vidagent.serve.core.caller import client_of, needs
from vidagent.serve.core.http.body_limit import allow
from vidagent.serve.core.schemas import FileBody, FileDeleted, FileList
from vidagent.serve.core.storage.files import UploadedFiles
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.core.storage.upload_parser import UploadForm

Limit = Annotated[int, Query(ge=1, le=1000)]

_FORM_BYTES = 64_000
"""What a form may have beside the file."""
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
                        "purpose": {"type": "string", "description": "taken, and not used"},
                    },
                }
            }
        },
    }
}


def router(files: UploadedFiles, runs: RunRecords, most_bytes: int) -> APIRouter:
    """Return the routes.

    Args:
        files: Where the files are.
        runs: Where the runs about them are.
        most_bytes: Size of the largest file.
    """
    routes = APIRouter(prefix="/v1/files", tags=["files"], dependencies=[Depends(needs("files"))])

    @routes.post("", openapi_extra=_UPLOAD)
    async def add(request: Request) -> FileBody:
        """Upload a video; its id is the hash of its bytes, so the same video has the same id again."""
        allow(request.scope, most_bytes + _FORM_BYTES)
        length = request.headers.get("content-length", "")
        announced = int(length) if length.isdecimal() else 0
        form = UploadForm(request.headers.get("content-type", ""), request.stream())
        return await files.add(client_of(request), form, max(0, announced - _FORM_BYTES))

    @routes.get("")
    async def page(request: Request, limit: Limit = 100, after: str | None = None) -> FileList:
        """List your files, the newest first; `after` is the last id of the page before."""
        return files.list(client_of(request), limit, after)

    @routes.get("/{id}")
    async def get(request: Request, id: str) -> FileBody:  # noqa: A002 - the path's word
        """Tell what is known of a file."""
        return files.get(client_of(request), id)

    @routes.get("/{id}/content", response_class=Response, responses=media_files.documented())
    async def content(request: Request, id: str) -> Response:  # noqa: A002 - likewise
        """Send the file back, or the ranges asked for, as players do."""
        client = client_of(request)
        told = files.get(client, id)
        return await media_files.sent(files.path(client, id), filename=told.filename)

    @routes.delete("/{id}")
    async def delete(request: Request, id: str) -> FileDeleted:  # noqa: A002 - likewise
        """Delete a file, and the runs about it with their frames, clips and reports."""
        client = client_of(request)
        files.delete(client, id)
        await runs.forget(client, id)
        return FileDeleted(id=id)

    return routes
