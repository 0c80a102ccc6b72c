"""The agent as a part of other agents: a tool in LangChain's `create_agent`, and a graph of messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

import vidagent
from tests.media.make import encode
from vidagent.api import langchain
from vidagent.errors import UsageError, VideoError

SHOTS = "How many shots are there?"


class Caller(FakeMessagesListChatModel):
    """A model of another agent, which replies by a list."""

    def bind_tools(self, tools, **_):
        return self


def calling(**arguments):
    call = {"name": "ask_video", "args": arguments, "id": "call-1"}
    return Caller(responses=[AIMessage("", tool_calls=[call]), AIMessage("done")])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("langchain") / "my clip.mp4"
    encode(path, range(0, 2000, 40))
    return path


@pytest.fixture(autouse=True)
def _signals(monkeypatch):
    monkeypatch.setenv("VIDAGENT_MODEL", "signals")


@pytest.fixture
def tool(clip):
    return vidagent.as_tool(clip, budget={"seconds": 60, "steps": 6})


def test_another_agent_reads_what_the_tool_is_for(tool):
    assert tool.name == "ask_video"
    assert "my clip.mp4 (0:02.000 long, 320x180)" in tool.description
    assert set(tool.tool_call_schema.model_json_schema()["properties"]) == {"question", "options"}


async def test_create_agent_gets_the_answer_and_its_evidence(tool):
    agent = create_agent(calling(question=SHOTS), [tool], checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "one"}}
    state = await agent.ainvoke({"messages": [HumanMessage("Look at it.")]}, thread)
    told = next(message for message in state["messages"] if isinstance(message, ToolMessage))
    assert told.status == "success"
    assert told.text.startswith("1 shot")
    assert "\nstatus: answered\n" in told.text
    assert told.artifact["budget"]["limit"]["steps"] == 6
    assert told.artifact["run_id"]
    assert (await agent.aget_state(thread)).values["messages"][-1].text == "done"


def test_an_error_is_told_to_the_agent(tool):
    agent = create_agent(calling(question=SHOTS, options=["one"]), [tool])
    told = agent.invoke({"messages": [HumanMessage("Look at it.")]})["messages"][-2]
    assert told.status == "error"
    assert told.text == "at least 2 options are needed to choose from, got 1"


def test_a_tool_about_no_video_is_refused_at_once(tmp_path):
    with pytest.raises(VideoError, match="nowhere"):
        vidagent.as_tool(tmp_path / "nowhere.mp4")
    with pytest.raises(UsageError, match="1 to 16 videos, got 0"):
        vidagent.as_tool([])
    with pytest.raises(TypeError, match=r"as_tool\(\) got an unexpected keyword argument 'options'"):
        vidagent.as_tool("a.mp4", options=["a", "b"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"budget": {"x": 1}}, "a budget has no limit 'x'"),
        ({"budget": {"seconds": -1}}, "budget seconds must be a number, more than 0; got -1"),
        ({"base_url": "nonsense"}, "base_url .*; got 'nonsense'"),
    ],
)
def test_a_tool_with_bad_arguments_is_refused_at_once(clip, arguments, told):
    with pytest.raises(UsageError, match=told):
        vidagent.as_tool(clip, **arguments)


@pytest.mark.parametrize("video", [None, 7, [None]])
def test_a_video_that_is_no_path_is_refused(video):
    with pytest.raises(UsageError, match=r"a video is a path, or several in a list; got (None|7)$"):
        vidagent.as_tool(video)


async def test_a_conversation_names_its_video_once(clip):
    graph = vidagent.as_graph()
    graph.checkpointer = InMemorySaver()
    thread = {"configurable": {"thread_id": "two"}}

    async def say(text):
        state = await graph.ainvoke({"messages": [HumanMessage(text)]}, thread)
        return state["messages"][-1]

    assert "Which video?" in (await say(SHOTS)).text
    assert (await say(f'"{clip}"')).text == "What do you want to know about my clip.mp4?"
    first = await say(SHOTS)
    assert first.text.startswith("1 shot")
    again = await say(f'How many shots are in "{clip}"?')
    answers = [message.response_metadata["answer"] for message in (first, again)]
    assert answers[0]["video"]["path"] == answers[1]["video"]["path"] == str(clip)
    assert [len(session.turns) for session in vidagent.api.list_sessions()] == [2]


def test_paths_that_end_alike_are_told_apart(tmp_path, monkeypatch):
    asked = []
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "other/a.mp4"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()

    async def ask(videos, question, **_):
        asked.append((videos, question))
        raise VideoError("asked")

    monkeypatch.setattr(langchain, "aanalyze_video", ask)
    vidagent.as_graph().invoke({"messages": [HumanMessage("Is a.mp4 longer than other/a.mp4, or is a.mp4?")]})
    assert asked == [(["a.mp4", "other/a.mp4"], "Is the video 1 longer than the video 2, or is the video 1?")]


async def test_a_graph_within_another_ones_takes_questions_side_by_side(clip):
    outer = StateGraph(MessagesState)
    outer.add_node("first", vidagent.as_graph(clip))
    outer.add_node("second", vidagent.as_graph(clip))
    outer.add_edge(START, "first")
    outer.add_edge(START, "second")
    graph = outer.compile(checkpointer=InMemorySaver())
    state = await graph.ainvoke({"messages": [HumanMessage(SHOTS)]}, {"configurable": {"thread_id": "three"}})
    assert [message.text[:6] for message in state["messages"][1:]] == ["1 shot", "1 shot"]


def test_an_error_is_a_reply_that_says_so(tmp_path):
    state = vidagent.as_graph(tmp_path / "gone.mp4").invoke({"messages": [HumanMessage(SHOTS)]})
    reply = state["messages"][-1]
    assert reply.text.startswith("No answer: ")
    assert reply.response_metadata["error"]["type"] == "VideoError"
