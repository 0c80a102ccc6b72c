"""One look: run the tool, show the model its frames in a fresh context, and record the observation."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence

from langchain_core.messages import ToolMessage
from langchain_core.tools import StructuredTool
from pydantic import ValidationError

from vidagent.agents.client.client import ReplyError
from vidagent.agents.profiles.schema import Shown
from vidagent.agents.prompting.messages import look_messages, shots_messages
from vidagent.agents.prompting.replies import Description, Observation
from vidagent.errors import BudgetSpent, ToolError
from vidagent.graphs import policy
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.evidence.contradictions import known_from
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.nodes.cut_off import answered
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Call, Run, Update, refusal
from vidagent.graphs.strategies import BY_NAME
from vidagent.graphs.strategies.shots import told
from vidagent.graphs.strategies.strategy import FRAMES, look_at_frames
from vidagent.images.shown_frame import ShownFrame
from vidagent.text import counted, short_number
from vidagent.tools import MAKERS, Look, ToolContext
from vidagent.tools.answer import Draft
from vidagent.video.cache.video_cache import FoundText

_ROUNDED_S = 0.05
"""How far off a time rounded to a tenth may be, if one frame was shown."""


async def look(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Do one look; errors are reported to the planner. An edge may stay as it is."""
    call = progress.state["calls"][0]
    meter.partial = _undone(call, "a budget ended the run before this look was done")
    try:
        entry = await _take(progress, run, call, meter)
    except (ToolError, ReplyError) as error:
        run.tell("note", f"{call['tool']}: {error}", "look")
        return _undone(call, str(error))
    except BudgetSpent as spent:
        if "by" in call and BY_NAME[call["by"]].optional and spent.name != "seconds":
            return _undone(call, str(spent))
        if spent.name != "frames":
            raise
        return {**_undone(call, f"{spent}; answer with what is known"), "landing": spent.name}
    seen = entry.observation
    if seen is not None:
        run.tell("observation", seen.what, "look", id=entry.id, found=seen.found, confidence=seen.confidence)
    if "by" in call:
        return {"ledger": [entry.to_dict()]}
    reply = entry.for_planner(policy.hint(call, progress.state["asked"]))
    return {"history": [ToolMessage(reply, tool_call_id=call["id"])], "ledger": [entry.to_dict()]}


def _undone(call: Call, why: str) -> Update:
    """Record why a look was not done: to the planner at once, or, if a strategy proposed it, with its other looks."""
    if "by" not in call:
        return {"history": [refusal(call["id"], why)]}
    return {"undone": {call["entry"]: why}}


async def _take(progress: Progress, run: Run, call: Call, meter: StepMeter) -> Entry:
    """Run the tool, and let the observer look at its pictures.

    Raises:
        ToolError: With text for the planner.
        ReplyError: If the observer's replies cannot be used.
        BudgetSpent: If a budget does not allow it.
    """
    abreast = [other["entry"] for other in progress.state["asked"] if other["turn"] == call["turn"]]
    sharers = len(abreast) - abreast.index(call["entry"])
    use = look_at_frames if "by" in call and call["tool"] == FRAMES else _looked
    seen = await _use(run, lambda desk: use(desk, call), meter, sharers)
    if "by" not in call and (known := known_from(progress.entries, seen)) is not None:
        raise ToolError(
            f"{known.id} looked there for this, no coarser, for an earlier question: {known.for_planner()}"
        )
    run.tell("look", _line(seen), "look", id=call["entry"], **_event_data(seen))
    if not seen.stills:
        return Entry(call["entry"], seen, None)
    if "by" in call and BY_NAME[call["by"]].describes:
        return await _described(progress, run, call, seen, meter)
    facts = "\n".join(seen.facts)  # its notes are for the planner: an observer cannot turn pages
    messages = look_messages(progress.state["question"], progress.options, seen.question, seen.stills, facts)
    purpose: Shown = "overview" if seen.tool == "overview" else "look"
    observation = await answered(
        run.client.ask("look", messages, Observation, meter, shown=purpose), call["entry"], seen.stills, meter
    )
    entry = Entry(call["entry"], seen, on_frames(observation, seen.stills))
    _keep_texts(run, entry)
    return entry


async def _described(progress: Progress, run: Run, call: Call, seen: Look, meter: StepMeter) -> Entry:
    """Have some shots described."""
    times, cuts_s = [still.time_s for still in seen.stills], run.index.scan().cuts_s
    shots = len({bisect_right(cuts_s, time_s) for time_s in times})
    messages = shots_messages(progress.question, seen.stills, shots)
    described = await answered(
        run.client.ask("look", messages, Description, meter, shown="look"), call["entry"], seen.stills, meter
    )
    info = run.video.info
    others_s = [
        time_s
        for other in progress.state["asked"]
        if other.get("by") == call["by"] and other["entry"] != call["entry"]
        for time_s in other["args"]["times_s"]
    ]
    observed = told(described.scenes, times, cuts_s, info.duration_s, info.frame_s, others_s)
    return Entry(call["entry"], seen, observed)


async def _use(run: Run, use: Callable[[ToolContext], Look], meter: StepMeter, sharers: int) -> Look:
    """Run the tool; it shares the remaining frames with later looks, and releases those it does not show."""
    desk = run.desk(lambda frames: meter.grant(frames, sharers))
    async with run.decoding:
        before = run.video.frames_decoded
        try:
            seen = await asyncio.to_thread(use, desk)
        finally:
            meter.decoded(run.video.frames_decoded - before)
        meter.settle(len(seen.stills))
    return seen


def _looked(desk: ToolContext, call: Call) -> Look:
    seen = run_tool(MAKERS[call["tool"]](desk), call["args"])
    if not isinstance(seen, Look):
        raise ToolError(f"{call['tool']} looks at nothing")
    return seen


def run_tool(tool: StructuredTool, args: dict[str, object]) -> Look | Draft:
    """Run a tool with the model's arguments.

    Raises:
        ToolError: If they do not match the schema; the text names each and what was wrong.
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


def on_frames(observation: Observation, stills: Sequence[ShownFrame]) -> Observation:
    """Snap the times of sightings to the frames shown.

    A server that writes times into a video rounds them, or gives two frames their midpoint. A time more than half a
    frame distance before the first or after the last frame belongs to no frame, and stays as it is.
    """
    times_s = sorted({round(still.time_s, 3) for still in stills})
    placed = [
        sighting.model_copy(update={"time_s": _frame_at(sighting.time_s, times_s)})
        for sighting in observation.sightings
    ]
    return observation.model_copy(update={"sightings": placed})


def _frame_at(time_s: float, times_s: Sequence[float]) -> float:
    nearest = min(times_s, key=lambda shown_s: abs(shown_s - time_s))
    end = times_s[:2] if time_s < times_s[0] else times_s[-2:]
    reach_s = (end[1] - end[0]) / 2 if len(end) > 1 else _ROUNDED_S
    inside = times_s[0] <= time_s <= times_s[-1]
    return nearest if inside or abs(time_s - nearest) <= reach_s else time_s


def _keep_texts(run: Run, entry: Entry) -> None:
    sightings = entry.observation.sightings if entry.observation else []
    found = [FoundText(s.time_s, s.text, entry.box_px(s)) for s in sightings if s.text]
    if found:
        run.index.note_texts(found)


def _line(look: Look) -> str:
    times = f"{look.start_s:.3f}-{look.end_s:.3f} s"
    frames = counted(len(look.stills), "frame") if look.stills else "the index"
    at = f" at {short_number(look.fps)} fps" if look.fps and look.stills else ""
    return f"{look.tool} {times}, {frames}{at}: {look.question}"


def _event_data(look: Look) -> dict[str, object]:
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
