"""What the server counts, in the form that Prometheus reads."""

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

from vidagent.serve.core.caller import needs

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
    """The counters of one app, in a registry of its own."""

    def __init__(self) -> None:
        """Start at zero."""
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
        """Have a number read whenever somebody asks."""
        Gauge(name, about, registry=self._registry).set_function(read)

    def request(self, method: str, route: str | None, status: int | None, seconds: float) -> None:
        """Count a request; what a client made up is not told apart, as it would be without end."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route or "none", str(status or 0)).inc()
        self._seconds.labels(route or "none").observe(seconds)

    def answered(self, answer: dict[str, Any]) -> None:
        """Count an answer and its cost."""
        self._answers.labels(answer["status"]).inc()
        for kind in _COSTS:
            self._costs.labels(kind).inc(answer["usage"][kind])

    def text(self) -> bytes:
        """Return the numbers."""
        return generate_latest(self._registry)


def router(metrics: Metrics) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["health"], dependencies=[Depends(needs("metrics"))])

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def numbers() -> Response:
        """Tell what was counted, in the text format of Prometheus."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes
