"""The spans and claims of an answer as subtitles, as a CSV table, and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from vidagent.reports.page.markup import folded
from vidagent.types import Answer
from vidagent.video.clock import format_time

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
        times = (*map(_seconds, bounds), *map(format_time, bounds))
        writer.writerow(("span", *times, _cell(answer.answer), *[""] * 5))
    for part in answer.parts:
        bounds = (part.start_s, part.end_s)
        times = (*map(_seconds, bounds), *map(format_time, bounds))
        writer.writerow(("part", *times, _cell(part.text), part.verdict, *[""] * 4))
    for item in answer.evidence:
        times = (_seconds(item.time_s), "", format_time(item.time_s), "")
        box = item.box_px or ("", "", "", "")
        writer.writerow(("evidence", *times, _cell(item.claim), item.verdict, *box))
    return table.getvalue().encode("utf-8", "backslashreplace")


def subtitles(answer: Answer) -> bytes:
    """Return SubRip subtitles: each part; without parts, the answer in each of its spans and each claim."""
    cues = sorted(_cues(answer), key=lambda cue: cue[:2])
    blocks = [
        f"{number}\r\n{_clock(start_s)} --> {_clock(end_s)}\r\n{text}\r\n\r\n"
        for number, (start_s, end_s, text) in enumerate(cues, 1)
    ]
    return "".join(blocks).encode("utf-8", "backslashreplace")


def _cues(answer: Answer) -> Iterator[tuple[float, float, str]]:
    frame_s, last_s = answer.video.frame_s, answer.video.duration_s
    for part in answer.parts:
        yield part.start_s, max(part.end_s, part.start_s + frame_s), _line(part.text)
    if answer.parts:
        return
    for span in answer.spans:
        yield span.start_s, max(span.end_s, span.start_s + frame_s), _line(answer.answer)
    for item in answer.evidence:
        end_s = max(min(item.time_s + _CLAIM_S, last_s), item.time_s + frame_s)
        yield item.time_s, end_s, _line(f"{item.claim} ({item.verdict})")


def _line(text: str) -> str:
    return folded(text).translate(_MARKUP) or "-"


def _clock(time_s: float) -> str:
    seconds, millis = divmod(round(time_s * 1000), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{millis:03d}"


def _seconds(time_s: float) -> str:
    return f"{time_s:.6f}".rstrip("0").rstrip(".")


def _cell(text: str) -> str:
    line = folded(text)
    return f"'{line}" if line.startswith(_FORMULA) else line
