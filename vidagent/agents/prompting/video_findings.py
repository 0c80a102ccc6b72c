"""Findings in each of several videos, as text for a model, which an embedded one parses back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidagent.text import one_line, repair_surrogates
from vidagent.types import Coverage

Goal = Literal["which", "first", "last", "how_many", "all", "each"]
"""What several videos are compared for; `agents/prompting/prompts/turn.md` says what each means."""

_MOST_CLAIMS = 8
_MOST_CHARACTERS = 600
_HEAD = re.compile(r"^video (\d+): (.*)$", re.MULTILINE)
_LOOKED = re.compile(r"^- looked at: ([\d.]+)%(?:, then the (\w+) budget was spent)?$", re.MULTILINE)
_PLACE = re.compile(r"^- place: ([\d.]+) s to ([\d.]+) s$", re.MULTILINE)
_CLAIM = re.compile(r"^- claim \[(\w+)\] at ([\d.]+) s: (.*)$", re.MULTILINE)
_ANSWER = re.compile(r"^- answer: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class VideoFinding:
    """The result of the question in one video.

    Args:
        number: The video's number, from 1.
        name: Its name.
        answer: The answer in words; empty if the video was not looked at.
        claims: The supported claims: verdict, time and words.
        places: Where it is, `(start_s, end_s)`.
        looked: The fraction that was looked at; None if none was.
        ended_by: The budget that ended the search.
        in_parts: Whether the answer has a line for each of its parts.
    """

    number: int
    name: str
    answer: str = ""
    claims: tuple[tuple[str, float, str], ...] = ()
    places: tuple[tuple[float, float], ...] = ()
    looked: float | None = None
    ended_by: str | None = None
    in_parts: bool = False

    @property
    def supports(self) -> bool:
        """Whether a claim is supported."""
        return bool(self.claims)

    @property
    def unjudged(self) -> bool:
        """Whether its answer says why it was not looked at."""
        return self.looked == 0 and self.ended_by is None

    @property
    def times_s(self) -> list[float]:
        """When it is seen, in order: the starts of the places, else the times of the claims."""
        return sorted([start_s for start_s, _ in self.places] or [time_s for _, time_s, _ in self.claims])

    def line(self, *, own_words: bool = False) -> str:
        """Return a line for people: `a.mp4: yes, at 12.000-13.200 s.`, or the words of its own answer."""
        if not self.supports:
            return f"{self.name}: {self._nothing()}."
        doubt = f" ({self._share()})" if self.ended_by else ""
        if self.in_parts:
            return f"{self.name}{doubt}:\n{self.answer}"
        if own_words:
            return f"{self.name}: {self.answer.rstrip('. ')}{doubt}."
        return f"{self.name}: yes, {self.when()}{doubt}."

    def when(self) -> str:
        """Return the times at which it is, in words."""
        if not self.places:
            return "at " + ", ".join(f"{time_s:.3f} s" for time_s in self.times_s)
        return "at " + ", ".join(_place(*place) for place in sorted(self.places))

    def _nothing(self) -> str:
        if self.looked is None:
            return "not looked at"
        if self.unjudged:
            return self.answer.rstrip(". ")
        return f"not found{' so far' if self.ended_by else ''} ({self._share()})"

    def _share(self) -> str:
        share = Coverage(fraction=self.looked or 0.0).share
        return f"{share}, then the {self.ended_by} budget was spent" if self.ended_by else share


def names_of(paths: Sequence[str | Path]) -> tuple[str, ...]:
    """Return the names of videos as valid text: their file names, or the paths as given if two names are equal."""
    names = [one_line(repair_surrogates(Path(path).name)) for path in paths]
    whole = [one_line(repair_surrogates(str(path))) for path in paths]
    return tuple(names if len(set(names)) == len(names) else whole)


def write_findings(parts: Sequence[VideoFinding]) -> str:
    """Write findings for a model; `read_findings` parses them."""
    return "\n\n".join("\n".join(_lines(part)) for part in parts)


def read_findings(text: str) -> list[VideoFinding]:
    """Parse the text of `write_findings`."""
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        _read(int(head[1]), head[2], text[head.end() : end]) for head, end in zip(heads, ends, strict=True)
    ]


def chosen(goal: Goal, parts: Sequence[VideoFinding]) -> list[VideoFinding]:
    """Return the videos that answer the question: those with a supported claim.

    For `first` and `last` it is the one in which it is seen earliest, or latest, on its own clock.
    """
    showing = [part for part in parts if part.supports]
    if not showing or goal not in {"first", "last"}:
        return showing
    if goal == "first":
        return [min(showing, key=lambda part: part.times_s[0])]
    return [max(showing, key=lambda part: part.times_s[-1])]


def plain_words(goal: Goal, parts: Sequence[VideoFinding]) -> str:
    """Return an answer about several videos in words: a sentence, then a line for each video, and for its parts."""
    if len({part.answer for part in parts}) == 1 and all(part.unjudged for part in parts):
        return parts[0].answer
    lines = [part.line(own_words=goal == "each") for part in parts]
    if any(part.in_parts for part in parts):
        return "\n".join([_head(goal, parts).rstrip(), *lines]).lstrip()
    return f"{_head(goal, parts)}{' '.join(lines)}"


def _head(goal: Goal, parts: Sequence[VideoFinding]) -> str:
    found = chosen(goal, parts)
    if goal == "each":
        return ""
    if not found:
        return f"In none of the {len(parts)} videos, as far as was looked. "
    if goal in {"first", "last"}:
        many = sum(part.supports for part in parts) > 1
        return f"{goal.capitalize()} in {found[0].name}, each by its own clock. " if many else ""
    if goal == "all" and len(found) == len(parts):
        return f"In all {len(parts)} videos. "
    return "" if goal == "which" else f"In {len(found)} of {len(parts)} videos. "


def _lines(part: VideoFinding) -> list[str]:
    lines = [f"video {part.number}: {part.name}"]
    if part.looked is None:
        return [*lines, "- not looked at"]
    ended = f", then the {part.ended_by} budget was spent" if part.ended_by else ""
    lines += [f"- outcome: {'found' if part.supports else 'not found'}"]
    lines += [f"- looked at: {100 * part.looked:.1f}%{ended}", f"- answer: {_cut(part.answer)}"]
    lines += [
        f"- claim [{verdict}] at {time_s:.3f} s: {_cut(text)}"
        for verdict, time_s, text in part.claims[:_MOST_CLAIMS]
    ]
    return lines + [
        f"- place: {start_s:.3f} s to {end_s:.3f} s" for start_s, end_s in part.places[:_MOST_CLAIMS]
    ]


def _read(number: int, name: str, text: str) -> VideoFinding:
    looked, answer = _LOOKED.search(text), _ANSWER.search(text)
    return VideoFinding(
        number,
        name,
        answer[1] if answer else "",
        tuple((verdict, float(time_s), words) for verdict, time_s, words in _CLAIM.findall(text)),
        tuple((float(start_s), float(end_s)) for start_s, end_s in _PLACE.findall(text)),
        float(looked[1]) / 100 if looked else None,
        looked[2] if looked else None,
    )


def _place(start_s: float, end_s: float) -> str:
    return f"{start_s:.3f} s" if start_s == end_s else f"{start_s:.3f}-{end_s:.3f} s"


def _cut(text: str) -> str:
    return one_line(text)[:_MOST_CHARACTERS]
