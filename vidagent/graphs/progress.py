"""Typed view of a run's state, decoded once per step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from vidagent.agents.prompting.replies import Route
from vidagent.graphs.evidence.boundaries import Refining
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.state import EARLIER, Check, State, Unanswered, Verified
from vidagent.tools.answer import Draft

_TIMED = frozenset({"locate", "how_long"})
"""Kinds of questions that ask for times by their nature."""


@dataclass(frozen=True)
class Progress:
    """The state of a run, typed.

    Args:
        state: The values as a checkpoint stores them.
    """

    state: State

    @property
    def question(self) -> str:
        """The question to answer: as asked, or in a conversation reworded to stand alone."""
        restated = self.route.question if self.route and self.state.get("earlier") else ""
        return restated or self.state["question"]

    @property
    def options(self) -> list[str] | None:
        """The answers to choose from, if the question has any."""
        return self.state.get("options")

    @cached_property
    def route(self) -> Route | None:
        """How the question was classified; None if it was not."""
        route = self.state.get("route")
        return Route.model_validate(route) if route else None

    @property
    def kind(self) -> str | None:
        """The kind of question; None if it was not classified."""
        return self.route.kind if self.route else None

    @property
    def asks_times(self) -> bool:
        """Whether the answer has to say when something is; where the route does not tell, its kind decides."""
        if self.route is None:
            return True
        return self.route.kind in _TIMED if self.route.times is None else self.route.times

    @property
    def in_parts(self) -> bool:
        """Whether the answer is told in parts, each with its time."""
        route = self.route
        return route is not None and route.in_parts and not self.options and route.kind != "count"

    @cached_property
    def entries(self) -> list[Entry]:
        """The ledger."""
        return [Entry.from_dict(entry) for entry in self.state.get("ledger", [])]

    @cached_property
    def unanswered(self) -> dict[str, Unanswered]:
        """What was sent and not answered when a budget ended the run, by the ledger entry; none of it was seen."""
        return {name: sent for name, sent in self.state.get("unanswered", {}).items() if sent is not None}

    @property
    def seen_entries(self) -> list[Entry]:
        """The ledger without what was not answered."""
        return [entry for entry in self.entries if entry.id not in self.unanswered]

    @cached_property
    def own_entries(self) -> list[Entry]:
        """The looks made for this question, without those for earlier ones."""
        earlier = {call["entry"] for call in self.state.get("asked", []) if call["turn"] == EARLIER}
        return [entry for entry in self.entries if entry.id not in earlier]

    @property
    def follows(self) -> bool:
        """Whether looks made for earlier questions of the session are known."""
        return any(call["turn"] == EARLIER for call in self.state.get("asked", []))

    @cached_property
    def draft(self) -> Draft | None:
        """The planner's draft, if there is one that is not on hold."""
        draft = self.state.get("draft")
        return Draft.model_validate(draft) if draft else None

    @cached_property
    def reviewed_draft(self) -> Draft | None:
        """The planner's draft, even if it is on hold."""
        on_hold = self.state.get("on_hold")
        return Draft.model_validate(on_hold) if on_hold else self.draft

    @cached_property
    def refining(self) -> Refining | None:
        """What is known of the edges of the draft's places, if they were looked at."""
        refining = self.state.get("refining")
        if not refining or not self.draft or refining["draft_call"] != self.state.get("draft_call"):
            return None
        return Refining.from_dict(refining)

    @property
    def verified(self) -> list[Verified]:
        """The claims after their check."""
        return self.state.get("verified", [])

    @property
    def supported(self) -> list[Verified]:
        """The claims that were not refused."""
        return [item for item in self.verified if item["verdict"] != "unsupported"]

    @property
    def told(self) -> list[Verified]:
        """The parts that were not refused, in order of time."""
        return sorted((item for item in self.supported if "part_s" in item), key=lambda item: item["part_s"])

    @property
    def in_order(self) -> list[Verified]:
        """The claims that were not refused: those about no part first, then the sentences of each part, by its time."""
        return sorted(self.supported, key=lambda item: item.get("part_s", []))

    @property
    def left_out(self) -> int:
        """How many different sentences were drafted, refused, and are not told."""
        told = {item["claim"] for item in self.supported}
        return len({check["claim"] for check in self.refused} - told)

    @property
    def stands(self) -> bool:
        """Whether all claims of the draft were checked, and none was refused."""
        draft = self.draft
        checked = draft is not None and len(self.verified) >= len(draft.claims) + len(draft.parts)
        return checked and len(self.supported) == len(self.verified)

    @property
    def checks(self) -> list[Check]:
        """All verdicts given, including those on claims of earlier drafts."""
        return self.state.get("checks", [])

    @property
    def refused(self) -> list[Check]:
        """The refused claims, including those of earlier drafts."""
        return [check for check in self.checks if check["verdict"] == "unsupported"]

    @property
    def worded(self) -> Check | None:
        """The last verdict given on the words of the draft's answer."""
        words = "" if self.draft is None else self.draft.answer.casefold()
        given = [*self.checks, *self.state.get("worded", [])]
        return next((check for check in reversed(given) if check["claim"].casefold() == words), None)

    def proposed_by(self, strategy: str) -> list[list[str]]:
        """Return the ledger entries of the looks that a strategy proposed, one list per proposal."""
        proposed = self.state.get("proposed", [])
        return [one["entries"] for one in proposed if one["by"] == strategy]

    def next_entries(self, number: int) -> list[str]:
        """Return the names of the next ledger entries."""
        first = len(self.state.get("asked", [])) + 1
        return [f"L{place}" for place in range(first, first + number)]
