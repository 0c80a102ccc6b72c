"""Requests as traces: a client's own trace is gone on with, and log lines say which it is."""

from __future__ import annotations

import io
import json
import signal

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector import collecting
from tests.serve.running import QUESTION, process, until
from vidagent.serve.core.http.logs import json_logging

pytestmark = pytest.mark.network

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
BODY = {"video": "clip.mp4", "question": QUESTION}


def named(collector, name, number=1):
    until(lambda: sum(span.name == name for span in collector.spans) >= number, 30)
    return [span for span in collector.spans if span.name == name][-1]


def told(span):
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


def test_requests_and_their_runs_are_one_trace(model, root, tmp_path):
    with (
        collecting() as collector,
        process(tmp_path, "--root", str(root), **collector.env) as (url, serving),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        assert client.post("/vidagent/invoke", json={"input": BODY}, headers=HEADERS).status_code == 200
        request = named(collector, "POST /vidagent/invoke")
        run, call = named(collector, "vidagent.ask"), named(collector, "chat scripted")
        first = list(collector.spans)
        client.post("/vidagent/stream", json={"input": BODY})
        stream = named(collector, "POST /vidagent/stream")
        assert named(collector, "vidagent.ask", 2).trace_id == stream.trace_id != request.trace_id
        assert client.post("/v1/jobs", json=BODY, headers=HEADERS).status_code == 202
        assert named(collector, "vidagent.ask", 3).trace_id.hex() == TRACE
        assert client.get("/v1/files", headers={"traceparent": "00-nonsense"}).status_code == 200
        assert not named(collector, "GET /v1/files").parent_span_id
        serving.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in serving.stderr.read().splitlines()]
    assert request.trace_id.hex() == TRACE
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    assert request.kind == Span.SpanKind.SPAN_KIND_SERVER
    assert told(request)["http.route"] == "/vidagent/invoke"
    assert told(request)["http.response.status_code"] == 200
    assert {run.trace_id, call.trace_id} == {request.trace_id}
    by_id = {span.span_id: span for span in first}
    above = run
    while (
        above.span_id != request.span_id
    ):  # with FastAPI's own span of the endpoint between the two, where it has one
        above = by_id[above.parent_span_id]
    assert sum(span.kind == Span.SpanKind.SPAN_KIND_SERVER for span in first) == 1
    assert told(call)["server.address"] == "127.0.0.1"
    assert told(call)["gen_ai.usage.input_tokens"] > 0
    assert all(QUESTION not in str(span) for span in collector.spans)
    ids = [line["trace_id"] for line in lines if line.get("route") == "/vidagent/invoke"]
    assert ids == [TRACE]


def test_without_traces_log_lines_have_no_id(client):
    log = io.StringIO()
    with json_logging(log):
        client.get("/healthz")
        until(lambda: log.getvalue(), 30)
    assert "trace_id" not in json.loads(log.getvalue().splitlines()[0])
