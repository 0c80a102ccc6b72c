"""Planner policy: which tools to advise, when it has to answer, and when to suggest something else."""

from __future__ import annotations

from collections.abc import Sequence

from vidagent.graphs.budget import Meter
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.state import Call
from vidagent.tools import NAMES
from vidagent.types import BudgetName

MAX_STEPS = 40
"""Planner turns if the budget sets no limit."""

_CLOSE_S = 1.0
_PATIENCE = 3
MOST_LOOKS = 6
_ANSWERING_CALLS = 2
"""Requests needed to answer: the plan, and one for the verdicts; without more, the claims are the answer's words."""
LEAST_CALLS = _ANSWERING_CALLS + 2
"""Requests of the shortest run that looks: a plan, a look, and the answer."""


def fitting(planner: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the names of the tools that fit now.

    For a `free` planner all do. For a `phased` one they narrow, first in time, then in space:

    1. Nothing found yet: `overview` (once), `search`, `clip`. After three looks in vain, all.
    2. Found, but in frames more than a second apart: `search`, `clip`, `resample`.
    3. Found in a search's moments, in a crop, or in frames at most a second apart: `clip`, `resample`, `crop`.

    "Cannot be judged" counts as found: what is too small or too brief to judge needs a closer look. An overview shown
    to the planner itself counts as found if its frames are at most a second apart. `answer` always fits. This is
    advice only: every turn offers all tools, as they stand at the start of the prompt and changing them would
    invalidate the server's prefix cache. Calls of tools that do not fit are still done.
    """
    looks = [entry for entry in entries if entry.look.stills]
    hits = [entry for entry in looks if _hit(entry)]
    if planner == "free" or (not hits and len(looks) >= _PATIENCE):
        return NAMES
    if not hits:
        seen = any(entry.look.tool == "overview" for entry in looks)
        return ("search", "clip", "answer") if seen else ("overview", "search", "clip", "answer")
    if any(_close(entry) for entry in hits):
        return ("clip", "resample", "crop", "answer")
    return ("search", "clip", "resample", "answer")


def must_answer(step: int, meter: Meter, entries: Sequence[Entry]) -> BudgetName | None:
    """Return the budget that makes this turn the last, or None.

    It is the last at the step limit, or when too few requests would be left to look again and still answer.
    """
    if step >= (meter.budget.steps or MAX_STEPS):
        return "steps"
    calls = meter.left("model_calls")
    return "model_calls" if entries and calls is not None and calls < LEAST_CALLS else None


def looks_allowed(meter: Meter) -> int:
    """Return how many looks one turn may request, so that enough requests are left to answer."""
    calls = meter.left("model_calls")
    return MOST_LOOKS if calls is None else max(1, min(MOST_LOOKS, int(calls) - _ANSWERING_CALLS))


def hint(call: Call, calls: Sequence[Call]) -> str | None:
    """Return advice for a planner that has used only one tool for three turns in a row, else None."""
    tools: dict[int, set[str]] = {}
    for earlier in calls:
        if earlier["turn"] <= call["turn"]:
            tools.setdefault(earlier["turn"], set()).add(earlier["tool"])
    last = [tools[turn] for turn in sorted(tools)[-_PATIENCE:]]
    if len(last) < _PATIENCE or any(used != {call["tool"]} for used in last):
        return None
    return f"the last {_PATIENCE} turns used {call['tool']} only: try another tool, or answer"


def _hit(entry: Entry) -> bool:
    if entry.observation is None or not entry.look.question:
        return _close(entry)
    return entry.observation.found is not False


def _close(entry: Entry) -> bool:
    fps = entry.look.fps
    return fps is None or fps * _CLOSE_S >= 1
