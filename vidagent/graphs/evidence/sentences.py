"""Split a text into sentences, but never inside quotation marks: a quotation is one piece."""

from __future__ import annotations

import re

from vidagent.text import QUOTED

_END = re.compile(r"[.!?][\"”“’'»«›)\]]*\s+|[。！？]\s*")
_ABBREVIATED = re.compile(
    r"(?<!\w)(?:[A-Z]|[zd]|(?![ap]\.m\.)(?:\w\.)+\w|(?i:mrs?|ms|dr|prof|st|mt|vs|cf|hr|fr|mme|sra?|bzw|inkl))\.\Z"
)
_BEFORE_NUMBER = re.compile(r"(?<!\w)(?i:no|nos|nr|fig|vol|ch|p|pp|ca|approx|min|max|art)\.\Z")
_LIST_NUMBER = re.compile(r"\s*\d{1,3}\.\Z")


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text: a full stop of an abbreviation, an initial or a list's number ends none."""
    quoted = [match.span() for match in QUOTED.finditer(text)]
    found, start = [], 0
    for end in _END.finditer(text):
        inside = any(first < end.end() < last for first, last in quoted)
        if not inside and _ends(text, start, end):
            found.append(text[start : end.end()].strip())
            start = end.end()
    return [sentence for sentence in (*found, text[start:].strip()) if sentence]


def _ends(text: str, start: int, end: re.Match[str]) -> bool:
    """Tell whether a mark ends the sentence that begins at `start`."""
    mark, after = text[end.start()], text[end.end() : end.end() + 1]
    if mark not in ".!?":
        return True
    if after.islower():
        return False
    said = text[start : end.start() + 1]
    short = _ABBREVIATED.search(said) or _LIST_NUMBER.match(said)
    return mark != "." or not (short or (after.isdigit() and _BEFORE_NUMBER.search(said)))
