"""The agent as a graph for LangGraph's own tools (`langgraph dev`, Studio), named in `langgraph.json`.

Its only node calls `vidagent.api`, and the run's events are the graph's custom stream. Drawings show the agent's own
graph within that node.
"""

from __future__ import annotations

from contextvars import copy_context
from functools import cached_property
from typing import Any

from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel, Field

from vidagent import api
from vidagent.graphs.answer_graph import build
from vidagent.graphs.events import Event
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
    write, context = get_stream_writer(), copy_context()

    def report(event: Event) -> None:
        if event.kind != "answer":
            context.copy().run(write, {"kind": event.kind, "step": event.step, "text": event.text})

    # The run writes its own checkpoints, which the surrounding graph's would replace.
    var_child_runnable_config.set(None)
    answer = await api.aanalyze_video(
        question.video, question.question, options=question.options, budget=question.budget, on_event=report
    )
    return {"answer": answer.to_dict()}


def _studio_graph() -> CompiledStateGraph[_State, None, Input, Output]:
    graph = StateGraph(_State, input_schema=Input, output_schema=Output)
    graph.add_node("vidagent", _Ask(_ask))
    graph.add_edge(START, "vidagent")
    graph.add_edge("vidagent", END)
    return graph.compile()


graph = _studio_graph()
