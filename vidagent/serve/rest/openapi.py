"""The OpenAPI document: FastAPI's, with the form that errors have here."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from vidagent.serve.rest.faults import FaultBody

__all__ = ["with_faults"]

_SCHEMA = "#/components/schemas/{model}"


def with_faults(app: FastAPI) -> None:
    """Have every operation of the document say how it tells errors."""
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _told(made())
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way FastAPI's manual extends the document


def _told(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    body = FaultBody.model_json_schema(ref_template=_SCHEMA)
    schemas |= body.pop("$defs") | {"FaultBody": body}
    schema = {"$ref": _SCHEMA.format(model="FaultBody")}
    fault = {"description": "An error.", "content": {"application/json": {"schema": schema}}}
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = fault
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document
