"""Turn the answer of a run for a summary into one: chapters with titles, highlights, and sentences."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from vidagent.graphs.evidence.sentences import sentences_of
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run
from vidagent.summary import MOST_HIGHLIGHTS, Chapter, Highlight, Length, Summary
from vidagent.text import one_line, shortened
from vidagent.types import Answer, Evidence, Part, Span

LONGEST_TITLE = 60
_CLAUSE_END = re.compile(r"[,;:–—(]\s|\s[-–—]\s")
_SHORTEST_CLAUSE = 12
_QUOTED = re.compile(r'"(.+)" is (?:on screen|said)')


def summary_of(answer: Answer, progress: Progress, run: Run, length: Length) -> Summary:
    """Return an answer as a summary; its spans are the highlights, if it has any."""
    bounds = [item.get("part_s") for item in progress.in_order]
    chapters = [None if part_s is None else _chapter(part_s, answer.parts) for part_s in bounds]
    highlights = _highlights(answer, chapters, progress, run, MOST_HIGHLIGHTS[length])
    fields = {field.name: getattr(answer, field.name) for field in dataclasses.fields(Answer)}
    if highlights:
        fields["spans"] = tuple(Span(one.start_s, one.end_s) for one in highlights)
    return Summary(
        **fields,
        length=length,
        chapters=tuple(Chapter(part.start_s, part.end_s, title_of(part.text)) for part in answer.parts),
        highlights=highlights,
        sentence_chapters=tuple(chapters),
        left_out=progress.left_out,
    )


def title_of(text: str) -> str:
    """Return the first sentence of a text without its full stop; of a longer one, a clause or some words.

    Of a sentence that only says when some words are shown or said, it is the words.
    """
    sentence = one_line((sentences_of(text) or [text])[0]).rstrip(".。;")
    if (quoted := _QUOTED.fullmatch(sentence)) is not None:
        sentence = quoted[1]
    if len(sentence) <= LONGEST_TITLE:
        return sentence
    ends = [end.start() for end in _CLAUSE_END.finditer(sentence, _SHORTEST_CLAUSE, LONGEST_TITLE)]
    return sentence[: ends[-1]] if ends else shortened(sentence, LONGEST_TITLE)


def _chapter(part_s: Sequence[float], parts: Sequence[Part]) -> int | None:
    """Return the index of the part that holds a sentence's own part, with which it may have been joined."""
    holding = (n for n, part in enumerate(parts) if part.start_s <= part_s[0] and part_s[1] <= part.end_s)
    return next(holding, None)


def _highlights(
    answer: Answer, chapters: Sequence[int | None], progress: Progress, run: Run, most: int
) -> tuple[Highlight, ...]:
    """Return the drafted places, or without any the seconds with the most change, each with a sentence of its chapter.

    A sentence is told once; a place in no chapter, of which nothing is proved, is left out.
    """
    draft, parts = progress.draft, answer.parts
    wanted = [(place.start_s, place.end_s) for place in draft.spans] if draft else []
    if not wanted and parts and not run.client.profile.lacks("index"):
        wanted = [(span.start_s, span.end_s) for span in run.index.activity().busiest(most)]
    found: dict[int, Highlight] = {}
    for start_s, end_s in wanted[:most]:
        inside = [
            (number, item)
            for number, (item, chapter) in enumerate(zip(answer.evidence, chapters, strict=True))
            if chapter is not None and _overlap_s(parts[chapter], start_s, end_s) > 0 and number not in found
        ]
        if inside:
            number, _ = min(inside, key=lambda one: _rank(one[1], start_s, end_s))
            part = parts[chapters[number] or 0]
            bounds = max(start_s, part.start_s), min(end_s, part.end_s)
            found[number] = Highlight(*bounds, sentence=number)
    return tuple(sorted(found.values(), key=lambda one: one.start_s))


def _rank(item: Evidence, start_s: float, end_s: float) -> tuple[bool, float]:
    """Rank a sentence for a place: those that are fully supported first, then those shown nearest to it."""
    return item.verdict != "supported", max(start_s - item.time_s, item.time_s - end_s, 0.0)


def _overlap_s(part: Part, start_s: float, end_s: float) -> float:
    return min(part.end_s, max(end_s, start_s + 1e-3)) - max(part.start_s, start_s)
