"""The spans and claims of an answer as subtitles, as a CSV table, and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from vidagent.reports.page.markup import folded
from vidagent.types import Answer
from vidagent.video.clock import format_time

Cue = tuple[float, float, str]
"""Start and end of a subtitle in seconds, and its text."""
COLUMNS = ("kind", "start_s", "end_s", "start", "end", "text", "verdict", "x0", "y0", "x1", "y1")
_FORMULA = tuple("=+-@＝＋－＠")
"""First characters of formulas in spreadsheets (OWASP, "CSV Injection"; East Asian ones take the wide forms)."""
_CLAIM_S = 1.0
"""A claim is about an instant; its subtitle stays for a second."""
_MARKUP = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})
"""SubRip has no escape for these, which players read as tags."""


def answer_json(answer: Answer) -> bytes:
    """Return the object that `--json` prints."""
    text = json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    return text.encode("utf-8", "backslashreplace")


def rows(answer: Answer) -> bytes:
    """Return a CSV table (RFC 4180, UTF-8): one row per span, part and claim, with formulas defused."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for span in answer.spans:
        bounds = (span.start_s, span.end_s)
        times = (*map(seconds, bounds), *map(format_time, bounds))
        writer.writerow(("span", *times, cell(answer.answer), *[""] * 5))
    for part in answer.parts:
        bounds = (part.start_s, part.end_s)
        times = (*map(seconds, bounds), *map(format_time, bounds))
        writer.writerow(("part", *times, cell(part.text), part.verdict, *[""] * 4))
    for item in answer.evidence:
        times = (seconds(item.time_s), "", format_time(item.time_s), "")
        box = item.box_px or ("", "", "", "")
        writer.writerow(("evidence", *times, cell(item.claim), item.verdict, *box))
    return table.getvalue().encode("utf-8", "backslashreplace")


def subtitles(answer: Answer) -> bytes:
    """Return SubRip subtitles: each part; without parts, the answer in each of its spans and each claim.

    No two overlap, as players show only one of them, or both in changing places: where several are due, one cue has
    the lines of all.
    """
    return subrip(merged(list(_cues(answer)))).encode("utf-8", "backslashreplace")


def subrip(cues: Iterable[Cue]) -> str:
    """Return cues that do not overlap as SubRip subtitles."""
    return "".join(
        f"{number}\r\n{clock(start_s)} --> {clock(end_s)}\r\n{text}\r\n\r\n"
        for number, (start_s, end_s, text) in enumerate(cues, 1)
    )


def merged(cues: Sequence[Cue]) -> list[Cue]:
    """Cut cues where one begins or ends, to the millisecond of a subtitle, and join the lines that are due together."""
    timed = [(round(start_s, 3), round(end_s, 3), text) for start_s, end_s, text in cues]
    found: list[Cue] = []
    for start_s, end_s in pairwise(sorted({edge for cue in timed for edge in cue[:2]})):
        due = dict.fromkeys(text for first_s, last_s, text in timed if first_s <= start_s < last_s)
        lines = "\r\n".join(due)
        if found and found[-1][1:] == (start_s, lines):
            found[-1] = (found[-1][0], end_s, lines)
        elif due:
            found.append((start_s, end_s, lines))
    return found


def _cues(answer: Answer) -> Iterator[Cue]:
    frame_s, last_s = answer.video.frame_s, answer.video.duration_s
    for part in answer.parts:
        yield part.start_s, max(part.end_s, part.start_s + frame_s), cue_line(part.text)
    if answer.parts:
        return
    for span in answer.spans:
        yield span.start_s, max(span.end_s, span.start_s + frame_s), cue_line(answer.answer)
    for item in answer.evidence:
        end_s = max(min(item.time_s + _CLAIM_S, last_s), item.time_s + frame_s)
        yield item.time_s, end_s, cue_line(f"{item.claim} ({item.verdict})")


def cue_line(text: str) -> str:
    """Return a line of a subtitle, without what players read as markup."""
    return folded(text).translate(_MARKUP) or "-"


def clock(time_s: float) -> str:
    """Return a time as SubRip writes it."""
    whole_s, millis = divmod(round(time_s * 1000), 1000)
    return f"{whole_s // 3600:02d}:{whole_s // 60 % 60:02d}:{whole_s % 60:02d},{millis:03d}"


def seconds(time_s: float) -> str:
    """Return seconds with up to six decimals."""
    return f"{time_s:.6f}".rstrip("0").rstrip(".")


def cell(text: str) -> str:
    """Return a cell of a table, in which a formula is defused."""
    line = folded(text)
    return f"'{line}" if line.startswith(_FORMULA) else line
