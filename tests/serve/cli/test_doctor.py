from __future__ import annotations

import pytest

from vidagent import api
from vidagent.api import Diagnosis, Finding

FINDINGS = (
    Finding("decoder pyav", "ok", "read 5 frames of a test clip in 0.30 s"),
    Finding("model", "fault", "no model server answers", "start the server", 4),
)


@pytest.fixture
def findings(monkeypatch):
    asked = []

    def diagnose(*, base_url):
        asked.append(base_url)
        return Diagnosis(FINDINGS if base_url else FINDINGS[:1])

    monkeypatch.setattr(api, "diagnose", diagnose)
    return asked


def test_each_check_is_printed_and_a_fault_is_the_exit_code(findings, command):
    done = command("doctor", "--base-url", "http://127.0.0.1:1/v1")
    assert done.code == 4
    assert done.out.splitlines() == [
        "ok    decoder pyav: read 5 frames of a test clip in 0.30 s",
        "fault model: no model server answers",
        "      → start the server",
    ]
    assert findings == ["http://127.0.0.1:1/v1"]


def test_without_a_fault_it_exits_with_0(findings, command):
    done = command("doctor", "--json")
    assert done.code == 0
    assert done.json()["ok"]
    assert done.json()["checks"][0]["name"] == "decoder pyav"
