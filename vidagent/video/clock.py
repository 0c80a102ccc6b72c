"""The player's clock: seconds of PTS minus the container's start time."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line formats times without NumPy, which takes long to import
    import numpy as np
    from numpy.typing import NDArray

_FORMS = "SS, SS.mmm, MM:SS(.mmm) or HH:MM:SS(.mmm)"
_TEXT = re.compile(r"(?:(?:(?P<h>\d+):)?(?P<m>\d+):)?(?P<s>\d+(?:\.\d*)?|\.\d+)")
_SLACK_S = 1e-6
"""Tolerance of every time, so that a sum of floats or a time printed with six decimals still matches its frame."""
_LABEL_DECIMALS = 3
_LABEL_SLACK_S = 0.5e-3 + _SLACK_S
"""Tolerance of a printed time: half its last digit."""
_HOUR_S = 3600.0


def parse_time(text: str | float) -> float:
    """Parse a time into seconds.

    Args:
        text: `SS`, `SS.mmm`, `MM:SS(.mmm)` or `HH:MM:SS(.mmm)`, or a number of seconds.

    Returns:
        Seconds, finite and not negative.

    Raises:
        ValueError: If the text has another form, or minutes or seconds next to a colon are 60 or more.
    """
    if not isinstance(text, str):
        if not math.isfinite(text) or text < 0:
            raise ValueError(f"a time must be finite and at least 0 s, got {text!r}")
        return float(text)
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"a time must be {_FORMS}, got {text!r}")
    hours, minutes, seconds = int(match["h"] or 0), int(match["m"] or 0), float(match["s"])
    if (match["m"] and seconds >= 60) or (match["h"] and minutes >= 60):
        raise ValueError(f"minutes and seconds beside a colon must be below 60 ({_FORMS}), got {text!r}")
    return hours * 3600 + minutes * 60 + seconds


def format_time(t_s: float) -> str:
    """Format seconds to the millisecond: `0:42.480`, `1:02:03.250`."""
    millis = round(abs(t_s) * 1000)
    minutes, millis = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if t_s < 0 and (hours or minutes or millis) else ""
    seconds = f"{millis / 1000:06.3f}"
    return f"{sign}{hours}:{minutes:02d}:{seconds}" if hours else f"{sign}{minutes}:{seconds}"


def format_clock(t_s: float, *, hours: bool = False, tenths: bool = False) -> str:
    """Format seconds as a player's display does: `0:42`, `1:02:03`; with `hours` always the latter.

    What is not shown is cut off, not rounded, so that the time shown is never after the frame; `tenths` shows `0:42.3`.
    """
    whole, tenth = divmod(int((max(0.0, t_s) + _SLACK_S) * 10), 10)
    minutes, seconds = divmod(whole, 60)
    fraction = f".{tenth}" if tenths else ""
    if hours or minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}{fraction}"
    return f"{minutes}:{seconds:02d}{fraction}"


def clock_ranges(ranges_s: Sequence[tuple[float, float]], dash: str = "-") -> list[str]:
    """Format ranges as a player's display does, `0:42-1:05`, all with hours if one needs them.

    A range within a second has one time. All have tenths of a second if two of them, or two of their starts, would read
    the same without.
    """
    hours = any(end_s >= _HOUR_S for _, end_s in ranges_s)
    for tenths in (False, True):
        shown = [
            [format_clock(bound_s, hours=hours, tenths=tenths) for bound_s in bounds] for bounds in ranges_s
        ]
        told = [start if start == end else f"{start}{dash}{end}" for start, end in shown]
        starts = {start for start, _ in shown}
        if len(set(told)) == len(set(ranges_s)) and len(starts) == len({start_s for start_s, _ in ranges_s}):
            break
    return told


def slack_s(t_s: float) -> float:
    """Return by how many seconds a time may differ from its frame's.

    Times are printed with three decimals. A time with at most three decimals counts as printed, and matches a frame
    within half a millisecond; any other time is exact to a microsecond.
    """
    return _LABEL_SLACK_S if abs(t_s - round(t_s, _LABEL_DECIMALS)) <= _SLACK_S else _SLACK_S


def names(t_s: float, frame_s: float) -> bool:
    """Return whether a time, exact or as printed, matches the frame that starts at `frame_s`."""
    return abs(frame_s - t_s) <= slack_s(t_s)


@dataclass(frozen=True, slots=True)
class Clock:
    """Converts PTS ticks of one stream to seconds on the player's clock, and back.

    Args:
        time_base: Seconds per tick of the stream.
        start: The container's start time in seconds; this instant is 0 on the clock.
    """

    time_base: Fraction
    start: Fraction

    def seconds(self, pts: int) -> float:
        """Return the time of a PTS, correctly rounded."""
        gain, offset, unit = self._ratio()
        return (pts * gain - offset) / unit

    def seconds_of(self, pts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the times of many PTS, each equal to that of `seconds`."""
        gain, offset, unit = self._ratio()
        scaled = pts * gain
        scaled -= offset
        return scaled / unit

    def ticks(self, t_s: float) -> int:
        """Return the last PTS at or before a time, with the tolerance of `slack_s`."""
        return math.floor((Fraction(t_s) + Fraction(slack_s(t_s)) + self.start) / self.time_base)

    def ticks_at_least(self, t_s: float) -> int:
        """Return the first PTS at or after a time, with the tolerance of `slack_s`."""
        return math.ceil((Fraction(t_s) - Fraction(slack_s(t_s)) + self.start) / self.time_base)

    def _ratio(self) -> tuple[int, int, int]:
        unit = math.lcm(self.time_base.denominator, self.start.denominator)
        gain = self.time_base.numerator * (unit // self.time_base.denominator)
        return gain, self.start.numerator * (unit // self.start.denominator), unit
