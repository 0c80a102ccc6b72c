"""The parts of an answer, or else its spans, as a CMX 3600 edit decision list, which editing programs read.

The columns are those of the CMX 3600 list (Brooks Harris, "Guide to EDL Management", edlmax.com/maxguide.html): event,
reel, channels, transition, source in and out, record in and out; outs are exclusive. Timecodes follow SMPTE ST 12-1: at
30000/1001 and 60000/1001 frames per second they are drop-frame, which skip the first two (four) numbers of every minute
except each tenth, to stay in step with the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import PurePath

from vidagent.reports.page.markup import folded
from vidagent.types import Answer, Span

_STANDARD = tuple(
    Fraction(rate, part) for rate in (24, 25, 30, 48, 50, 60) for part in (1, Fraction(1001, 1000))
)
_NEAR = Fraction(4, 10_000)
"""The average rate of a real file is slightly off its standard rate; 29.97 and 30 are 10 in 10,000 apart."""
_MAX_FPS = 60
"""Highest rate that the two frame digits of a timecode are used for."""
_TITLE_CHARACTERS = 70


def edit_list(answer: Answer, question: str) -> str:
    """Return the list: one cut per part or span in order, back to back on the record side."""
    rate = _timecode_rate(answer.video.fps)
    drops = rate.denominator == 1001 and round(rate) % 30 == 0
    lines = [
        f"TITLE: {folded(question)[:_TITLE_CHARACTERS]}",
        f"FCM: {'' if drops else 'NON-'}DROP FRAME",
        "",
    ]
    lines += _events(answer, rate)
    return "\r\n".join([*lines, ""])


def timecode(frame: int, rate: Fraction) -> str:
    """Return the timecode of a frame number at a rate of up to 60; it wraps after 24 hours."""
    base = round(rate)
    mark = ":"
    if rate.denominator == 1001 and base % 30 == 0:
        mark, left_out = ";", base // 15
        tens, rest = divmod(frame, base * 600 - 9 * left_out)
        minutes = max(0, rest - left_out) // (base * 60 - left_out)
        frame += left_out * (9 * tens + minutes)
    seconds, number = divmod(frame, base)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours % 24:02d}:{minute:02d}:{second:02d}{mark}{number:02d}"


def _events(answer: Answer, rate: Fraction) -> Iterator[str]:
    record = 0
    places = [(Span(part.start_s, part.end_s), part.text) for part in answer.parts]
    places = places or [(span, answer.answer) for span in sorted(answer.spans)]
    for number, (span, text) in enumerate(places, 1):
        first, end = _frames(span, rate)
        times = (first, end, record, record + end - first)
        yield f"{number:03d}  AX       V     C        {' '.join(timecode(frame, rate) for frame in times)}"
        yield f"* FROM CLIP NAME: {folded(PurePath(answer.video.path).name)}"
        yield f"* COMMENT: {folded(text)}"
        record += end - first


def _frames(span: Span, rate: Fraction) -> tuple[int, int]:
    first = round(span.start_s * rate)
    return first, max(round(span.end_s * rate), first + 1)


def _timecode_rate(fps: Fraction) -> Fraction:
    """Return the rate to count at: the nearest standard rate, or whole frames per second; halved while over 60."""
    while fps > _MAX_FPS * (1 + _NEAR):
        fps /= 2
    return next((known for known in _STANDARD if abs(fps / known - 1) < _NEAR), Fraction(max(1, round(fps))))
