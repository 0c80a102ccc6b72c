"""Runs as traces: what the spans say, what they never say, and that they cost nothing where nobody asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import vidagent
from tests.collector import collecting
from tests.media.make import encode
from vidagent.errors import VideoError
from vidagent.types import Budget

QUESTION = "How many shots are there?"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("traced") / "clip.mp4"
    encode(path, range(0, 2000, 40))
    return path


@pytest.fixture
def spans(monkeypatch):
    """Be a program that has set up OpenTelemetry, and return what it was told so far."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return kept.get_finished_spans


def ask(clip, endpoint: str | None, **more: str) -> subprocess.CompletedProcess[str]:
    """Ask by the command line, in a process of its own, as what is set up there stays set up."""
    env = {**os.environ, "VIDAGENT_MODEL": "signals", **more}
    if endpoint is not None:
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    words = [sys.executable, "-m", "vidagent", "ask", str(clip), QUESTION, "--json", "-q"]
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_a_run_is_one_trace_of_steps_and_model_calls(clip, spans):
    answer = vidagent.analyze_video(clip, QUESTION, model="signals", budget=Budget(steps=6))
    found = spans()
    assert len({span.context.trace_id for span in found}) == 1
    by_id = {span.context.span_id: span for span in found}
    (run,) = [span for span in found if span.parent is None]
    assert run.name == "vidagent.ask"
    told = run.attributes
    assert told["gen_ai.request.model"] == "signals"
    assert told["vidagent.budget.steps"] == 6
    assert told["vidagent.status"] == answer.status == "answered"
    assert told["vidagent.video.sha256"] == (answer.video.sha256,)
    assert told["vidagent.video.duration_s"] == (answer.video.duration_s,)
    assert told["vidagent.usage.model_calls"] == answer.usage.model_calls
    steps = [span for span in found if span.parent and by_id[span.parent.span_id] is run]
    assert {"vidagent.survey", "vidagent.plan", "vidagent.compose"} <= {span.name for span in steps}
    calls = [span for span in found if span.name == "chat signals"]
    assert len(calls) == answer.usage.model_calls > 0
    assert all(by_id[call.parent.span_id] in steps for call in calls)
    assert {call.attributes["gen_ai.operation.name"] for call in calls} == {"chat"}
    assert {call.kind for call in calls} == {trace.SpanKind.CLIENT}


def test_no_words_of_the_question_in_any_span(clip, spans):
    vidagent.analyze_video(clip, QUESTION, model="signals", options=["one", "seventeen"])
    assert len(spans()) > 3
    for span in spans():
        text = span.to_json()
        assert "shots are there" not in text
        assert "seventeen" not in text
        assert not span.events


def test_a_run_that_fails_says_of_what_kind_and_no_more(tmp_path, clip, spans, monkeypatch):
    def broken(*args, **kwargs):
        raise VideoError("cannot read /secret/place")

    monkeypatch.setattr("vidagent.graphs.nodes.survey.describe", broken)
    with pytest.raises(VideoError):
        vidagent.analyze_video(clip, QUESTION, model="signals")
    (run,) = [span for span in spans() if span.name == "vidagent.ask"]
    assert run.status.status_code is trace.StatusCode.ERROR
    assert run.attributes["error.type"] == "VideoError"
    assert all("/secret" not in span.to_json() for span in spans())


def test_off_imports_nothing():
    code = (
        "import sys\nfrom vidagent import tracing\n"
        "with tracing.span('x', {'a': 1}) as span:\n    span.set({'b': 2})\n"
        "assert tracing.trace_id() is None and not tracing.is_traced()\ntracing.flush()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    for env in ({}, {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}):
        bare = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        done = subprocess.run(
            [sys.executable, "-c", code], env={**bare, **env}, capture_output=True, text=True, check=True
        )
        assert done.stdout == "[]\n"


def test_without_the_extra_a_run_goes_on_and_says_what_is_missing(clip):
    code = (
        "import sys\nsys.modules['opentelemetry.exporter'] = None\n"
        "from vidagent.serve.cli.app import run\nsys.exit(run(sys.argv[1:]))"
    )
    env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "VIDAGENT_MODEL": "signals"}
    words = [sys.executable, "-c", code, "ask", str(clip), QUESTION, "--json"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0
    assert done.stderr.count("vidagent[otel]") == 1


def test_an_exporter_that_is_down_changes_nothing(clip):
    done = ask(clip, "http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "answered"
    assert "Traceback" not in done.stderr


@pytest.mark.network
def test_the_command_line_sends_what_it_has_before_it_ends(clip):
    with collecting() as collector:
        done = ask(clip, None, **collector.env)
    assert done.returncode == 0, done.stderr
    assert collector.paths == {"/v1/traces"}
    assert {"vidagent.ask", "vidagent.plan", "chat signals"} <= {span.name for span in collector.spans}
    assert collector.services == {"vidagent"}
