"""Classify the question: the model says what kind it is before anything is looked at.

The route advises the planner, and selects the questions for which code searches by itself. A run works without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from vidagent.agents.client.client import ReplyError
from vidagent.agents.client.limits import prompt_tokens
from vidagent.agents.prompting.messages import route_messages
from vidagent.agents.prompting.replies import Detail, Kind, Route
from vidagent.errors import BudgetSpent
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.policy import LEAST_CALLS
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Turn, Update
from vidagent.summary import MOST_HIGHLIGHTS, Length
from vidagent.types import BudgetName

_ATTEMPTS = 3
"""Most requests spent on replies that cannot be parsed."""
_BESIDE = (
    "It asks what comes {side} an event: find the event, then look at what lies next to it on that side."
)
_SHARE = 8
"""A route takes at most an eighth of the remaining tokens."""
_MOST_TURNS = 8
_MOST_QUESTION = 2000
_MOST_CHARS = 1000
_MOST_THING = 200

_SEARCHES: dict[Kind, str] = {
    "whole": "It is about the whole video: a few looks spread over it, then closer ones where it is decided.",
    "at_time": "It names a time: look there first, from shortly before to shortly after.",
    "locate": "It asks when or where: halve the range around the change, at a higher rate each time, until the change "
    "lies between two neighbouring frames.",
    "count": "It asks for every one: cover the whole range, in steps shorter than one of them lasts and the time "
    "between two, and give each its own claim and span.",
    "order": "It asks about an order: find when each thing it names comes, and compare the times.",
    "read": "It asks what is written: read it at the moment at which it is seen best.",
    "speech": "It asks what is said: subtitles and the transcript tell that, and pictures do not.",
    "how_long": "It asks how long: find the start and the end, each between the last frame without and the first "
    "frame with it.",
    "whether": "It asks yes or no: one sure frame is a yes, but a no takes the whole range, looked at finely.",
    "choice": "It has options: look for what tells them apart.",
}

_SETTLED = "If what has been seen so far settles it, call `answer` now; no look has to confirm it. If not:"
_WHERE = "It asks where: find one moment that shows it well."
_WITHIN = (
    "It asks how many there are in one picture: find one frame that shows them well, and count there, with a crop if "
    "they are small."
)


_IN_PARTS = (
    "It is answered in parts: `parts` has one entry for each, in order of time, from where it begins to where it ends, "
    "and `answer` is a headline of one or two sentences for them. `found` is yes if there is a part to tell, and no if "
    "nothing of what is asked for is there; the headline then says so. {detail}"
)
_SENT_BACK = (
    "It is answered in parts. Put right only those that the reply to your `answer` lists, as the others stand; two may "
    "take the place of one. The headline sums up all parts."
)
_SUMMARY = (
    "The parts become chapters: each covers what belongs together, and begins with a short sentence, of at most eight "
    "words, that can be its title. `spans` are the highlights: up to {most} moments most worth seeing, each in a part."
)
_DETAIL: dict[Detail, str] = {
    "brief": "It is wanted briefly: few parts, each in a short sentence.",
    "normal": "Each part is told in a sentence or two; what looks and goes on the same is one part.",
    "detailed": "It is wanted in detail: as many parts as there are, with all that the ledger shows of each.",
}


async def route(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Ask what kind of question it is, if the budget has room; else a run under another budget tries again."""
    if progress.route is not None:  # it is known from the start, as that of a summary
        return {}
    if run.client.profile.lacks("route"):
        return {"route": {}}
    options, earlier = progress.options, turns_text(progress.state.get("earlier", []))
    messages = route_messages(progress.state["question"], options, progress.state["facts"], earlier)
    if not _affordable(run, messages):
        return {}
    run.tell("step", "reading the question", "route")
    try:
        found = await run.client.ask("route", messages, Route, meter)
    except ReplyError as error:
        run.tell("note", f"the question stays unsorted: {error}", "route")
        return {"route": {}}
    except BudgetSpent as spent:
        if spent.name == "seconds":
            raise
        return {}
    sorted_as = _fitted(found)
    run.tell("step", f"a question of the kind {found.kind}: {found.thing}", "route", route=sorted_as)
    return {"route": sorted_as}


def summary_route(question: str, length: Length) -> dict[str, Any]:
    """Return what kind of question a summary is, which no model needs to say."""
    detail: dict[Length, Detail] = {"short": "brief", "medium": "normal", "long": "detailed"}
    route = Route(
        question=question,
        kind="whole",
        thing="what happens from beginning to end",
        times=True,
        in_parts=True,
        detail=detail[length],
    )
    return route.model_dump(mode="json")


def advice(progress: Progress, length: Length | None) -> list[str]:
    """Return the lines that tell the planner how such a question is searched, and what a summary has."""
    found = progress.route
    if found is None:
        return []
    line = _WITHIN if found.kind == "count" and found.within_picture else _SEARCHES[found.kind]
    if progress.in_parts:
        line = _SEARCHES["whole"]
    elif found.kind == "locate" and not progress.asks_times:
        line = _WHERE
    if found.anchor and found.kind == "order" and not progress.in_parts:
        line = _BESIDE.format(side=found.side or "before or after") + f' The event: "{found.anchor}".'
    if found.start_s is not None or found.end_s is not None:
        line += f" It is about {_part(found)}."
    if progress.in_parts and progress.told:
        return [_SENT_BACK]
    lines = [f"The question is of the kind {found.kind}. {_SETTLED} {line}"]
    if progress.in_parts:
        lines.append(_IN_PARTS.format(detail=_DETAIL[found.detail]))
        if length is not None:
            lines.append(_SUMMARY.format(most=MOST_HIGHLIGHTS[length]))
    elif found.detail != "normal":
        lines.append(f"The answer is wanted {'briefly' if found.detail == 'brief' else 'in detail'}.")
    return lines


def _affordable(run: Run, messages: Sequence[BaseMessage]) -> bool:
    """Tell whether enough is left to look and to answer, even if no reply can be parsed."""
    cap = run.client.profile.completion_tokens.get("route", 0)
    request: dict[BudgetName, float] = {
        "prompt_tokens": prompt_tokens(messages, 0, 0),
        "completion_tokens": cap,
    }
    enough_calls = run.meter.allowance(keep={"model_calls": LEAST_CALLS}).covers({"model_calls": _ATTEMPTS})
    return enough_calls and run.meter.allowance(_SHARE).covers(request)


def _fitted(found: Route) -> dict[str, Any]:
    """Return the route with its texts truncated and without an empty range."""
    start_s, end_s = (None if time_s is None else max(time_s, 0.0) for time_s in (found.start_s, found.end_s))
    if start_s is not None and end_s is not None and start_s > end_s:
        start_s = end_s = None
    return {
        **found.model_dump(mode="json"),
        "question": _cut(found.question, _MOST_QUESTION),
        "thing": _cut(found.thing, _MOST_THING),
        "anchor": None if found.anchor is None else _cut(found.anchor, _MOST_THING),
        "start_s": start_s,
        "end_s": end_s,
    }


def _part(found: Route) -> str:
    start_s, end_s = found.start_s, found.end_s
    if start_s == end_s:
        return f"{start_s:.3f} s"
    return f"{start_s or 0.0:.3f} s to {'the end' if end_s is None else f'{end_s:.3f} s'}"


def turns_text(earlier: Sequence[Turn]) -> str:
    """Format the last turns of a conversation."""
    return "\n\n".join(_turn(turn) for turn in earlier[-_MOST_TURNS:])


def _turn(turn: Turn) -> str:
    lines = [f"asked: {_cut(turn['question'], _MOST_CHARS)}"]
    lines += [
        f"option {number}: {_cut(text, _MOST_THING)}" for number, text in enumerate(turn["options"] or [])
    ]
    lines.append(f"answer ({turn['status']}): {_cut(turn['answer'], _MOST_CHARS)}")
    spans = ", ".join(f"{span['start_s']:.3f}-{span['end_s']:.3f} s" for span in turn["spans"])
    return "\n".join([*lines, f"seen at {spans}"] if spans else lines)


def _cut(text: str, most: int) -> str:
    return " ".join(text.split())[:most]
