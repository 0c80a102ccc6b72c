"""The server's metrics, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.exposition import generate_latest
from starlette.responses import PlainTextResponse, Response

from vidagent.serve.core.caller import requires

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"})
_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
_COSTS = (
    "model_calls",
    "prompt_tokens",
    "completion_tokens",
    "thinking_tokens",
    "frames_decoded",
    "frames_sent",
)


class Metrics:
    """The metrics of one app, in its own registry."""

    def __init__(self) -> None:
        """Register the metrics at zero."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "vidagent_requests", "Requests.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "vidagent_request_seconds",
            "Seconds from a request to the end of its reply.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "vidagent_answers", "Answers by status.", ("status",), registry=self._registry
        )
        self._costs = Counter("vidagent_cost", "What answers cost.", ("kind",), registry=self._registry)
        for kind in _COSTS:
            self._costs.labels(kind)

    def watch(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read whenever metrics are requested."""
        Gauge(name, about, registry=self._registry).set_function(read)

    def request(self, method: str, route: str | None, status: int | None, seconds: float) -> None:
        """Count a request; unknown methods and routes share a label, to bound the number of series."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route or "none", str(status or 0)).inc()
        self._seconds.labels(route or "none").observe(seconds)

    def answered(self, answer: dict[str, Any]) -> None:
        """Count an answer and its cost."""
        self._answers.labels(answer["status"]).inc()
        for kind in _COSTS:
            self._costs.labels(kind).inc(answer["usage"][kind])

    def text(self) -> bytes:
        """Return the metrics as text."""
        return generate_latest(self._registry)


def router(metrics: Metrics) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["health"], dependencies=[Depends(requires("metrics"))])

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def numbers() -> Response:
        """Return the metrics in the text format of Prometheus."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes
