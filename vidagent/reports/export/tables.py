"""The spans and claims of an answer as subtitles, as a table, and as the answer's own JSON."""

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
"""What begins a formula in some spreadsheet (OWASP, "CSV Injection"; the wide forms count in East Asian ones)."""
_CLAIM_S = 1.0
"""A claim is about an instant; as a subtitle it stays for a second."""
_MARKUP = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})
"""SubRip knows no way to write these without players reading them as tags."""


def answer_json(answer: Answer) -> bytes:
    """Return the object that `--json` prints."""
    text = json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    return text.encode("utf-8", "backslashreplace")


def rows(answer: Answer) -> bytes:
    """Return a CSV table (RFC 4180, UTF-8): a row for each span and for each claim, none of them a formula."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for span in answer.spans:
        times = (
            _seconds(span.start_s),
            _seconds(span.end_s),
            format_time(span.start_s),
            format_time(span.end_s),
        )
        writer.writerow(("span", *times, _cell(answer.answer), "", "", "", "", ""))
    for item in answer.evidence:
        times = (_seconds(item.time_s), "", format_time(item.time_s), "")
        box = item.box_px or ("", "", "", "")
        writer.writerow(("evidence", *times, _cell(item.claim), item.verdict, *box))
    return table.getvalue().encode("utf-8", "backslashreplace")


def subtitles(answer: Answer) -> bytes:
    """Return SubRip subtitles: the answer in each of its spans, and each claim at its time."""
    cues = sorted(_cues(answer), key=lambda cue: cue[:2])
    blocks = [
        f"{number}\r\n{_clock(start_s)} --> {_clock(end_s)}\r\n{text}\r\n\r\n"
        for number, (start_s, end_s, text) in enumerate(cues, 1)
    ]
    return "".join(blocks).encode("utf-8", "backslashreplace")


def _cues(answer: Answer) -> Iterator[tuple[float, float, str]]:
    frame_s, last_s = answer.video.frame_s, answer.video.duration_s
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
    folded_text = folded(text)
    return f"'{folded_text}" if folded_text.startswith(_FORMULA) else folded_text
