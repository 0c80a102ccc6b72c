"""Combine the answers about several videos, in words that say no more than each video's own run supports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from vidagent.agents.client.client import ModelClient, ReplyError
from vidagent.agents.prompting.multi_video import Together, together_messages
from vidagent.agents.prompting.video_findings import Goal, VideoFinding, chosen, plain_words
from vidagent.errors import BudgetSpent
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.events import EventSource
from vidagent.graphs.evidence.grounding import NUMERALS, Ground
from vidagent.types import NO_CLAIMS

_BREAK = re.compile(r"([,;:.!?]+(?:\s+|$)|[,;、。！？]|\n)")
_ENDS = re.compile(r"[.!?。！？\n]")
_JOINS = re.compile(r"^(?:but|while|whereas|and)\s+", re.IGNORECASE)
_ALL = re.compile(r"\b(?:all|every|each(?! by\b))\b", re.IGNORECASE)
"""Matches words that refer to all videos; "each by its own clock" does not."""
_BOTH = re.compile(r"\bboth\b", re.IGNORECASE)
_PLACE = "\x00{}:{}\x00"
"""Placeholder for a name: the video's number and the place in the list of names, as names contain dots."""
_NAMED = re.compile(r"\x00(\d+):(\d+)\x00")


def parts_of(names: Sequence[str], answers: Mapping[str, Mapping[str, Any]]) -> list[VideoFinding]:
    """Return each video's finding, from the answers' JSON objects by video number."""
    return [
        _part(number, name, answers[str(number)]) if str(number) in answers else VideoFinding(number, name)
        for number, name in enumerate(names, 1)
    ]


async def combine_answers(
    client: ModelClient,
    meter: StepMeter,
    question: str,
    options: Sequence[str] | None,
    goal: Goal,
    parts: Sequence[VideoFinding],
    events: EventSource,
) -> dict[str, Any]:
    """Return the combined answer as a JSON object: words, video numbers, choice and confidence.

    The model is asked if a claim was supported in any video. A reply that goes beyond the claims, or mentions other
    videos, is discarded; then, or if no request is left, the answer has one line per video. So it has, without a
    request, if an answer is in parts, whose lines nothing else is to replace.
    """
    plain = rule_based_answer(goal, parts)
    if not any(part.supports for part in parts) or any(part.in_parts for part in parts):
        return plain
    events.tell("step", "putting the answers together", "compose")
    messages = together_messages(question, options, goal, parts)
    try:
        together = await client.ask(
            "compose", messages, Together, meter, on_stream=events.thought_listener("compose")
        )
    except (ReplyError, BudgetSpent) as error:
        events.tell("note", f"each video has its own line in the answer: {error}", "compose")
        return plain
    if (why := _beyond(together, question, options, goal, parts)) is not None:
        events.tell("note", f"each video has its own line in place of the composed answer: {why}", "compose")
        return plain
    said = together.answer
    answer = said if said == plain["answer"] else about_showing(said, parts)  # code's own lines stay in order
    if answer is None:
        events.tell(
            "note",
            "each video has its own line: the answer names one without a finding",
            "compose",
        )
        return plain
    return together.model_copy(update={"answer": answer}).model_dump(mode="json")


def _part(number: int, name: str, answer: Mapping[str, Any]) -> VideoFinding:
    stood = answer["evidence"] if answer["status"] not in NO_CLAIMS else ()
    return VideoFinding(
        number,
        name,
        answer["answer"],
        tuple((item["verdict"], item["time_s"], item["claim"]) for item in stood),
        tuple((span["start_s"], span["end_s"]) for span in answer["spans"]) if stood else (),
        answer["coverage"]["fraction"],
        answer["budget"]["ended_by"],
        bool(stood and answer["parts"]),
    )


def rule_based_answer(goal: Goal, parts: Sequence[VideoFinding]) -> dict[str, Any]:
    """Return an answer built without a model: one line per video."""
    numbers = [part.number for part in chosen(goal, parts)]
    together = Together(answer=plain_words(goal, parts), videos=numbers, confidence=1.0)
    return together.model_dump(mode="json")


def _beyond(
    together: Together,
    question: str,
    options: Sequence[str] | None,
    goal: Goal,
    parts: Sequence[VideoFinding],
) -> str | None:
    """Return a message about what in a composed answer is unsupported; None if all of it is supported."""
    showing = {part.number for part in parts if part.supports}
    if unsupported := [number for number in together.videos if number not in showing]:
        return f"it names video {unsupported[0]}, in which nothing was found"
    expected = [part.number for part in chosen(goal, parts)]
    if goal in {"first", "last", "how_many", "all"} and sorted(together.videos) != expected:
        return f"it names videos {together.videos}, where the claims name {expected}"
    if goal == "how_many" and not _says_number(together.answer, len(expected)):
        return f"it does not say that there are {len(expected)}"
    return _ground(question, options, parts).beyond(together.answer)


def _says_number(answer: str, number: int) -> bool:
    words = set(re.findall(r"\w+", answer.casefold()))
    return str(number) in words or NUMERALS[number] in words


def _ground(question: str, options: Sequence[str] | None, parts: Sequence[VideoFinding]) -> Ground:
    """Return what the words may rest on: names and answers of the videos, their claims, and how many there are."""
    texts = [question, *(options or []), *(part.name for part in parts), *(part.answer for part in parts)]
    texts += [text for part in parts for _, _, text in part.claims]
    numbers = {float(number) for number in range(len(parts) + 1)}
    numbers |= {time_s for part in parts for _, time_s, _ in part.claims}
    numbers |= {
        bound
        for part in parts
        for start_s, end_s in part.places
        for bound in (start_s, end_s, end_s - start_s)
    }
    numbers |= {round(100 * part.looked) for part in parts if part.looked is not None}
    return Ground("\n".join(texts), "", frozenset(numbers))


def about_showing(answer: str, parts: Sequence[VideoFinding]) -> str | None:
    """Leave to code what an answer says about videos without a finding: it has a line for each of them instead.

    Whether such a clause says yes or no cannot be told from its words in every language.

    Returns:
        The clauses about videos with a finding, then those lines; None if no clause is left, or one is about both.
    """
    lacking = {part.number: part for part in parts if not part.supports}
    if not lacking:
        return answer
    marked, names = _marked(answer, parts)
    pieces = _BREAK.split(marked)
    kept: list[str] = []
    dropping, dropped, showing = False, False, False
    for clause, mark in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        named = {int(match[1]) for match in _NAMED.finditer(clause)}
        of_all = bool(_ALL.search(clause) or (len(parts) == 2 and _BOTH.search(clause)))
        if (named & set(lacking) or of_all) and named - set(lacking):
            return None
        dropping = bool(named & set(lacking)) or of_all or (dropping and not named)
        if not dropping:
            kept.append((_JOINS.sub("", clause) if dropped and not kept else clause) + mark)
            showing = showing or bool(named)
        dropped = dropped or dropping
        dropping = dropping and not _ENDS.search(mark)
    if not dropped:
        return answer
    if not showing:
        return None
    told = _NAMED.sub(lambda match: names[int(match[2])], "".join(kept)).rstrip(" ,;:.\n")
    return " ".join([f"{told}.", *(part.line() for part in lacking.values())])


def _marked(answer: str, parts: Sequence[VideoFinding]) -> tuple[str, list[str]]:
    """Replace each video's name or number with a placeholder, the longest names first; return what was replaced."""
    names: list[str] = []

    for part in sorted(parts, key=lambda part: -len(part.name)):
        stem = part.name.rpartition(".")[0]
        known = [re.escape(name) for name in (part.name, stem) if len(name) > 1]
        pattern = rf"(?<![\w\x00:])(?:{'|'.join([*known, f'video {part.number}'])})(?![\w\x00:])"
        answer = re.sub(pattern, partial(_placeholder, part.number, names), answer, flags=re.IGNORECASE)
    return answer, names


def _placeholder(number: int, names: list[str], match: re.Match[str]) -> str:
    names.append(match[0])
    return _PLACE.format(number, len(names) - 1)
