"""Lines of speech from words with times: a line ends with a sentence, before a pause, or when it is long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vidagent.video.index.subtitles import Cue

_PAUSE_S = 1.0
_LONG_S = 8.0
_SENTENCE_S = 0.6
"""A line shorter than this does not end with a full stop, which may be that of an abbreviation."""
_ENDS = tuple(".!?。！？…")


def lines_of(words: Iterable[Cue]) -> Iterator[Cue]:
    """Group words, in order of time; their texts have the spaces before them that the language writes."""
    line: list[Cue] = []
    for word in words:
        if line and _ends(line, word):
            yield _joined(line)
            line = []
        line.append(word)
    if line:
        yield _joined(line)


def _ends(line: list[Cue], following: Cue) -> bool:
    """Tell whether a line ends before a word."""
    last = line[-1]
    sentence = last.text.strip().endswith(_ENDS) and last.end_s - line[0].start_s >= _SENTENCE_S
    too_long = following.end_s - line[0].start_s > _LONG_S
    return sentence or too_long or following.start_s - last.end_s > _PAUSE_S


def _joined(line: list[Cue]) -> Cue:
    return Cue(line[0].start_s, line[-1].end_s, "".join(word.text for word in line).strip(), tuple(line))
