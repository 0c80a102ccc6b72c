"""What a search says of speech: the transcript so far, its lines, and where quoted words stand in them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator

from vidagent.errors import ModelError, VideoError
from vidagent.text import counted, holds_words, words_of
from vidagent.tools.context import ToolContext
from vidagent.video.index.subtitles import Cue
from vidagent.video.index.transcript import Transcript

_log = logging.getLogger(__name__)
ABOUT_SPEECH = re.compile(
    r"\b(say(s|ing)?|said|sp(ea|o)k\w*|speech|hear(s|d)?|mention\w*|talk\w*|voice\w*|narrat\w*|announc\w*|"
    r"dialogue|conversation|transcript|lyrics)\b",
    re.IGNORECASE,
)
LISTED = re.compile(r"\bwords spoken\b(?: at (\d+(?:\.\d+)?)-(\d+(?:\.\d+)?) s)?", re.IGNORECASE)
"""What a query has that wants the lines themselves, and none of the pictures."""
_QUOTED = re.compile(r'"([^"]+)"')
_MOST_LINES = 200


def heard(context: ToolContext, query: str) -> tuple[Transcript | None, tuple[str, ...]]:
    """Return the transcript, or None if no speech model is set, and notes; a query about speech has it made first."""
    listen = bool(ABOUT_SPEECH.search(query))
    try:
        found = context.index.spoken(listen=listen)
        notes: tuple[str, ...] = ()
    except (ModelError, VideoError) as error:
        _log.warning("continuing without a complete transcript: %s", error)
        found, notes = context.index.spoken(), (f"speech could not be transcribed: {error}",)
    if found is not None and listen and not found.complete:
        notes = (*notes, f"speech is transcribed up to {found.done_s:.3f} s only")
    return found, notes


def spoken_facts(context: ToolContext, query: str, found: Transcript | None) -> Iterator[str]:
    """Yield how much is transcribed, where the words quoted in the query are said, and the lines of its range.

    Of very many lines those that hold a quoted text come first.
    """
    asked = LISTED.search(query)
    start_s, end_s = (
        (0.0, context.duration_s) if asked is None or not asked[1] else map(float, asked.groups())
    )
    lines = [("subtitle", cue) for cue in context.index.cues()]
    yield _state(context, found, len(lines))
    lines += [("spoken", cue) for cue in (found.cues if found is not None else ())]
    lines = [(kind, cue) for kind, cue in lines if cue.start_s < end_s and cue.end_s > start_s]
    phrases = _QUOTED.findall(query)
    yield from quoted_facts(query, [cue for _, cue in lines])
    lines.sort(key=lambda line: (not any(holds_words(line[1].text, phrase) for phrase in phrases), line[1]))
    yield from (_fact(kind, cue) for kind, cue in sorted(lines[:_MOST_LINES], key=lambda line: line[1]))


def quoted_facts(query: str, cues: Iterable[Cue]) -> Iterator[str]:
    """Yield when the texts quoted in a query are said, by the times of their words."""
    phrases = _QUOTED.findall(query)
    for cue in cues if phrases else ():
        for phrase in phrases:
            yield from (_fact("spoken", part) for part in _places(phrase, cue))


def _state(context: ToolContext, found: Transcript | None, subtitles: int) -> str:
    more = f"; {counted(subtitles, 'subtitle line')}"
    if context.video.info.audio is None:
        return f"speech: the video has no sound{more}"
    if found is None:
        return f"speech: no speech model is set{more}"
    share = min(1.0, found.done_s / found.duration_s)
    return f"speech: {counted(len(found.cues), 'line')}; {share:.1%} of the sound was transcribed{more}"


def place_of(kind: str, cue: Cue) -> str:
    """Return what stands before the text of a line: its kind, its times, and who says it, where that is known."""
    by = f", speaker {cue.speaker}" if cue.speaker else ""
    return f"{kind} {cue.start_s:.3f}-{cue.end_s:.3f} s{by}"


def _fact(kind: str, cue: Cue) -> str:
    return f"{place_of(kind, cue)}: {' '.join(cue.text.split())}"


def _places(phrase: str, line: Cue) -> Iterator[Cue]:
    """Yield where the words of a line say a phrase, by their times, as one cue each."""
    goal, words = words_of(phrase), line.words
    said = ["".join(words_of(word.text)) for word in words]
    for first in range(len(said) - len(goal) + 1):
        if goal and said[first : first + len(goal)] == goal:
            part = words[first : first + len(goal)]
            yield Cue(part[0].start_s, part[-1].end_s, phrase, speaker=line.speaker)
