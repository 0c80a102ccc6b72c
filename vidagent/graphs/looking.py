"""One look: run the tool, show the model its frames in a fresh context, and enter the observation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from langchain_core.tools import StructuredTool
from pydantic import ValidationError

from vidagent.agents.messages import ShownFrame, look_messages
from vidagent.agents.replies import Observation
from vidagent.errors import ToolError
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.ledger import Entry
from vidagent.graphs.state import Call, Run
from vidagent.images.still import Still
from vidagent.tools import Look, make_tools
from vidagent.tools.answer import Draft
from vidagent.video.cache import FoundText

__all__ = ["read_draft", "shown", "take_look"]


def _run_tool(tool: StructuredTool, args: dict[str, object]) -> Look | Draft:
    """Run a tool with the model's arguments.

    Raises:
        ToolError: If they are not what the schema asks; the text names each and what was wrong.
    """
    try:
        done: Look | Draft = tool.invoke(args)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}, got {item['input']!r}"[:300]
            for item in error.errors()
        )
        raise ToolError(f"{tool.name} was not called rightly: {wrong}") from error
    return done


def read_draft(run: Run, args: dict[str, object]) -> Draft:
    """Read the arguments of `answer`.

    Raises:
        ToolError: If they are not what the schema asks.
    """
    draft = _run_tool(make_tools(run.desk(lambda wanted: wanted))["answer"], args)
    if not isinstance(draft, Draft):
        raise ToolError("answer takes a draft")
    return draft


async def take_look(
    run: Run, call: Call, question: str, options: Sequence[str] | None, meter: StepMeter
) -> Entry:
    """Do one tool call of the planner.

    Args:
        run: The run.
        call: The call.
        question: The question of the run, for context.
        options: Its options.
        meter: Counts what the look costs.

    Raises:
        ToolError: With text for the model.
        BudgetSpent: If no frame is left.
    """
    tool = make_tools(run.desk(meter.grant))[call["tool"]]
    async with run.decoding:
        before = run.video.frames_decoded
        try:
            look = await asyncio.to_thread(_run_tool, tool, call["args"])
        finally:
            meter.decoded(run.video.frames_decoded - before)
    if not isinstance(look, Look):
        raise ToolError(f"{tool.name} looks at nothing")
    run.tell("look", _line(look), "look", id=call["entry"], **_told(look))
    if not look.stills:
        return Entry(call["entry"], look, None)
    notes = "\n".join((*look.facts, *look.notes))
    messages = look_messages(question, options, look.question, shown(run, look.stills), notes)
    observation = await run.client.ask("look", messages, Observation, meter)
    entry = Entry(call["entry"], look, observation)
    _keep_texts(run, entry)
    return entry


def shown(run: Run, stills: Sequence[Still]) -> list[ShownFrame]:
    """Fetch pictures from the store for a message; a crop says which part of the frame it is."""
    whole = (0, 0, run.video.info.width, run.video.info.height)
    return [
        ShownFrame(still.time_s, run.store.get(still.ref), None if still.box_px == whole else still.box_px)
        for still in stills
    ]


def _keep_texts(run: Run, entry: Entry) -> None:
    sightings = entry.observation.sightings if entry.observation else []
    found = [FoundText(s.time_s, s.text, entry.box_px(s)) for s in sightings if s.text]
    if found:
        run.index.note_texts(found)


def _line(look: Look) -> str:
    times = f"{look.start_s:.3f}-{look.end_s:.3f} s"
    frames = f"{len(look.stills)} frames" if look.stills else "the index"
    rate = f" at {look.fps:.3g} fps" if look.fps and look.stills else ""
    return f"{look.tool} {times}, {frames}{rate}: {look.question}"


def _told(look: Look) -> dict[str, object]:
    return {
        "tool": look.tool,
        "start_s": look.start_s,
        "end_s": look.end_s,
        "frames": len(look.stills),
        "fps": look.fps,
        "frame_times_s": [still.time_s for still in look.stills],
        "question": look.question,
        "notes": list(look.notes),
    }
