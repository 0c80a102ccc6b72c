"""The texts on screen as lines for people, as subtitles, and as a CSV table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import pairwise

from vidagent.reports.export.tables import cell, cue_line, seconds, subrip
from vidagent.text import counted
from vidagent.video.clock import format_time
from vidagent.video.texts.track import LANGUAGES, SURE, UNREAD, Tracks, in_reading_order

COLUMNS = ("start_s", "end_s", "start", "end", "text", "sureness", "height_px", "x0", "y0", "x1", "y1")


def lines(found: Tracks) -> Iterator[str]:
    """Yield a table: start, end, height of the line, and the text; a question mark follows an uncertain reading."""
    for one in found.tracks:
        doubt = "" if one.sureness >= SURE else f"  (uncertain: {one.sureness:.2f})"
        times = f"{format_time(one.start_s):>12} {format_time(one.end_s):>12}"
        yield f"{times} {one.height_px:>4} px  {one.text}{doubt}"
    part = "" if found.complete else f"; only {found.read:.0%} of what may be text was read"
    yield f"{counted(len(found.tracks), 'text')}{part}. Read are {LANGUAGES}; not read: {UNREAD}."


def rows(found: Tracks) -> str:
    """Return a CSV table (RFC 4180) with one row for each text, with formulas defused."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for one in found.tracks:
        bounds = (one.start_s, one.end_s)
        times = (*map(seconds, bounds), *map(format_time, bounds))
        writer.writerow((*times, cell(one.text), f"{one.sureness:.2f}", one.height_px, *one.box_px))
    return table.getvalue()


def subtitles(found: Tracks) -> str:
    """Return SubRip subtitles that never overlap: from one change to the next, all texts that stand there."""
    edges = sorted({time_s for one in found.tracks for time_s in (one.start_s, one.end_s)})
    cues = []
    for start_s, end_s in pairwise(edges):
        standing = in_reading_order(found.between(start_s, start_s))
        if standing:
            cues.append((start_s, end_s, "\r\n".join(cue_line(one.text) for one in standing)))
    return subrip(cues)
