"""What is told of a batch's pace, by a clock that the test moves on."""

from __future__ import annotations

import pytest

from vidagent.serve.batch.output_file import Result
from vidagent.serve.batch.progress import BatchProgress, Rate
from vidagent.serve.terminal import console

ANSWERED = {"answer": {"status": "answered", "usage": {}}}
MISSING = {"error": {"type": "video", "message": "gone.mp4: no such file"}}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Told:
    """A batch whose lines end when the test says so, and what was told of it."""

    def __init__(self, capfd, lines: int, *, done: int = 0, side_by_side: int = 1) -> None:
        console.stderr.cache_clear()
        self._capfd, self.clock = capfd, Clock()
        self.progress = BatchProgress(
            console.stderr(), lines, done, side_by_side, quiet=False, clock=self.clock
        ).__enter__()

    def end(self, after_s: float, lines: int = 1, result: Result = ANSWERED) -> str:
        """Let lines end after a time; return the last line told, or nothing."""
        self.clock.now_s += after_s
        for _ in range(lines):
            self.progress.add(result)
        return self._last()

    def over(self) -> str:
        """End the batch; return what it leaves."""
        self.progress.__exit__(None, None, None)
        return self._last()

    def _last(self) -> str:
        return (self._capfd.readouterr().err.splitlines() or [""])[-1]


def test_the_start_up_counts_in_no_rate(capfd):
    """Half a minute to start, then a line each 12 s: 5 a minute, and 489 lines are 1:37:48."""
    told = Told(capfd, 500)
    assert told.end(30) == "1 of 500 lines, 0 calls"
    assert [told.end(12) for _ in range(9)][-1] == "10 of 500 lines, 0 calls"
    assert told.end(12) == "11 of 500 lines, 5.0/min, 1:37:48 left, 0 calls"


def test_nothing_is_told_of_the_pace_of_one_wave(capfd):
    """Four at once, each 60 s: the first four ended together, and say nothing of how many follow in a minute."""
    told = Told(capfd, 20, side_by_side=4)
    assert told.end(60, 4) == "1 of 20 lines, 0 calls"
    assert told.end(60, 4) == "5 of 20 lines, 0 calls"
    assert told.end(60, 4) == "9 of 20 lines, 2.5/min, 0:04:24 left, 0 calls"


def test_the_rate_is_that_of_the_last_lines(capfd):
    told = Told(capfd, 1000)
    slow = [told.end(60) for _ in range(100)][-1]
    assert slow == "100 of 1000 lines, 1.0/min, 15:00:00 left, 0 calls"
    fast = [told.end(1) for _ in range(60)][-1]
    assert fast == "160 of 1000 lines, 60.0/min, 0:14:00 left, 0 calls"


def test_the_rate_falls_once_the_next_line_is_overdue():
    clock = Clock()
    pace = Rate(100, 1, clock)
    for _ in range(5):
        clock.now_s += 10
        pace.add()
    for waited_s, per_second in ((0, 0.1), (10, 0.1), (60, 5 / 100)):
        clock.now_s = 1050 + waited_s
        assert pace.per_second == pytest.approx(per_second)


def test_lines_that_were_never_asked_make_no_rate(capfd):
    told = Told(capfd, 500)
    assert told.end(30, 100, MISSING) == "1 of 500 lines, 1 error, 0 calls"
    assert told.end(10) == "101 of 500 lines, 100 errors, 0 calls"
    for _ in range(9):
        told.end(10)
    assert told.end(10) == "111 of 500 lines, 6.0/min, 1:04:50 left, 100 errors, 0 calls"


@pytest.mark.parametrize("lines", [3, 100_000])
def test_of_few_lines_and_of_very_many(capfd, lines):
    told = Told(capfd, lines)
    ended = [told.end(10) for _ in range(min(lines, 51))]
    assert "left" not in "".join(ended[:50])
    assert ("left" in ended[-1]) is (lines > 3)


def test_at_the_end_the_whole_time_is_told(capfd):
    told = Told(capfd, 12, done=2)
    told.end(60, 10)
    assert told.over() == "12 of 12 lines in 0:01:00, 10.0/min, 0 calls"
    assert Told(capfd, 12, done=12).over() == ""
