"""How a run starts: from nothing, or where an earlier one stopped."""

from __future__ import annotations

from typing import cast

from langchain_core.runnables import RunnableConfig

from vidagent.errors import UsageError
from vidagent.graphs.answer_graph import Graph, reopen
from vidagent.graphs.state import Run, State
from vidagent.types import Budget, Question, VideoInfo


async def kept_state(graph: Graph, thread: RunnableConfig) -> State:
    """Return the state in the checkpoint; empty where there is none."""
    return cast("State", (await graph.aget_state(thread)).values)  # a dict, with our own keys


def limits(budget: Budget | None, usual: Budget, earlier: State) -> Budget:
    """Return the budget given, else the one that a resumed run had, else the usual one."""
    if budget is not None and budget != Budget():
        return budget
    return Budget(**earlier["budget"]) if "budget" in earlier else usual  # type: ignore[arg-type]  # of `to_dict`


def check_resumed(earlier: State, asked: Question, info: VideoInfo, run_id: str) -> None:
    """Refuse to go on with another question, other options or another video.

    Raises:
        UsageError: If one differs from those of the run.
    """
    if earlier.get("question") != asked.text:
        raise UsageError(f"run {run_id} asked {earlier.get('question')!r}, not {asked.text!r}")
    if tuple(earlier.get("options") or ()) != (asked.options or ()):
        raise UsageError(f"run {run_id} had other options: {earlier.get('options')!r}")
    if earlier.get("video_sha256") != info.sha256:
        raise UsageError(f"run {run_id} was about another video than {info.path}")


async def start(
    graph: Graph,
    thread: RunnableConfig,
    asked: Question,
    run: Run,
    earlier: State,
    before: State | None = None,
) -> State | None:
    """Return what to start the graph with: a new state, or None to go on where it stopped.

    A run that a budget ended is opened again if it now has another one; else it stays as it ended.

    Args:
        graph: The graph.
        thread: Its checkpoints.
        asked: The question.
        run: The run.
        earlier: The state that it stopped in; empty for a new one.
        before: The part of a new state that earlier questions of the session make.
    """
    if "facts" not in earlier:
        first = _first_state(asked, run)
        if before is not None and not earlier:  # else the lists of `before` were taken in already
            first.update(before)
        return first
    if earlier["budget"] != run.budget.to_dict() and (reopened := reopen(earlier)) is not None:
        update, after = reopened
        await graph.aupdate_state(thread, {**update, "budget": run.budget.to_dict()}, as_node=after)
    return None


def _first_state(asked: Question, run: Run) -> State:
    return State(
        question=asked.text,
        options=None if asked.options is None else list(asked.options),
        video_sha256=run.video.info.sha256,
        budget=run.budget.to_dict(),
        history=[],
        ledger=[],
        spent=[],
        ended_by=None,
        ended_in=None,
    )
