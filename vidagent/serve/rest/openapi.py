"""The OpenAPI document of FastAPI, extended with this server's errors and keys."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from vidagent.serve.core.errors import ErrorBody

_SCHEMA = "#/components/schemas/{model}"
_STREAM: dict[str, Any] = {"text/event-stream": {}}
_STREAMS = ("/vidagent/stream", "/vidagent/stream_events", "/vidagent/stream_log")
_OPEN = ("/healthz", "/readyz")


def document_errors(app: FastAPI, *, keyed: bool) -> None:
    """Document the error response of every operation, and the API key if one is required."""
    original = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _extended(original(), keyed=keyed)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way FastAPI's manual extends the document


def _extended(document: dict[str, Any], *, keyed: bool) -> dict[str, Any]:
    if keyed:
        scheme = {"type": "http", "scheme": "bearer"}
        document.setdefault("components", {})["securitySchemes"] = {"key": scheme}
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    body = ErrorBody.model_json_schema(ref_template=_SCHEMA)
    schemas |= body.pop("$defs") | {"FaultBody": body}
    schema = {"$ref": _SCHEMA.format(model="FaultBody")}
    error = {"description": "An error.", "content": {"application/json": {"schema": schema}}}
    for name, path in document["paths"].items():
        for operation in path.values():
            if keyed and name not in _OPEN:
                operation["security"] = [{"key": []}]
            if name in _STREAMS:  # LangServe documents them as JSON
                operation["responses"]["200"]["content"] = _STREAM
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = error
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document
