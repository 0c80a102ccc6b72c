"""Compose the answer from the supported claims, and check that it says no more than they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from vidagent.agents.client.chat_call import StreamKind
from vidagent.agents.client.client import ReplyError
from vidagent.agents.parsing.answer_stream import AnswerReader
from vidagent.agents.prompting.messages import compose_messages, wording_messages
from vidagent.agents.prompting.replies import Composition, Judgement
from vidagent.errors import BudgetSpent
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.evidence.grounding import covered, drafted_words, ground_of, supported_words
from vidagent.graphs.evidence.refined_spans import refined_note, refined_places, with_precision
from vidagent.graphs.part_lines import parts_text
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Update
from vidagent.tools.answer import Draft

_MOST_TOLD = 300


async def compose(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Request the answer if a claim of a positive draft is supported, and the claims do not cover the draft's words.

    An answer that says more than the claims is discarded.
    """
    draft = progress.draft
    if draft is None or draft.found != "yes" or not progress.supported:
        return {}
    voice, composed = _AnswerStream(run), None
    if progress.told:  # rendered by code
        voice.finish(parts_text(progress, draft))
        return {}
    if _ready(draft, progress, run):
        voice.finish(
            with_precision(supported_words(draft, progress, by_rules=_by_rules(run)), progress, draft)
        )
        return {}
    run.tell("step", "composing the answer", "compose")
    try:
        composed = await _composed(progress, run, meter, draft, voice)
    finally:  # also where a budget cuts it off: streamed words of a discarded answer are void
        voice.finish("" if composed is None else with_precision(composed.answer, progress, draft))
    return {} if composed is None else {"composed": composed.model_dump(mode="json")}


def _ready(draft: Draft, progress: Progress, run: Run) -> bool:
    """Tell whether the draft's own words and choice can be the answer."""
    chooses = not progress.options or draft.choice is not None
    return chooses and covered(draft, progress, by_rules=_by_rules(run))


def _by_rules(run: Run) -> bool:
    return run.client.profile.lacks("wording")


async def _composed(
    progress: Progress, run: Run, meter: StepMeter, draft: Draft, voice: _AnswerStream
) -> Composition | None:
    """Return the composed answer; None to keep the claims or the planner's words.

    Raises:
        BudgetSpent: If no request is left for it.
    """
    words = drafted_words(draft, progress)
    status = "\n".join([f"answered. The planner's draft: {words}", *_settled(progress, draft)])
    messages = compose_messages(
        progress.question, progress.options, "\n".join(_claims(progress, draft)), status
    )
    try:
        composed = await run.client.ask(
            "compose", messages, Composition, meter, on_stream=voice.receive if run.stream else None
        )
    except (ReplyError, BudgetSpent) as error:
        if isinstance(error, BudgetSpent) and error.name == "seconds":
            raise
        run.tell("note", f"the planner's words are kept: {error}", "compose")
        return None
    why = await _beyond(composed.answer, draft, progress, run, meter)
    if why is not None:
        run.tell("note", f"the claims are kept in place of the composed answer: {why}", "compose")
        return None
    return composed


async def _beyond(answer: str, draft: Draft, progress: Progress, run: Run, meter: StepMeter) -> str | None:
    """Return a message about what an answer says beyond the claims; None if nothing.

    Claims repeated verbatim need no request. Anything else is judged by a model that sees only the texts: word
    comparison cannot show who does what to whom, or that a "not" is missing.

    Raises:
        BudgetSpent: If the time is over.
    """
    ground, profile = ground_of(draft, progress), run.client.profile
    why = ground.beyond(answer)
    if why is not None or profile.lacks("wording") or ground.covers(answer):
        return why
    if profile.lacks("verify"):
        return "its words are not theirs, and the profile leaves checks out"
    known = "\n".join([*_claims(progress, draft), *_worked_out(draft, progress)])
    messages = wording_messages(progress.question, progress.options, known, answer)
    try:
        judged = await run.client.ask(
            "verify", messages, Judgement, meter, on_stream=run.thought_listener("verify")
        )
    except ReplyError as error:
        return f"its words could not be checked: {error}"
    except BudgetSpent as spent:
        if spent.name == "seconds":
            raise
        return f"its words could not be checked: {spent}"
    if judged.verdict == "supported":
        return None
    return " ".join(judged.why.split())[:_MOST_TOLD] or "it says more than they do"


def _settled(progress: Progress, draft: Draft) -> Iterator[str]:
    """Yield what is known besides the claims: the count, the planner's choice, and times that closer looks found."""
    if draft.count is not None:
        yield f"The count is {draft.count}."
    if draft.choice is not None and draft.choice < len(progress.options or []):
        yield f"The planner's choice is option {draft.choice}."
    if progress.route is not None and progress.route.detail != "normal":
        yield f"The answer is wanted {'briefly' if progress.route.detail == 'brief' else 'in detail'}."
    if note := refined_note(progress, draft):
        yield note


def _claims(progress: Progress, draft: Draft) -> Iterator[str]:
    ends = {claim.text: claim.end_s for claim in draft.claims}
    for item in progress.supported:
        end_s = ends.get(item["claim"])
        until = "" if end_s is None else f"-{end_s:.3f}"
        yield f"- [{item['verdict']}] at {item['time_s']:.3f}{until} s: {item['claim']}"


def _worked_out(draft: Draft, progress: Progress) -> Iterator[str]:
    """Yield the draft's numbers, which follow from the claims."""
    for place in refined_places(progress, draft):
        length_s = place.end_s - place.start_s
        yield f"- worked out: from {place.start_s:.3f} s to {place.end_s:.3f} s, which is {length_s:.3f} s"
    if draft.count is not None:
        yield f"- worked out: the count is {draft.count}"
    if draft.choice is not None and draft.choice < len(progress.options or []):
        yield f"- worked out: option {draft.choice} is chosen"


@dataclass
class _AnswerStream:
    """Streams the answer while the model writes it, and restarts when the model does.

    Args:
        run: The run.
    """

    run: Run
    _reader: AnswerReader = field(default_factory=AnswerReader)
    _streamed: str = ""

    def receive(self, kind: StreamKind, words: str) -> None:
        """Receive words of the reply."""
        if kind == "thought":
            self.run.tell("thought", words, "compose")
        elif kind == "text":
            self._tell(self._reader.feed(words))
        else:
            self._reader = AnswerReader()
            self._restart()

    def finish(self, answer: str) -> None:
        """Reconcile the streamed text with the final answer."""
        if not self.run.stream:
            return
        if not answer.startswith(self._streamed):
            self._restart()
        self._tell(answer.removeprefix(self._streamed))

    def _tell(self, words: str) -> None:
        if words:
            self._streamed += words
            self.run.tell("token", words, "compose")

    def _restart(self) -> None:
        if self._streamed:
            self._streamed = ""
            self.run.tell("token", "", "compose", restart=True)
