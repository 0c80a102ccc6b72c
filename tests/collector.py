"""An OpenTelemetry collector on the loopback that keeps the spans it is sent over HTTP."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


class Collector:
    """What was sent so far; where it listens."""

    def __init__(self) -> None:
        self.url = ""
        self.paths: set[str] = set()
        self.resources: list[ResourceSpans] = []

    @property
    def env(self) -> dict[str, str]:
        """The variables that send spans here, soon after they end."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    @property
    def spans(self) -> list[Span]:
        return [span for one in list(self.resources) for scope in one.scope_spans for span in scope.spans]

    @property
    def services(self) -> set[str]:
        pairs = [pair for one in list(self.resources) for pair in one.resource.attributes]
        return {pair.value.string_value for pair in pairs if pair.key == "service.name"}


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """Collect spans while the block runs."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.paths.add(self.path)
            collector.resources += ExportTraceServiceRequest.FromString(body).resource_spans
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
