"""Requests as traces: a client's own trace is gone on with, and log lines say which it is."""

from __future__ import annotations

import io
import json

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.serve.rest.conftest import QUESTION
from tests.serve.rest.running import until
from vidagent.serve.rest.logs import structured

pytestmark = pytest.mark.network

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture
def spans(monkeypatch):
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return kept.get_finished_spans


def named(spans, name):
    until(lambda: any(span.name == name for span in spans()), 30)
    return next(span for span in spans() if span.name == name)


def test_a_request_goes_on_with_the_clients_trace(client, spans):
    log = io.StringIO()
    with structured(log):
        body = {"input": {"video": "clip.mp4", "question": QUESTION}}
        assert client.post("/vidagent/invoke", json=body, headers=HEADERS).status_code == 200
        request = named(spans, "POST /vidagent/invoke")
    assert trace.format_trace_id(request.context.trace_id) == TRACE
    assert trace.format_span_id(request.parent.span_id) == "b7ad6b7169203331"
    assert request.kind is trace.SpanKind.SERVER
    assert request.attributes["http.route"] == "/vidagent/invoke"
    assert request.attributes["http.response.status_code"] == 200
    run, call = named(spans, "vidagent.ask"), named(spans, "chat scripted")
    assert {run.context.trace_id, call.context.trace_id} == {request.context.trace_id}
    by_id = {span.context.span_id: span for span in spans()}
    above = run
    while above is not request:  # with FastAPI's own span of the endpoint between the two, where it has one
        above = by_id[above.parent.span_id]
    assert sum(span.kind is trace.SpanKind.SERVER for span in spans()) == 1
    assert call.attributes["server.address"] == "127.0.0.1"
    assert call.attributes["gen_ai.usage.input_tokens"] > 0
    assert all(QUESTION not in span.to_json() for span in spans())
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["trace_id"] for line in lines if line["message"] == "request"] == [TRACE]


def test_a_stream_and_a_job_are_traced_too(client, spans):
    body = {"video": "clip.mp4", "question": QUESTION}
    client.post("/vidagent/stream", json={"input": body})
    stream = named(spans, "POST /vidagent/stream")
    assert named(spans, "vidagent.ask").context.trace_id == stream.context.trace_id
    assert client.post("/v1/jobs", json=body, headers=HEADERS).status_code == 202
    until(lambda: sum(span.name == "vidagent.ask" for span in spans()) == 2, 30)
    job = [span for span in spans() if span.name == "vidagent.ask"][-1]
    assert trace.format_trace_id(job.context.trace_id) == TRACE


def test_a_broken_traceparent_starts_a_trace(client, spans):
    assert client.get("/v1/files", headers={"traceparent": "00-nonsense"}).status_code == 200
    assert named(spans, "GET /v1/files").parent is None


def test_without_traces_log_lines_have_no_id(client):
    log = io.StringIO()
    with structured(log):
        client.get("/healthz")
        until(lambda: log.getvalue(), 30)
    assert "trace_id" not in json.loads(log.getvalue().splitlines()[0])
