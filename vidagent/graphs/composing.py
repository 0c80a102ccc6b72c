"""The last request: the answer in words, from the claims that stood up."""

from __future__ import annotations

from vidagent.agents.client import ReplyError
from vidagent.agents.messages import compose_messages
from vidagent.agents.replies import Composition
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.state import Run, State, Update, Verified
from vidagent.tools.answer import Draft

__all__ = ["compose", "stood_up", "supported_words"]


async def compose(state: State, run: Run, meter: StepMeter) -> Update:
    """Ask for the answer, if a claim of a positive draft stood up; else none is needed."""
    verified, draft = stood_up(state), Draft.model_validate(state["draft"]) if state.get("draft") else None
    if draft is None or draft.found != "yes" or not verified:
        return {}
    run.tell("step", "composing the answer", "compose")
    claims = "\n".join(
        f"- [{item['verdict']}] at {item['time_s']:.3f} s: {item['claim']}" for item in verified
    )
    status = f"answered. The planner's draft: {supported_words(draft, state)}"
    messages = compose_messages(state["question"], state.get("options"), claims, status)
    try:
        composed = await run.client.ask("compose", messages, Composition, meter)
    except ReplyError as error:
        run.tell("note", f"the planner's words are kept: {error}", "compose")
        return {}
    return {"composed": composed.model_dump(mode="json")}


def stood_up(state: State) -> list[Verified]:
    """Return the claims that were not refused."""
    return [item for item in state.get("verified", []) if item["verdict"] != "unsupported"]


def supported_words(draft: Draft, state: State) -> str:
    """Return the draft's answer, or the claims that stood up where one did not: it may be in the answer, too."""
    verified = stood_up(state)
    if len(verified) == len(state.get("verified", [])) == len(draft.claims):
        return draft.answer
    return " ".join(item["claim"] for item in verified)
