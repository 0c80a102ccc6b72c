"""A summary of a video: an answer in parts, as chapters, highlights, and sentences that are proved one by one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from vidagent.types import Answer, Evidence, Verdict

Length = Literal["short", "medium", "long"]
"""How much a summary tells."""
QUESTIONS: dict[Length, str] = {
    "short": "Summarise this video briefly.",
    "medium": "Summarise this video.",
    "long": "Summarise this video in detail.",
}
"""What is asked for a summary of each length."""
MOST_HIGHLIGHTS: dict[Length, int] = {"short": 3, "medium": 5, "long": 8}


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the video, `[start_s, end_s)`, and its title: words of its first sentence that stands."""

    start_s: float
    end_s: float
    title: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the summary, and what proves it.

    Args:
        text: The sentence.
        time_s: The time of the frame or line that shows it best.
        verdict: The verdict of its check.
        frame: Path of that frame; None if it rests on words alone.
        line: What was said, or stands on screen or in the file, by which it was checked; None for pictures alone.
        chapter: Index of its chapter; None in the opening, which is about all of the video.
    """

    text: str
    time_s: float
    verdict: Verdict
    frame: str | None
    line: str | None
    chapter: int | None


@dataclass(frozen=True, slots=True)
class Highlight:
    """A moment worth seeing, `[start_s, end_s)`, and the index of the sentence about it."""

    start_s: float
    end_s: float
    sentence: int


@dataclass(frozen=True, slots=True)
class Summary(Answer):
    """The answer to "what happens in this video?", with chapters, highlights and sentences.

    Args:
        length: How much was asked for.
        chapters: The parts, each with a title, in order of time.
        highlights: The moments most worth seeing, in order of time.
        sentence_chapters: For each claim of `evidence`, which are the sentences, the index of its chapter, or None.
        left_out: How many sentences were drafted and left out, as they could not be proved.
    """

    length: Length = "medium"
    chapters: tuple[Chapter, ...] = ()
    highlights: tuple[Highlight, ...] = ()
    sentence_chapters: tuple[int | None, ...] = field(default=(), repr=False)
    left_out: int = 0

    @property
    def sentences(self) -> list[Sentence]:
        """The sentences: those of the opening, then those of each chapter."""
        return [
            Sentence(item.claim, item.time_s, item.verdict, item.frame, item.line, chapter)
            for item, chapter in zip(self.evidence, self.sentence_chapters, strict=True)
        ]

    def told_in(self, chapter: int | None) -> list[Evidence]:
        """Return the sentences of a chapter, or those of the opening."""
        told = zip(self.evidence, self.sentence_chapters, strict=True)
        return [item for item, place in told if place == chapter]

    def body(self, chapter: int) -> list[Evidence]:
        """Return the sentences of a chapter without the one that its title says already."""
        title = self.chapters[chapter].title
        return [
            item
            for item in self.told_in(chapter)
            if item.verdict != "supported" or item.claim.rstrip(".。;") != title
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON: the keys of an answer, and its own."""
        return {
            **Answer.to_dict(self),
            "length": self.length,
            "chapters": [
                {"start_s": round(one.start_s, 6), "end_s": round(one.end_s, 6), "title": one.title}
                for one in self.chapters
            ],
            "sentences": [
                {**dataclasses.asdict(one), "time_s": round(one.time_s, 6)} for one in self.sentences
            ],
            "highlights": [
                {"start_s": round(one.start_s, 6), "end_s": round(one.end_s, 6), "sentence": one.sentence}
                for one in self.highlights
            ],
            "left_out": self.left_out,
        }
