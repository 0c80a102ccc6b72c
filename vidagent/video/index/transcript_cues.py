"""Lines of a speech model: checked, cut to their piece, joined without repeats, and stored."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from vidagent.video.index.subtitles import Cue

_SLACK_S = 0.25
SHORTEST_S = 0.05
_MOST_CUES = 5_000
"""Most cues of one piece; a model that gives more is not transcribing."""
_MOST_CHARS = 2_000
_LONGEST_LABEL = 40
_NOT_IN_LABELS = re.compile(r"[^\w .'()#-]+")
"""What the label of a speaker is written without: signs that end it in a line, quotation marks and markup."""


def clean_cues(cues: Iterable[Cue], length_s: float, offset_s: float = 0.0) -> list[Cue]:
    """Return the valid cues of a model, in order of time, shifted by `offset_s`, each with its valid words.

    Times are clipped to the piece; cues whose times are not finite, that end before they begin, or that are empty
    without control characters, are left out.
    """
    return sorted(set(_valid(list(cues)[:_MOST_CUES], length_s, offset_s)))


def _valid(cues: Iterable[Cue], length_s: float, offset_s: float) -> Iterator[Cue]:
    for cue in cues:
        if not (math.isfinite(cue.start_s) and math.isfinite(cue.end_s)) or cue.end_s < cue.start_s:
            continue
        start_s, end_s = max(0.0, cue.start_s), min(length_s, cue.end_s)
        text = _plain(cue.text)
        if not text or start_s >= length_s or end_s <= 0 or end_s < start_s:
            continue
        end_s = min(length_s, max(end_s, start_s + SHORTEST_S))
        words = tuple(_valid(cue.words, length_s, offset_s))
        times_s = round(offset_s + start_s, 3), round(offset_s + end_s, 3)
        yield Cue(*times_s, text, words, speaker_label(cue.speaker))


def joined(earlier: Sequence[Cue], later: Sequence[Cue]) -> list[Cue]:
    """Join two pieces without repeating words that both have at the same time."""
    cues = list(earlier)
    for cue in later:
        left: Cue | None = cue
        for other in earlier[-4:]:
            if other.start_s < cue.end_s + _SLACK_S and cue.start_s < other.end_s + _SLACK_S and left:
                left = _without_repeat(other.text, left)
        if left:
            cues.append(left)
    return sorted(cues)


def _without_repeat(before: str, cue: Cue) -> Cue | None:
    """Drop a cue's first words that end the text before it; return None if no others are left."""
    old, texts = _words(before), cue.text.split()
    new = _words(cue.text)
    if f" {' '.join(new)} " in f" {' '.join(old)} ":
        return None
    for count in range(min(len(old), len(new)), 1, -1):
        if old[-count:] == new[:count]:
            words = cue.words[count:] if len(cue.words) == len(texts) else ()
            start_s = words[0].start_s if words else cue.start_s
            return replace(cue, start_s=start_s, text=" ".join(texts[count:]), words=words)
    return cue


def _words(text: str) -> list[str]:
    """Return the space-separated words of a text, normalized for comparison."""
    return [re.sub(r"\W+", "", word).casefold() for word in text.split()]


def inside(cues: Sequence[Cue], start_s: float, end_s: float) -> Iterator[Cue]:
    """Yield what lies in the piece itself, and not in the overlap with its neighbours, by the middles of words.

    A cue whose words have no times is taken whole, or left out.
    """
    for cue in cues:
        if not cue.words and start_s - _SLACK_S <= _middle_s(cue) <= end_s + _SLACK_S:
            yield cue
        inside = [place for place, word in enumerate(cue.words) if start_s <= _middle_s(word) < end_s]
        if inside:
            yield _cut_to(cue, inside[0], inside[-1])


def _middle_s(cue: Cue) -> float:
    return (cue.start_s + cue.end_s) / 2


def _cut_to(cue: Cue, first: int, last: int) -> Cue:
    """Return a cue from its word number `first` to its word number `last`."""
    if first == 0 and last == len(cue.words) - 1:
        return cue
    at, places = 0, []
    for word in cue.words:
        at = max(at, cue.text.find(word.text, at))
        places.append(at)
        at += len(word.text)
    words = cue.words[first : last + 1]
    text = cue.text[places[first] : places[last] + len(words[-1].text)]
    return replace(cue, start_s=words[0].start_s, end_s=words[-1].end_s, text=text, words=words)


def to_dict(cue: Cue) -> dict[str, Any]:
    """Return a line as a JSON object; its speaker is null if unknown."""
    words = {"words": [_timed(word) for word in cue.words]} if cue.words else {}
    return {**_timed(cue), "speaker": cue.speaker or None, **words}


def _timed(cue: Cue) -> dict[str, Any]:
    return {"start_s": cue.start_s, "end_s": cue.end_s, "text": cue.text}


def to_list(cue: Cue) -> list[Any]:
    """Return a line as it is stored: what is unknown at its end is left out."""
    line = [cue.start_s, cue.end_s, cue.text, [to_list(word) for word in cue.words], cue.speaker]
    return line if cue.speaker else line[:4] if cue.words else line[:3]


def from_list(line: Sequence[Any]) -> Cue:
    """Return a stored line.

    Raises:
        ValueError, TypeError: If it is none.
    """
    start_s, end_s, text, *rest = line
    words, speaker = [*rest, ""] if len(rest) == 1 else rest or ((), "")
    return Cue(start_s, end_s, text, tuple(from_list(word) for word in words), speaker)


def spoken_line(cue: Cue) -> str:
    """Return a line after its speaker, if known, as subtitles write it."""
    return f"{cue.speaker}: {cue.text}" if cue.speaker else cue.text


def speaker_label(text: str) -> str:
    """Return the label of a speaker as it is shown: short, on one line, of letters, digits and few signs."""
    return " ".join(_NOT_IN_LABELS.sub(" ", _plain(text)).split())[:_LONGEST_LABEL].strip()


def _plain(text: str) -> str:
    """Return a text on one line without control and invisible characters."""
    shown = "".join(" " if c.isspace() else c for c in text[: 4 * _MOST_CHARS])
    shown = "".join(c for c in shown if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    return " ".join(shown.split())[:_MOST_CHARS]
