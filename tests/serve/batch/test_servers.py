"""Several servers of one model."""

from __future__ import annotations

import pytest

from tests.scripted_server import ScriptedServer, refusal
from tests.serve.batch.conftest import MODEL, script

LINE = {"video": "a.mp4", "text": "When is it seen?"}
pytestmark = pytest.mark.network


def test_calls_are_spread(batch):
    with ScriptedServer(script) as one, ScriptedServer(script) as other:
        assert batch([LINE] * 6, *MODEL, "--base-url", one.url, "--base-url", other.url).code == 0
    assert one.bodies
    assert other.bodies


def test_a_server_that_is_away_loses_nothing(batch, results):
    with ScriptedServer(script) as server:
        urls = ["--base-url", "http://127.0.0.1:1/v1", "--base-url", server.url]
        done = batch([LINE] * 3, *MODEL, *urls)
    assert done.code == 0, done.err
    assert "no model server answers at http://127.0.0.1:1/v1" in done.err
    assert len(results()) == 3


def test_a_server_that_fails_rests_and_its_calls_go_to_the_others(batch):
    with ScriptedServer([refusal(503, "overloaded")]) as failing, ScriptedServer(script) as server:
        urls = ["--base-url", failing.url, "--base-url", server.url]
        assert batch([LINE] * 3, *MODEL, *urls, "--concurrency", "1").code == 0
    assert 0 < len(failing.bodies) < len(server.bodies)


def test_a_refusal_is_not_tried_elsewhere(batch, results):
    with ScriptedServer([refusal(400, "too long: context length")]) as one, ScriptedServer(script) as other:
        urls = ["--base-url", one.url, "--base-url", other.url]
        assert batch([{**LINE, "num_frames": 1}], *MODEL, *urls).code == 4
    assert (len(one.bodies), len(other.bodies)) == (1, 0)


def test_all_servers_away_is_an_error_of_the_line(batch, results):
    assert batch([LINE], *MODEL, "--base-url", "http://127.0.0.1:1/v1").code == 4
    assert results()[0]["error"]["type"] == "model"
