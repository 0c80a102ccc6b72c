"""The agent as graphs for LangGraph's own tools (`langgraph dev`, Studio), named in `langgraph.json`.

`graph` takes a question about a video; its only node calls `vidagent.api`, and the run's events are the graph's custom
stream. Drawings show the agent's own graph within that node. `chat` takes messages, for Agent Chat UI.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel, Field

from vidagent import api
from vidagent.api.langchain import custom_stream
from vidagent.graphs.answer_graph import build
from vidagent.types import Budget


class Input(BaseModel):
    """A question about a video."""

    video: str = Field(description="path of a video on this machine")
    question: str = Field(description="the question")
    options: list[str] | None = Field(default=None, description="at least two answers to choose from")
    budget: Budget | None = Field(
        default=None, description='limits on its cost, such as {"seconds": 60, "frames": 200}'
    )


class Output(BaseModel):
    """The `Answer`, as `vidagent ask --json` prints it."""

    answer: dict[str, Any]


class _State(Input):
    answer: dict[str, Any] | None = None


class _Ask(RunnableLambda[_State, dict[str, Any]]):
    """The node, with the agent's graph as a dependency, so that drawings show the steps."""

    @cached_property
    def deps(self) -> list[Runnable[Any, Any]]:
        """The graphs within this node."""
        return [build()]


async def _ask(question: _State) -> dict[str, Any]:
    """Answer a question; the run's events go to the custom stream."""
    answer = await api.aanalyze_video(
        question.video,
        question.question,
        options=question.options,
        budget=question.budget,
        on_event=custom_stream(),
    )
    return {"answer": answer.to_dict()}


def _studio_graph() -> CompiledStateGraph[_State, None, Input, Output]:
    graph = StateGraph(_State, input_schema=Input, output_schema=Output)
    graph.add_node("vidagent", _Ask(_ask))
    graph.add_edge(START, "vidagent")
    graph.add_edge("vidagent", END)
    return graph.compile()


graph = _studio_graph()
chat = api.as_graph()
