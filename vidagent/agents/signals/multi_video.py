"""Rules for questions about several videos: split them per video and combine the answers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vidagent.agents.prompting.multi_video import Single, Together
from vidagent.agents.prompting.video_findings import Goal, VideoFinding, chosen, plain_words
from vidagent.text import QUOTED

_KIND = r"(?:videos?|clips?|films?|movies?|recordings?|files?)"
_SET = rf"(?:{_KIND}(?: of (?:these|those|them))?|(?:one )?of (?:(?:these|those|the|my)(?: \w+)?(?: {_KIND})?|them))"
_ALL = rf"(?:(?:both|all|any|all three|each)(?: of)?(?: (?:these|those|the|them))?(?: (?:\w+ )?{_KIND})?)"
_SHOWS = r"(?:shows?|has|have|contains?|includes?|displays?)"
_AUX = r"(?:does|do|is|are|was|were|did)"
_RULES: tuple[tuple[str, Goal, str], ...] = (
    (rf"in how many {_SET} (?P<aux>{_AUX}) (?P<rest>.+)", "how_many", "When {aux} {rest}?"),
    (rf"how many {_SET} {_SHOWS} (?P<rest>.+)", "how_many", "When is {rest} shown?"),
    (rf"in which(?: {_SET})? (?P<aux>{_AUX}) (?P<rest>.+)", "which", "When {aux} {rest}?"),
    (rf"which(?: {_SET})? {_SHOWS} (?P<rest>.+)", "which", "When is {rest} shown?"),
    (rf"do(?:es)? (?P<set>{_ALL}) {_SHOWS} (?P<rest>.+)", "all", "When is {rest} shown?"),
    (rf"(?P<aux>{_AUX}) (?P<rest>.+) in (?P<set>{_ALL})", "all", "When {aux} {rest}?"),
)
_EDGE: tuple[tuple[re.Pattern[str], Goal], ...] = (
    (re.compile(r"\s*\b(?:first|earliest)\b", re.IGNORECASE), "first"),
    (re.compile(r"\s*\b(?:last|latest)\b", re.IGNORECASE), "last"),
)
_NONE = re.compile(r"\b(?:none|neither|no video|not in any)\b", re.IGNORECASE)
_YES_NO: dict[str, bool] = {"yes": True, "no": False}


def single(question: str) -> Single:
    """Return the question to ask of each video; one that matches no rule is unchanged."""
    text = " ".join(question.split()).rstrip("?. ")
    for pattern, goal, template in _RULES:
        match = re.fullmatch(pattern, text, re.IGNORECASE)
        if match is not None:
            words = match.groupdict()
            any_of = re.match(r"any\b", words.get("set") or "", re.IGNORECASE)
            rest, edge = _without_edge(words["rest"])
            single_question = template.format(aux=(words.get("aux") or "").lower(), rest=rest)
            return Single(question=single_question, goal=edge or ("which" if any_of else goal))
    return Single(question=question, goal="each")


def combine(goal: Goal, options: Sequence[str] | None, parts: Sequence[VideoFinding]) -> Together:
    """Combine the verified findings of all videos into one answer."""
    found = chosen(goal, parts)
    confidence = 0.9 if found and not any(part.ended_by for part in parts) else 0.5
    return Together(
        answer=plain_words(goal, parts),
        choice=_choice(goal, options or [], found, len(parts)),
        confidence=confidence,
        videos=[part.number for part in found],
    )


def _without_edge(rest: str) -> tuple[str, Goal | None]:
    """Remove `first` or `last` from a question, except inside quoted text."""
    bare = QUOTED.sub(lambda quoted: "·" * len(quoted[0]), rest)
    for pattern, goal in _EDGE:
        if (match := pattern.search(bare)) is not None:
            return (rest[: match.start()] + rest[match.end() :]).strip(), goal
    return rest, None


def _choice(goal: Goal, options: Sequence[str], found: Sequence[VideoFinding], videos: int) -> int | None:
    """Return the index of the option that matches the videos found, their number, or yes or no."""
    for index, option in enumerate(options):
        plain = option.strip().casefold()
        if goal == "how_many" and plain == str(len(found)):
            return index
        if goal == "all" and _YES_NO.get(plain) == (len(found) == videos):
            return index
        if goal in {"which", "first", "last"} and _names(plain, found, videos):
            return index
    return None


def _names(option: str, found: Sequence[VideoFinding], videos: int) -> bool:
    """Return whether an option names exactly the videos found."""
    if not found:
        return bool(_NONE.search(option))
    if len(found) > 1:
        return len(found) == videos and option in {"all", "both", "all of them", "both of them"}
    stem = found[0].name.casefold().rpartition(".")[0] or found[0].name.casefold()
    number = found[0].number
    return option in {found[0].name.casefold(), stem, str(number), f"video {number}"}
