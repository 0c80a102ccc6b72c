"""Whole runs against servers of every family: an answer at the first try, no step lost, less to learn at the second."""

import pytest

import vidagent
from tests.agents.servers.families import FAMILIES, Family, prompt_tokens, serve, spent

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


@pytest.mark.parametrize("name", ["Ollama", "LM Studio"])
def test_a_context_told_once_the_model_is_loaded_is_kept_to_from_then_on(clip, monkeypatch, name):
    """Ollama cuts off what is longer, and says nothing."""
    monkeypatch.setenv("VIDAGENT_PROBE_SERVER", "true")
    family = FAMILIES[name]
    with serve(family) as server:
        vidagent.analyze_video(clip("h264").path, "What lies there?", base_url=server.url)
        assert max(map(prompt_tokens, server.bodies)) < family.context
        assert "clip" in str(server.bodies)


BOXES = {
    "Qwen/Qwen3-VL-8B-Instruct": (250, 500, 500, 1000),
    "models/gemini-3-flash": (500, 250, 1000, 500),
    "moonshotai/Kimi-K2.5": (0.25, 0.5, 0.5, 1),
    "Qwen/Qwen2.5-VL-7B-Instruct": (80, 90, 160, 180),
    "allenai/Molmo2-8B": (375, 750),
}
"""The lower half of the second quarter from the left, as each family writes it, in a picture of 320x180."""


@pytest.mark.parametrize(("model", "box"), BOXES.items())
def test_the_box_of_a_claim_is_the_same_from_every_family(clip, model, box):
    with serve(Family(model=model, box=box)) as server:
        answer, _, _ = ask(clip("h264").path, server)
    around = (112, 130, 128, 140) if len(box) == 2 else (80, 90, 160, 180)
    assert {evidence.box_px for evidence in answer.evidence} == {around}
