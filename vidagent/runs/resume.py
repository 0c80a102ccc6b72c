"""The state that a run starts from: a new one, or the checkpoint of a run that stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from langchain_core.runnables import RunnableConfig

from vidagent.errors import UsageError
from vidagent.graphs.answer_graph import Graph, reopen
from vidagent.graphs.nodes.classify import summary_route
from vidagent.graphs.state import Run, State
from vidagent.runs.request import Request
from vidagent.types import VideoInfo


async def saved_state(graph: Graph, thread: RunnableConfig) -> State:
    """Return the state in the checkpoint; empty if there is none."""
    return cast("State", (await graph.aget_state(thread)).values)  # a dict with the keys of `State`


def check_resumed(earlier: State, request: Request, info: VideoInfo, run_id: str) -> None:
    """Refuse to resume a run about another question or another video.

    Raises:
        UsageError: If the question, the options or the video differ.
    """
    request.check_resumed(earlier, run_id)
    if earlier.get("fingerprint") != info.fingerprint:
        raise UsageError(f"run {run_id} was about another video than {info.path}")


async def start(
    graph: Graph,
    thread: RunnableConfig,
    request: Request,
    run: Run,
    earlier: State,
    session: State | None = None,
    opening: Sequence[dict[str, Any]] = (),
) -> State | None:
    """Return the input that starts the graph: a new state, or None to continue from the checkpoint.

    A run that a budget ended is reopened if its budget is now another one; otherwise it stays ended. `earlier` is the
    state in the checkpoint, `session` the part of a new state that comes from earlier questions of the session, and
    `opening` what was spent before the first step.
    """
    if "facts" not in earlier:
        first = State(
            question=request.question.text,
            options=request.options,
            schema=request.schema,
            fingerprint=run.video.info.fingerprint,
            budget=run.budget.to_dict(),
            history=[],
            ledger=[],
            spent=list(opening),
            ended_by=None,
            ended_in=None,
        )
        if request.length is not None:
            first["route"] = summary_route(request.question.text, request.length)
        if session is not None and not earlier:  # otherwise the checkpoint holds these lists already
            first.update(session)
        return first
    if earlier["budget"] != run.budget.to_dict() and (reopened := reopen(earlier)) is not None:
        update, after = reopened
        await graph.aupdate_state(thread, {**update, "budget": run.budget.to_dict()}, as_node=after)
    return None
