"""The search tool: lines and facts of the index, and frames of the moments that fit them or show new detail."""

from __future__ import annotations

import logging
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from langchain_core.tools import StructuredTool
from pydantic import Field
from rapidfuzz import fuzz

from vidagent.errors import BudgetSpent, ModelError, VideoError
from vidagent.text import counted, short_number
from vidagent.tools.context import ToolContext
from vidagent.tools.factory import Question, make_tool
from vidagent.tools.result import Look
from vidagent.tools.spoken import ABOUT_SPEECH, LISTED, heard, place_of, quoted_facts, spoken_facts
from vidagent.video.clock import format_time
from vidagent.video.index.moments import Moment
from vidagent.video.index.subtitles import Cue
from vidagent.video.texts.track import TextTrack, Tracks

_log = logging.getLogger(__name__)
_SHOTS = re.compile(r"\b(shots?|cuts?|scenes?)\b", re.IGNORECASE)
_MOTION = re.compile(
    r"\b(mov\w*|motion|active|activity|busy|still|static|idle|nothing happens)\b", re.IGNORECASE
)
_TEXTS = re.compile(r"\btexts? on (the )?screen\b", re.IGNORECASE)
_MOST_BUSY = 3
"""How many of the seconds with the most change are a fact of the whole video."""
_FILE = re.compile(r"\bfacts of the file\b", re.IGNORECASE)
_ALL_LINES = re.compile(r"\ball lines\b", re.IGNORECASE)
_COMMON = frozenset("a an and at does for in is it of on or the to what when where which who".split())
_TIME = re.compile(r"\b(\d+(?:\.\d+)?) s\b")
_MOST_FACTS = 40
_MOST_TEXTS = 300
_ALIKE = 80.0
_MOST_CUTS = 200
_SAME_MOMENT_S = 0.5
"""A moment this near to the frame of a matching text needs no second frame."""
_NEAR_LINE_S = 2.0
"""A moment this near to what is spoken or subtitled may show it."""
Page = Annotated[int, Field(ge=1, le=16)]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold())) - _COMMON


@dataclass(frozen=True, slots=True)
class _Line:
    """A text with its place in the video, in words and seconds; a text that a look read has one time."""

    text: str
    where: str
    start_s: float
    end_s: float

    @property
    def is_text(self) -> bool:
        """Whether it stands on screen, so that a frame shows it."""
        return self.where.startswith(("on screen", "text read"))

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def _cue_line(kind: str, cue: Cue) -> _Line:
    return _Line(cue.text, place_of(kind, cue), cue.start_s, cue.end_s)


def _matching_lines(context: ToolContext, query: str, spoken: Iterable[Cue]) -> list[_Line]:
    """Return subtitles, speech and texts read earlier that share words with the query, the most shared first."""
    words = _words(query)
    lines = [_cue_line("subtitle", cue) for cue in context.index.cues()]
    lines += [_cue_line("spoken", cue) for cue in spoken]
    lines += [
        _Line(one.text, _where(one), one.start_s, one.end_s)
        for one in (context.index.text_tracks() or Tracks()).tracks
    ]
    lines += [
        _Line(found.text, f"text read earlier at {found.time_s:.3f} s", found.time_s, found.time_s)
        for found in context.index.texts()
    ]
    scored = [(len(words & _words(line.text)), line) for line in lines]
    ranked = sorted((row for row in scored if row[0]), key=lambda row: -row[0])
    return [line for _, line in ranked[:_MOST_FACTS]]


def _all_lines(context: ToolContext, spoken: Iterable[Cue]) -> list[_Line]:
    """Return the subtitles and the speech, in order; of very many, some spread evenly over the video."""
    lines = [_cue_line("subtitle", cue) for cue in context.index.cues()]
    lines = sorted([*lines, *(_cue_line("spoken", cue) for cue in spoken)], key=lambda line: line.start_s)
    return lines[:: -(-len(lines) // _MOST_TEXTS) or 1]


def _shown_s(line: _Line) -> float:
    return (line.start_s + line.end_s) / 2


def _ranked_times(lines: Sequence[_Line], moments: Sequence[Moment]) -> list[float]:
    """Return the times to look at: those of the matching lines, then the moments by how much detail is new.

    A text that was read is seen in its own frame; what is spoken or subtitled only puts the moments near it first.
    """
    read = list(dict.fromkeys(_shown_s(line) for line in lines if line.is_text))
    times = [moment.time_s for moment in moments]
    fresh = [t_s for t_s in times if all(abs(t_s - known_s) > _SAME_MOMENT_S for known_s in read)]
    near = [
        t_s
        for line in lines
        for t_s in fresh
        if line.start_s - _NEAR_LINE_S <= t_s <= line.end_s + _NEAR_LINE_S
    ]
    return [*read, *dict.fromkeys([*near, *fresh])]


def _busy_times(context: ToolContext, taken: Sequence[float], most: int) -> list[float]:
    """Return times of the seconds with the most change, for the room that moments leave on a page."""
    end_s = context.duration_s - context.video.info.frame_s
    busy = (min(t_s, end_s) for t_s in context.index.activity().busy_times(max(0, most)))
    return [t_s for t_s in busy if all(abs(t_s - known_s) > _SAME_MOMENT_S / 2 for known_s in taken)]


def _where(one: TextTrack) -> str:
    box = ",".join(map(str, one.box_px))
    typed = ", typed" if one.typed else ""
    return f"on screen {one.start_s:.3f}-{one.end_s:.3f} s, box {box}, sure {one.sureness:.2f}{typed}"


def _screen_texts(context: ToolContext, query: str) -> Iterator[str]:
    """Yield how much of the texts on screen is known, and each text: those like the query first, then the longest."""
    limit = context.index.reading_cpu_s
    found = context.index.text_tracks(read=limit > 0, cpu_s=limit) or Tracks()
    yield f"texts on screen: {counted(len(found.tracks), 'text')}; {found.read:.1%} of what may be text was read"
    words = query.casefold()

    def rank(one: TextTrack) -> tuple[bool, float]:
        return fuzz.partial_ratio(one.text.casefold(), words) < _ALIKE, -one.length_s * one.height_px

    chosen = sorted(sorted(found.tracks, key=rank)[:_MOST_TEXTS])
    yield from (f"{_where(one)}: {one.text}" for one in chosen)


def _file(context: ToolContext) -> Iterator[str]:
    """Yield what the container says of the whole video."""
    info, cues = context.video.info, context.index.cues()
    sound = f"has sound ({info.audio})" if info.audio else "has no sound"
    yield f"it is {info.duration_s:.3f} s long ({format_time(info.duration_s)})"
    yield f"its picture has {info.width}x{info.height} pixels"
    yield f"it has {short_number(float(info.fps))} frames a second"
    yield f"it {sound}"
    yield f"it has {counted(len(cues), 'subtitle line')}" if cues else "it has no subtitles"
    yield f"it is {info.codec} video in {info.container}"


def _index(context: ToolContext, query: str) -> Iterator[str]:
    """Yield what the index says of the whole video, of the kinds that a query for its facts names, too."""
    if _SHOTS.search(query):
        yield f"it has {counted(len(context.index.scan().cuts_s) + 1, 'shot')}"
    busiest = sorted((span.start_s, span.end_s) for span in context.index.activity().busiest(_MOST_BUSY))
    if _MOTION.search(query) and busiest:
        ranges = ", ".join(f"{start_s:.1f}-{end_s:.1f} s" for start_s, end_s in busiest)
        yield f"it changes most at {ranges}"


def _shots(context: ToolContext, query: str) -> Iterator[str]:
    """Yield how many shots and cuts there are, and the first 200 cuts or those around a time in the query."""
    scan = context.index.scan()
    exact = "exact to the frame" if scan.exact else "exact to a few frames"
    yield f"{counted(len(scan.cuts_s) + 1, 'shot')}, {counted(len(scan.cuts_s), 'cut')} ({exact})"
    about, first = "", 0
    if len(scan.cuts_s) > _MOST_CUTS and (named := _TIME.search(query)):
        about, first = f"; around {named[1]} s", bisect_left(scan.cuts_s, float(named[1])) - _MOST_CUTS // 2
    part = scan.cuts_s[max(0, first) : max(0, first) + _MOST_CUTS]
    listed = ", ".join(f"{cut:.3f}" for cut in part)
    yield f"cuts at (first frame of the new shot, seconds{about}): {listed or 'none'}"


def _each_shot(context: ToolContext) -> Iterator[str]:
    """Yield a line for each of the first shots, with its time."""
    edges = [0.0, *context.index.scan().cuts_s, context.duration_s]
    for number, (start_s, end_s) in enumerate(pairwise(edges[: _MOST_CUTS + 1]), 1):
        yield f"file {start_s:.3f}-{end_s:.3f} s: shot {number}"


def _movement(context: ToolContext) -> Iterator[str]:
    activity = context.index.activity()
    busiest = ", ".join(f"{span.start_s:.1f}-{span.end_s:.1f}" for span in activity.busiest(10))
    yield f"most change per second at (seconds): {busiest or 'nowhere'}"
    still = activity.stillest()
    yield f"longest still stretch: {f'{still.start_s:.1f}-{still.end_s:.1f} s' if still else 'none'}"


def _facts(context: ToolContext, query: str, lines: Sequence[_Line]) -> Iterator[str]:
    yield from map(str, lines)
    if _FILE.search(query):
        facts = [*_file(context), *_index(context, query)]
        yield from (f"file 0.000-{context.duration_s:.3f} s: {fact}" for fact in facts)
        yield from _each_shot(context) if _SHOTS.search(query) else ()
    if _TEXTS.search(query):
        yield from _screen_texts(context, query)
    if _SHOTS.search(query):
        yield from _shots(context, query)
    if _MOTION.search(query):
        yield from _movement(context)


def _alike_times(context: ToolContext, query: str) -> tuple[list[float], tuple[str, ...]]:
    """Return the moments most like the query where pictures are searched by meaning, at most half a page, and notes."""
    most = max(1, context.caps.frames // 2)
    try:
        return [time_s for time_s, _ in context.index.alike(query)[:most]], ()
    except (ModelError, VideoError) as error:
        _log.warning("continuing without a search by meaning: %s", error)
        return [], (f"pictures could not be searched by meaning: {error}",)


def _with_alike(times_s: list[float], alike_s: Sequence[float], lines: Sequence[_Line]) -> list[float]:
    """Put the moments most like the query behind the frames of the texts that match, and before all others."""
    read = len(dict.fromkeys(_shown_s(line) for line in lines if line.is_text))
    first = times_s[:read]
    fresh = [t_s for t_s in alike_s if all(abs(t_s - known_s) > _SAME_MOMENT_S for known_s in first)]
    rest = [t_s for t_s in times_s[read:] if all(abs(t_s - known_s) > _SAME_MOMENT_S for known_s in fresh)]
    return [*first, *fresh, *rest]


def _page_note(page: int, looked_at: int, left: int, *, matching: int, alike: int) -> str:
    if matching:
        order = "those of matching lines or near them first"
    elif alike:
        order = "no line matches; the pictures most like the query first, then those with most new detail"
    else:
        order = "no line matches, so they are those with most new detail, whatever the query"
    return f"page {page}: {looked_at} moments looked at, {left} more on later pages; {order}"


def make(context: ToolContext) -> StructuredTool:
    """Make the tool over one video."""

    def search(query: Question, page: Page = 1) -> Look:
        """Search the whole video for something that may be short or rare.

        Returns the subtitles, speech and texts on screen that share words with the query. What is said is transcribed
        first, where a model is set for it; `words spoken at 10-20 s` lists the lines there. Shots or cuts, movement or
        stillness, and texts on screen are listed with their times, of hundreds of cuts those around a time in the
        query. None of these costs frames. Any other query costs up to {frames} frames: of matching texts and moments
        near matching lines, then of the moments with most new detail, whatever the query, which finds what is shown for
        a fraction of a second in hours of video. The next ones are on the next page. Pictures are searched by meaning
        only where an embedding server is set; the notes then say so.

        Args:
            query: What to look for, in one self-contained sentence; quote a text exactly.
            page: Page of moments, from 1.
        """
        transcript, gaps = heard(context, query)
        if LISTED.search(query):
            spoken_lines = tuple(spoken_facts(context, query, transcript))
            return Look("search", query, 0.0, context.duration_s, facts=spoken_lines, notes=gaps)
        spoken = () if transcript is None else transcript.cues
        lines = _matching_lines(context, query, spoken)
        if _ALL_LINES.search(query):
            lines = _all_lines(context, spoken)
        if not lines and ABOUT_SPEECH.search(query):
            lines = [_cue_line("spoken", cue) for cue in spoken[:_MOST_FACTS]]
        said = quoted_facts(query, spoken) if ABOUT_SPEECH.search(query) else ()
        facts = (*said, *_facts(context, query, lines))
        speech = ABOUT_SPEECH.search(query) and any(fact.startswith("spoken ") for fact in facts)
        listed = any(asked.search(query) for asked in (_SHOTS, _MOTION, _TEXTS, _FILE, _ALL_LINES))
        if speech or listed:
            return Look("search", query, 0.0, context.duration_s, facts=facts, notes=gaps)
        alike, unlike = _alike_times(context, query)
        gaps = (*gaps, *unlike)
        times = _with_alike(_ranked_times(lines, context.index.scan().moments), alike, lines)
        if not lines and not ABOUT_SPEECH.search(query):
            times += _busy_times(context, times, context.caps.frames - len(times))
        first = (page - 1) * context.caps.frames
        page_times = times[first : first + context.caps.frames]
        try:
            chosen = page_times[: context.grant(len(page_times))]
        except BudgetSpent:
            if not facts:
                raise
            notes = (*gaps, "no frame is left to look")
            return Look("search", query, 0.0, context.duration_s, facts=facts, notes=notes)
        left = max(0, len(times) - first - len(chosen))
        stills, damage = context.pictures(chosen) if chosen else ((), ())
        notes = (*gaps, _page_note(page, len(chosen), left, matching=len(lines), alike=len(alike)), *damage)
        return Look("search", query, 0.0, context.duration_s, stills, facts=facts, notes=notes)

    return make_tool(search, frames=context.caps.frames)
