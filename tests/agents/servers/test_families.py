"""Whole runs against servers of every family: an answer at the first try, no step lost, less to learn at the second."""

import pytest

import vidagent
from tests.agents.servers.families import FAMILIES, serve, spent

pytestmark = pytest.mark.network


def ask(path, server):
    notes = []
    answer = vidagent.analyze_video(
        path,
        "What lies there?",
        base_url=server.url,
        on_event=lambda event: notes.append(event.text) if event.kind == "note" else None,
    )
    used = spent(server)
    server.bodies.clear()
    return answer, notes, used


@pytest.mark.parametrize("probed", [False, True], ids=["learning", "asked"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_answers_at_the_first_try_and_costs_less_at_the_second(clip, monkeypatch, name, probed):
    monkeypatch.setenv("VIDAGENT_PROBE_SERVER", str(probed))
    with serve(FAMILIES[name]) as server:
        first, notes, used = ask(clip("h264").path, server)
        second, more_notes, used_again = ask(clip("h264").path, server)
    assert [first.status, second.status] == ["answered", "answered"]
    assert first.answer == "A ball lies there."
    assert notes == more_notes == []
    assert used_again[0] <= used[0]
