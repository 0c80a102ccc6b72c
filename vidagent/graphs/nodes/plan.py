"""The planner's turn: its prompt and tools, and the handling of its calls."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from vidagent.agents.client.client import ReplyError
from vidagent.agents.client.limits import prompt_tokens
from vidagent.agents.prompting.messages import frame_load, plan_messages
from vidagent.errors import BudgetSpent, ToolError
from vidagent.graphs import policy
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.evidence.contradictions import contradicted, contradictions
from vidagent.graphs.evidence.ledger import Entry, summary
from vidagent.graphs.evidence.parts import between_cuts, from_claims, with_kept, with_named_ends
from vidagent.graphs.nodes import describe
from vidagent.graphs.nodes.classify import advice, turns_text
from vidagent.graphs.nodes.cut_off import answered
from vidagent.graphs.nodes.look import run_tool
from vidagent.graphs.nodes.planner_turn import read_turn
from vidagent.graphs.nodes.survey import GRID, OVERVIEW
from vidagent.graphs.nodes.trim import leave_out
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Update, refusal
from vidagent.graphs.strategies import gaps
from vidagent.graphs.strategies.shots import Shots
from vidagent.graphs.strategies.sweep import Count, Sweep, count_of, recount, with_places
from vidagent.images.shown_frame import ShownFrame
from vidagent.tools import NAMES
from vidagent.tools.answer import Draft
from vidagent.tools.data_schema import Schema, faults
from vidagent.types import BudgetName

MAX_DOUBTS = 1
"""Most times a draft is sent back because looks contradict each other."""

_FOLLOWS = (
    "The question follows on those in <earlier>; the ledger and your turns above hold what was seen for them. Look "
    "only for what they do not show: a time that they know is not looked at again for the same thing."
)

_DATA = (
    "The answer is wanted as `data` of the tool `answer`, beside a sentence in `answer`: each value that was seen, "
    "with its place in `sources`, and null for what was not."
)
_MOST_FAULTS = 8
MAX_FORMAT_RETRIES = 2
"""Format retries before invalid fields are dropped."""


async def plan(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Ask the planner for looks or for the answer."""
    step = progress.state.get("step", 0) + 1
    limit = run.budget.steps
    if step > (limit or policy.MAX_STEPS):
        raise BudgetSpent("steps")
    run.tell("step", f"planning, step {step}{f' of {limit}' if limit else ''}", "plan", number=step)
    entries = progress.entries
    count = count_of(progress, entries, run.index.known_cuts())
    landing = progress.state.get("landing") or policy.must_answer(step, run.meter, entries)
    overview = next((entry for entry in entries if entry.id == OVERVIEW), None)
    covered = step == 1 and overview is not None and _is_covered(progress, overview)
    if covered:
        entries = [entry for entry in entries if entry is not overview]
    messages, left_out = _messages(progress, run, entries, step, landing, count)
    stills = overview.look.stills if overview is not None and step == 1 and not covered else ()
    message = await answered(
        _ask(run, meter, messages, landing, in_parts=progress.in_parts), OVERVIEW, stills, meter
    )
    turn = read_turn(message, step, progress.state.get("asked", []), entries, policy.looks_allowed(run.meter))
    update: Update = {"step": step, "calls": list(turn.calls), "asked": list(turn.calls), "draft": None}
    describing = bool(turn.calls) and not covered and describe.wanted(progress, run, step)
    update |= {"left_out": left_out, "describing": describing}
    if landing:
        update["landing"] = landing
    if stills:
        update["unanswered"] = {OVERVIEW: None}
    if covered and overview is not None:  # nobody has seen it
        unseen = dataclasses.replace(overview, look=dataclasses.replace(overview.look, stills=()))
        update["ledger"] = [unseen.to_dict()]
    replies = list(turn.refused)
    if turn.answer is not None:
        call_id, args = turn.answer
        try:
            draft = with_places(await asyncio.to_thread(_draft, progress, run, args, entries), count)
            draft = await asyncio.to_thread(_with_parts, progress, run, draft)
            update |= {"draft": draft.model_dump(mode="json"), "draft_call": call_id, "stage": "drafted"}
        except ToolError as error:
            run.tell("note", f"answer: {error}", "plan")
            replies.append(refusal(call_id, str(error)))
            update["sent_back"] = progress.state.get("sent_back", 0) + 1
        else:
            sent_back = None if landing else _sent_back(progress, call_id, draft, entries, count)
            if sent_back is not None:
                reply, changes = sent_back
                update |= {"draft": None, **changes}
                replies.append(reply)
    return {**update, "history": [message, *replies]}


def _sent_back(
    progress: Progress, call_id: str, draft: Draft, entries: Sequence[Entry], count: Count | None
) -> tuple[ToolMessage, Update] | None:
    """Send back a draft that looks contradict, or that disagrees with the sweep's count, and count it in the state."""
    if (doubt := _doubted(progress, call_id, draft, entries)) is not None:
        return doubt, {"doubts": progress.state.get("doubts", 0) + 1}
    if (again := recount(progress, call_id, draft, count)) is not None:
        return again, {"recounts": progress.state.get("recounts", 0) + 1}
    return None


def _doubted(progress: Progress, call_id: str, draft: Draft, entries: Sequence[Entry]) -> ToolMessage | None:
    """Send back a draft that rests only on contradicted looks, or says no in spite of a contradiction."""
    named = [claim.ledger for claim in draft.claims if claim.ledger]
    rests = all(contradicted(entries, ids) for ids in named) if named else draft.found != "yes"
    own = {entry.id for entry in progress.own_entries}
    clashes = contradictions(entries) if rests else []
    doubts = [str(clash) for clash in clashes if named or {clash.found, clash.missed} & own]
    if not doubts or progress.state.get("doubts", 0) >= MAX_DOUBTS:
        return None
    return refusal(call_id, "; ".join(doubts))


def _messages(
    progress: Progress,
    run: Run,
    entries: Sequence[Entry],
    step: int,
    landing: BudgetName | None,
    count: Count | None,
) -> tuple[list[BaseMessage], int]:
    """Return the planner's messages, and how many messages of its history are left out."""
    profile, overview = run.client.profile, _overview(progress, run, entries, step)
    history, left_out = progress.state.get("history", []), progress.state.get("left_out", 0)
    known = [str(clash) for clash in contradictions(entries)] + (count.lines() if count else [])

    def lay_out(left_out: int) -> list[BaseMessage]:
        return plan_messages(
            progress.question,
            progress.options,
            progress.state["facts"],
            overview,
            summary(entries, known),
            step,
            step if landing else run.budget.steps,
            history[left_out:],
            [
                *_advice(progress, run, landing, left_out),
                *advice(progress, run.length),
                *([_DATA] if run.schema is not None else []),
                *([count.advice()] if count else []),
            ],
            turns_text(progress.state.get("earlier", [])),
        )

    messages = lay_out(left_out)
    prompt = prompt_tokens(messages, frame_load(messages), profile.frame_tokens)
    room = run.client.prompt_room("plan", list(run.tools.values()))
    fewer = leave_out(history, left_out, prompt, room)
    return (messages if fewer == left_out else lay_out(fewer)), fewer


def _advice(progress: Progress, run: Run, landing: BudgetName | None, left_out: int) -> list[str]:
    """Return lines for this turn: which tools are missing, which fit now, and which history is left out."""
    lines = ["Your first turns are left out here; what they showed stands in the ledger."] if left_out else []
    if progress.follows:
        lines.append(_FOLLOWS)
    missing = [name for name in NAMES if name not in run.tools]
    if missing:
        lines.append(f"Not offered here: {', '.join(missing)}.")
    fitting = policy.fitting(run.client.profile.planner, progress.entries)
    if landing is None and fitting != NAMES:
        lines.append(f"Tools that fit now: {', '.join(name for name in fitting if name in run.tools)}.")
    return lines if landing else [*lines, *gaps.advice(progress, run)]


async def _ask(
    run: Run,
    meter: StepMeter,
    messages: list[BaseMessage],
    landing: BudgetName | None,
    *,
    in_parts: bool,
) -> AIMessage:
    """Send the request, with the same tools in every turn.

    Raises:
        BudgetSpent: If it was the last turn and brought no usable answer.
    """
    tools = list(run.tools.values())
    try:
        return await run.client.plan(
            messages,
            tools,
            meter,
            must_call="answer" if landing else None,
            long=in_parts,
            on_stream=run.thought_listener("plan"),
        )
    except ReplyError:
        if landing is None:
            raise
        raise BudgetSpent(landing) from None


def _is_covered(progress: Progress, overview: Entry) -> bool:
    """Tell whether looks shot by shot have shown the overview's range to the model at least as finely."""
    described = {name for names in progress.proposed_by(Shots.name) for name in names}
    looks = [entry for entry in progress.entries if entry.id in described and entry.observation is not None]
    start_s, end_s = overview.look.start_s, overview.look.end_s
    step_s = gaps.longest_gap([overview], start_s, end_s)
    return bool(looks) and gaps.longest_gap(looks, start_s, end_s) <= step_s


def _overview(progress: Progress, run: Run, entries: Sequence[Entry], step: int) -> list[ShownFrame]:
    """Return the overview's pictures in this turn's form while they are a small part of the remaining budget.

    A follow-up question goes without them: they cost more than everything else such a question takes. After a sweep,
    which is finer than the overview, even the first turn has them as grids.
    """
    profile = run.client.profile
    form = profile.overview_form if step == 1 else profile.overview_again
    if step == 1 and progress.proposed_by(Sweep.name):
        form = "grid"
    overview = next((entry for entry in entries if entry.id == OVERVIEW and entry.look.stills), None)
    if overview is None or (form == "text" and overview.observation is not None):
        return []
    stills = list(overview.look.stills)
    if progress.follows or form == "none" or run.meter.share(len(stills)) < len(stills):
        return []
    if form != "frames":  # a description that failed leaves the grids
        stills = [GRID.validate_python(grid) for grid in progress.state.get("grids", [])]
    return [run.store.load(still) for still in stills]


def _draft(progress: Progress, run: Run, args: dict[str, object], entries: list[Entry]) -> Draft:
    """Parse the arguments of `answer`; errors that its schema does not catch are sent back a limited number of times.

    Raises:
        ToolError: If they cannot be used.
    """
    draft = run_tool(run.tools["answer"], args)
    if not isinstance(draft, Draft):
        raise ToolError("answer takes a draft")
    if draft.found == "yes" and not (
        draft.claims or draft.parts or progress.told or draft.data is not None
    ):  # parts that stand are kept
        raise ToolError("an answer with found=yes needs at least one claim with its time_s, or parts")
    options, known = progress.options or [], {entry.id for entry in entries}
    claims = [claim.model_copy(update={"ledger": _ids(claim.ledger)}) for claim in draft.claims]
    parts = [
        part.model_copy(update={"ledger": [name for name in _ids(part.ledger) if name in known]})
        for part in draft.parts
    ]
    unknown = {name for claim in claims for name in claim.ledger} - known
    lenient = (
        progress.state.get("sent_back", 0) >= MAX_FORMAT_RETRIES or progress.state.get("landing") is not None
    )
    if (
        run.schema is not None
        and draft.found == "yes"
        and not (lenient or run.client.profile.lacks("wording"))
    ):
        _check_data(run.schema, draft)
    if unknown and not lenient:
        listed = ", ".join(sorted(known)) or "none; look first"
        raise ToolError(f"no ledger entry is called {', '.join(sorted(unknown))}; there are: {listed}")
    choice = draft.choice
    if choice is not None and not 0 <= choice < len(options):
        if options and not lenient:
            raise ToolError(f"choice must be from 0 to {len(options) - 1}, got {choice}")
        choice = None
    if (
        choice is None
        and options
        and draft.found == "yes"
        and not (lenient or progress.state.get("sent_back"))
    ):
        raise ToolError(f"give `choice`, from 0 to {len(options) - 1}; if no option fits, found is no")
    cited = [claim.model_copy(update={"ledger": [n for n in claim.ledger if n in known]}) for claim in claims]
    sources = [
        one.model_copy(update={"ledger": [name for name in _ids(one.ledger) if name in known]})
        for one in draft.sources
    ]
    return draft.model_copy(update={"claims": cited, "parts": parts, "choice": choice, "sources": sources})


def _check_data(schema: Schema, draft: Draft) -> None:
    """Check that the data of a draft follows the schema.

    Raises:
        ToolError: If it does not; the text names the places, as many as the planner can put right at once.
    """
    found = faults(schema, draft.data)
    if draft.data is None:
        raise ToolError("give `data`, which follows its schema, with null for what no observation shows")
    if found:
        lines = [f"{place or 'the whole'}: {why}" for place, why in [*found.items()][:_MOST_FAULTS]]
        raise ToolError(f"`data` does not follow its schema: {'; '.join(lines)}")


def _with_parts(progress: Progress, run: Run, draft: Draft) -> Draft:
    """Return a draft with the parts it means: between cuts, and with those of an earlier draft that stand.

    It is told either in parts or by claims, as the question wants it: both would be checked twice. The places of a
    summary are its highlights. Rules draft a headline of claims, beside parts that say something else.
    """
    if progress.in_parts:
        draft = from_claims(draft, run.video.info.frame_s)
    if draft.parts and draft.claims and not run.client.profile.lacks("wording"):
        told: Update = {"claims": []} if progress.in_parts else {"parts": []}
        if progress.in_parts and run.length is None:
            told["spans"] = []
        draft = draft.model_copy(update=told)
    info = run.video.info
    draft = draft.model_copy(update={"parts": with_named_ends(draft.parts, info.duration_s, info.frame_s)})
    if draft.parts and run.index.scanned():
        parts = between_cuts(draft.parts, run.index.scan().cuts_s, progress.entries)
        draft = draft.model_copy(update={"parts": parts})
    return with_kept(draft, progress.told)


def _ids(names: list[str]) -> list[str]:
    """Normalise `2`, `l2` and `[L2]` to `L2`."""
    matches = [re.fullmatch(r"\W*[Ll]?(\d+)\W*", name) for name in names]
    return [f"L{int(match[1])}" if match else name for match, name in zip(matches, names, strict=True)]
