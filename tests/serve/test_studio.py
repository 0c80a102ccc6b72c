"""LangGraph's own tools open the graph by `langgraph.json`."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.conftest import ROOT
from tests.media.make import encode
from vidagent.errors import VideoError
from vidagent.graphs.answer_graph import build

NAMED = json.loads((ROOT / "langgraph.json").read_text())["graphs"]


@pytest.fixture(scope="module")
def graph():
    """Load the graph as LangGraph's tools do: by the file's path and the variable's name."""
    path, _, name = NAMED["vidagent"].partition(":")
    spec = importlib.util.spec_from_file_location("opened_by_langgraph", ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("studio") / "clip.mp4"
    encode(path, range(0, 2000, 40))
    return path


@pytest.fixture(autouse=True)
def _signals(monkeypatch):
    monkeypatch.setenv("VIDAGENT_MODEL", "signals")


def test_the_drawing_has_the_steps_of_a_run(graph):
    assert set(graph.get_graph().nodes) == {"__start__", "vidagent", "__end__"}
    steps = {name for name in build().get_graph().nodes if not name.startswith("__")}
    drawn = {name.rpartition(":")[2] for name in graph.get_graph(xray=True).nodes}
    assert {"survey", "plan", "look", "verify", "compose"} <= steps <= drawn


def test_the_schemas_are_simple(graph):
    assert set(graph.get_input_jsonschema()["properties"]) == {"video", "question", "options", "budget"}
    assert graph.get_input_jsonschema()["required"] == ["video", "question"]
    assert set(graph.get_output_jsonschema()["properties"]) == {"answer"}


async def test_it_answers_and_tells_its_steps(graph, clip):
    asked = {
        "video": str(clip),
        "question": "How many shots are there?",
        "budget": {"seconds": 60, "steps": 6},
    }
    steps, answer = [], None
    async for mode, piece in graph.astream(asked, stream_mode=["custom", "values"]):
        if mode == "custom":
            steps.append(piece["step"])
        else:
            answer = piece.get("answer", answer)
    assert answer["status"] == "answered"
    assert answer["model"] == "signals"
    assert answer["budget"]["limit"]["steps"] == 6
    assert steps[:2] == [None, "survey"]
    assert list(dict.fromkeys(steps[1:])) == ["survey", "route", "plan", "look", "verify"]
    assert answer["answer"].startswith("1 shot")


async def test_a_checkpointer_round_it_leaves_the_runs_own_alone(graph, clip):
    graph = graph.copy({"checkpointer": InMemorySaver()})
    thread = {"configurable": {"thread_id": "one"}}
    asked = {"video": str(clip), "question": "How many shots are there?"}
    first = await graph.ainvoke(asked, thread)
    state = await graph.aget_state(thread)
    assert state.values["answer"] == first["answer"]
    assert first["answer"]["usage"]["steps"] > 0


async def test_errors_are_the_agents(graph, tmp_path):
    with pytest.raises(VideoError, match="nowhere"):
        await graph.ainvoke({"video": str(tmp_path / "nowhere.mp4"), "question": "What?"})
