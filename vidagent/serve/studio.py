"""The agent as a graph that LangGraph's own tools open (`langgraph dev`, Studio): named in `langgraph.json`.

It is no second agent: its one node asks `vidagent.api` as every door does, and what it tells while it runs comes as the
graph's custom stream. The steps stand in the drawing under that node, as the graph that the run takes is drawn there.
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
    """What is asked."""

    video: str = Field(description="path of a video on this machine")
    question: str = Field(description="the question")
    options: list[str] | None = Field(default=None, description="at least two answers to choose from")
    budget: Budget | None = Field(
        default=None, description='what it may cost, such as {"seconds": 60, "frames": 200}'
    )


class Output(BaseModel):
    """What comes of it: the `Answer`, as `vidagent ask --json` prints it."""

    answer: dict[str, Any]


class _State(Input):
    answer: dict[str, Any] | None = None


class _Ask(RunnableLambda[_State, dict[str, Any]]):
    """The node; the graph that its runs take is told to be a part of it, so that drawings show the steps."""

    @cached_property
    def deps(self) -> list[Runnable[Any, Any]]:
        """What is within."""
        return [build()]


async def _ask(asked: _State) -> dict[str, Any]:
    """Answer a question; what happens meanwhile goes to the custom stream."""
    tell, here = get_stream_writer(), copy_context()

    def hear(event: Event) -> None:
        if event.kind != "answer":
            here.copy().run(tell, {"kind": event.kind, "step": event.step, "text": event.text})

    # The run keeps checkpoints of its own, which those of the graph around it would take the place of.
    var_child_runnable_config.set(None)
    answer = await api.aanalyze_video(
        asked.video, asked.question, options=asked.options, budget=asked.budget, on_event=hear
    )
    return {"answer": answer.to_dict()}


def _around() -> CompiledStateGraph[_State, None, Input, Output]:
    drawn = StateGraph(_State, input_schema=Input, output_schema=Output)
    drawn.add_node("vidagent", _Ask(_ask))
    drawn.add_edge(START, "vidagent")
    drawn.add_edge("vidagent", END)
    return drawn.compile()


graph = _around()
