"""OpenTelemetry spans, made and imported only if `OTEL_*` or the surrounding program asks for them.

The variables are the standard ones (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
For privacy, no span holds words of a question, a reply or an error message.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

Value = str | bool | int | float | Sequence[str] | Sequence[float] | None
Kind = Literal["internal", "server", "client"]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_S = 3.0
"""Longest wait for an exporter at the end of a program, in case it is down."""
_log = logging.getLogger(__name__)
_lock = threading.Lock()


class Span:
    """The span of a block of work; does nothing if the work is not traced."""

    def __init__(self, inner: Any = None) -> None:  # noqa: ANN401 - of a library that may not be there
        """Wrap a span of the library."""
        self._inner = inner

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes, except those that are None."""
        if self._inner is not None:
            self._inner.set_attributes(_without_none(attributes))

    def rename(self, name: str) -> None:
        """Change the name, if it is known late."""
        if self._inner is not None:
            self._inner.update_name(name)

    def fail(self, kind: str) -> None:
        """Mark the span as failed with this kind of error."""
        if self._inner is not None:
            from opentelemetry.trace import StatusCode

            self._inner.set_attribute("error.type", kind)
            self._inner.set_status(StatusCode.ERROR)


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, Value] | None = None,
    *,
    kind: Kind = "internal",
    carrier: Mapping[str, str] | None = None,
    when: bool = True,
) -> Iterator[Span]:
    """Trace the block, if tracing is on.

    Args:
        name: The span's name.
        attributes: Its attributes.
        kind: Its side of a conversation.
        carrier: Headers of a request, whose `traceparent` may name the parent span.
        when: Whether to trace this block at all.
    """
    tracer = _tracer() if when else None
    if tracer is None:
        yield Span()
        return
    from opentelemetry import propagate, trace

    with tracer.start_as_current_span(
        name,
        context=None if carrier is None else propagate.extract(carrier),
        kind=trace.SpanKind[kind.upper()],
        attributes=_without_none(attributes or {}),
        record_exception=False,
        set_status_on_exception=False,
    ) as inner:
        traced = Span(inner)
        try:
            yield traced
        except BaseException as error:
            traced.fail(type(error).__name__)
            raise


def is_traced() -> bool:
    """Tell whether the caller runs inside a recorded span."""
    if _tracer() is None:
        return False
    from opentelemetry import trace

    return trace.get_current_span().is_recording()


def trace_id() -> str | None:
    """Return the id of the current trace, in hexadecimal."""
    if _tracer() is None:
        return None
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def trace_headers() -> dict[str, str]:
    """Return headers that name the current span, for another process."""
    headers: dict[str, str] = {}
    if _tracer() is not None:
        from opentelemetry import propagate

        propagate.inject(headers)
    return headers


@contextmanager
def continue_trace(headers: Mapping[str, str]) -> Iterator[None]:
    """Run the block as part of the span that another process named in `headers`, if any."""
    if not headers or _tracer() is None:
        yield
        return
    from opentelemetry import context, propagate

    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        context.detach(token)


def flush() -> None:
    """Export pending spans, for a few seconds at most."""
    provider = _provider() if _provider.cache_info().currsize else None
    if provider is None:
        return
    # In a thread, as the SDK does not keep the timeout of `force_flush`.
    exporting = threading.Thread(target=provider.force_flush, daemon=True)
    exporting.start()
    exporting.join(_FLUSH_S)


def _enabled() -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip()
    return exporter == "otlp" or (not exporter and any(os.environ.get(name) for name in _ENDPOINTS))


def _tracer() -> Tracer | None:
    """Return our tracer, or that of the surrounding program; None if tracing is off."""
    if _enabled():
        with _lock:
            _provider()
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry import trace

    return trace.get_tracer("vidagent")


@functools.cache
def _provider() -> TracerProvider | None:
    """Set up the exporter of the variables; None if the program has its own, or the extra is not installed."""
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("OTEL_* asks for traces, which need: pip install 'vidagent[otel]'")
        return None
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    resource = Resource.create({} if named else {"service.name": "vidagent"})
    try:
        exporter = OTLPSpanExporter()
    except ValueError as error:
        _log.warning("no traces, as OTEL_* cannot be understood: %s", error)
        return None
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def _without_none(attributes: Mapping[str, Value]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
