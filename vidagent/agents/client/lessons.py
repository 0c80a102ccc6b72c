"""What a client learns of its server from errors and replies, kept for the rest of the run and for later ones."""

from __future__ import annotations

import logging
from collections.abc import Callable

from langchain_core.messages import AIMessage

from vidagent.agents.client import corrections
from vidagent.agents.client.request_builder import Request
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.recording.request_key import WriteLine
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.facts import ServerFacts
from vidagent.agents.server.known_servers import ServerMemory
from vidagent.types import Step

_log = logging.getLogger(__name__)


class ServerLessons:
    """Adds what a request has shown to the memory of its server.

    Args:
        title: The model and its server, in messages.
        memory: What is known of the server.
        profile: The model's profile, whatever the server can do.

    Attributes:
        keep: Records each lesson with the run, if it is set.
    """

    def __init__(self, title: str, memory: ServerMemory, profile: Profile) -> None:
        """Record nothing yet."""
        self.keep: WriteLine | None = None
        self._title = title
        self._memory = memory
        self._profile = profile

    def from_error(self, error: ServerError, request: Request, rebuilt: Callable[[], Request]) -> bool:
        """Learn from an error, and tell whether the request is worth another try.

        Args:
            error: What the server said to the request.
            request: The request as it was sent.
            rebuilt: Builds it by what is known now.
        """

        def differs() -> bool:
            none = request.pictures > 0 and self._memory.facts.images == 0
            return none or rebuilt() != request

        learned_meanwhile = self._memory.facts is not request.facts  # by another request
        if learned_meanwhile and differs():
            return True
        found = self._useful(error, request, differs)
        return found is not None and self.learn(*found)

    def from_reply(self, reply: AIMessage, request: Request, step: Step, profile: Profile) -> bool:
        """Learn from how a model thought, and tell whether its thought took the place of a reply.

        Args:
            reply: What it replied.
            request: The request as it was sent.
            step: The step it was sent for.
            profile: The profile without what the server cannot do.
        """
        if self._memory.facts is not request.facts:
            return corrections.is_lost_in_thought(reply)
        found, again = corrections.from_reply(reply, request, step, self._memory.facts, profile)
        return found is not None and self.learn(*found) and again

    def learn(self, facts: ServerFacts, line: str) -> bool:
        """Remember facts about the server; tell whether they are new.

        Args:
            facts: All that is known of it now.
            line: What was learned, for the log and the run's record.
        """
        if facts == self._memory.facts:
            return False
        self._memory.learn(facts)
        _log.info("%s: %s", self._title, line)
        if self.keep is not None:
            self.keep({"kind": "correction", "text": line, "facts": facts.to_dict()})
        return True

    def _useful(
        self, error: ServerError, request: Request, differs: Callable[[], bool]
    ) -> corrections.Correction | None:
        """Return the first correction that changes the request; a guess that changes nothing is not kept."""
        before = self._memory.facts
        try:
            while found := corrections.from_error(error, request, self._memory.facts, self._profile):
                if found.facts == self._memory.facts:
                    return None
                self._memory.facts = found.facts
                if differs():
                    return found
            return None
        finally:
            self._memory.facts = before
