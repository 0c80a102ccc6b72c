"""A text on screen: from its first frame to its last, with its place, its size, and how sure its reading is."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vidagent.video.texts.candidates import as_box

if TYPE_CHECKING:
    from vidagent.types import Box


SHORTEST_S = 0.2
"""Texts that stand shorter are left out."""
SURE = 0.75
"""A reading below this sureness is uncertain."""
LANGUAGES = (
    "Latin script (English, German, French, Spanish, Portuguese, Italian, Dutch, Polish, Czech, Turkish, Nordic and "
    "Baltic languages, …), Greek, Chinese and Japanese"
)
UNREAD = "Cyrillic, Arabic, Hebrew, Devanagari, Thai, Korean and Vietnamese tone marks"
"""What the characters of rapidocr's packaged model (PP-OCRv6 small) cover, and what they lack."""


@dataclass(frozen=True, slots=True, order=True)
class TextTrack:
    """One text that stands on screen.

    Args:
        start_s: Time of its first frame.
        end_s: Time of the first frame without it, or the end of the video.
        text: The text, as most frames read it.
        box_px: Where it stands at first, in source pixels.
        height_px: Height of its letters' line.
        sureness: From 0 to 1: the mean score of its readings, times the share of them that agree.
        readings: How many frames were read.
        last_box_px: Where it stands at last.
        typed: Whether it grew to what it is, letter by letter or word by word.
    """

    start_s: float
    end_s: float
    text: str
    box_px: Box
    height_px: int
    sureness: float
    readings: int
    last_box_px: Box
    typed: bool = False

    @property
    def length_s(self) -> float:
        """Seconds for which it stands."""
        return self.end_s - self.start_s

    @property
    def moves(self) -> bool:
        """Whether it moves by more than its height."""
        return (
            max(abs(a - b) for a, b in zip(self.box_px[:2], self.last_box_px[:2], strict=True))
            > self.height_px
        )


@dataclass(frozen=True, slots=True)
class Tracks:
    """The text tracks of a video.

    Args:
        tracks: The tracks, in order of start.
        read: Share of what may be text that was read, from 0 to 1.
        cpu_s: CPU seconds spent so far.
    """

    tracks: tuple[TextTrack, ...] = ()
    read: float = 0.0
    cpu_s: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether all that may be text was read."""
        return self.read >= 1.0

    def between(self, start_s: float, end_s: float) -> list[TextTrack]:
        """Return the tracks that stand in a range, or at an instant if both are equal."""
        return [
            one for one in self.tracks if one.start_s < max(end_s, start_s + 1e-6) and one.end_s > start_s
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Tracks:
        """Return what `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: If it is another kind of object.
        """
        rows = [
            TextTrack(**{**row, "box_px": as_box(row["box_px"]), "last_box_px": as_box(row["last_box_px"])})
            for row in data["tracks"]
        ]
        return cls(tuple(rows), float(data["read"]), float(data["cpu_s"]))

    def without_short(self) -> Tracks:
        """Return the tracks that stand for at least `SHORTEST_S`."""
        return replace(self, tracks=tuple(one for one in self.tracks if one.length_s >= SHORTEST_S - 1e-6))


def plain(text: str) -> str:
    """Reduce a text to its letters and digits, without case, accents, spaces or punctuation."""
    bare = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(character for character in bare if character.isalnum())


def words(text: str) -> list[str]:
    """Return the words of a text, reduced as by `plain`."""
    return [plain(word) for word in re.findall(r"[^\W_]+", text)]


def in_reading_order(tracks: Sequence[TextTrack]) -> list[TextTrack]:
    """Order tracks that stand at one time from top to bottom, and within a row from left to right."""
    return [one for row in rows(tracks) for one in row]


def rows(tracks: Sequence[TextTrack]) -> Iterator[list[TextTrack]]:
    """Yield the rows of tracks that stand at one time, each from left to right."""
    row: list[TextTrack] = []
    for one in sorted(tracks, key=lambda track: track.box_px[1] + track.box_px[3]):
        middle = (one.box_px[1] + one.box_px[3]) / 2
        if row and not row[0].box_px[1] < middle < row[0].box_px[3]:
            yield sorted(row, key=lambda track: track.box_px[0])
            row = []
        row.append(one)
    if row:
        yield sorted(row, key=lambda track: track.box_px[0])
