"""The last request: the answer in words, from the claims that stood up."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidagent.agents.client import ReplyError
from vidagent.agents.exchange import Heard
from vidagent.agents.json_stream import AnswerReader
from vidagent.agents.messages import compose_messages
from vidagent.agents.replies import Composition
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.grounds import ground_of, stood_up, supported_words
from vidagent.graphs.state import Run, State, Update, question_of
from vidagent.tools.answer import Draft

__all__ = ["compose"]


async def compose(state: State, run: Run, meter: StepMeter) -> Update:
    """Ask for the answer, if a claim of a positive draft stood up; else none is needed.

    An answer that says more than the claims is not used.
    """
    verified, draft = stood_up(state), Draft.model_validate(state["draft"]) if state.get("draft") else None
    if draft is None or draft.found != "yes" or not verified:
        return {}
    run.tell("step", "composing the answer", "compose")
    claims = "\n".join(
        f"- [{item['verdict']}] at {item['time_s']:.3f} s: {item['claim']}" for item in verified
    )
    status = f"answered. The planner's draft: {supported_words(draft, state)}"
    messages = compose_messages(question_of(state), state.get("options"), claims, status)
    voice = _Voice(run)
    try:
        composed = await run.client.ask(
            "compose", messages, Composition, meter, hear=voice.hear if run.stream else None
        )
    except ReplyError as error:
        voice.say("")
        run.tell("note", f"the planner's words are kept: {error}", "compose")
        return {}
    if (why := ground_of(draft, state).beyond(composed.answer)) is not None:
        voice.say("")
        run.tell("note", f"the claims are kept in place of the composed answer: {why}", "compose")
        return {}
    voice.say(composed.answer)
    return {"composed": composed.model_dump(mode="json")}


@dataclass
class _Voice:
    """Tells the words of the answer while the model writes it, and starts over when it does.

    Args:
        run: The run.
    """

    run: Run
    _reader: AnswerReader = field(default_factory=AnswerReader)
    _told: str = ""

    def hear(self, kind: Heard, words: str) -> None:
        """Take words of the reply."""
        if kind == "thought":
            self.run.tell("thought", words, "compose")
        elif kind == "text":
            self._tell(self._reader.feed(words))
        else:
            self._reader = AnswerReader()
            self._restart()

    def say(self, answer: str) -> None:
        """Make good what was told of the reply before all of it was read."""
        if not self.run.stream:
            return
        if not answer.startswith(self._told):
            self._restart()
        self._tell(answer.removeprefix(self._told))

    def _tell(self, words: str) -> None:
        if words:
            self._told += words
            self.run.tell("token", words, "compose")

    def _restart(self) -> None:
        if self._told:
            self._told = ""
            self.run.tell("token", "", "compose", restart=True)
