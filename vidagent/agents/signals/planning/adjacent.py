"""Planning for what comes right before or after a time: the nearest text, else the nearest cut, else neither."""

from __future__ import annotations

import re
from dataclasses import dataclass

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.follow_ups import BESIDE
from vidagent.agents.signals.language.matching import alike
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Line, Past, Result
from vidagent.agents.signals.planning.intervals import Window

_SAME_S = 2e-3
_STEP_S = 0.4
_FRAMES = 8
"""Frames to read: one on the near side, for text that was already there, and one every 0.4 s beyond it."""
_COARSE_FRAMES = 4
"""Frame step of the coarse search for a cut; a cut is only recognisable over steps below 0.25 s."""
_COARSE_S = 0.2
_EXACT_REACH = 2.5
_INEXACT_REACH = 8.5
"""Frames to search on each side of an indexed cut, depending on whether the index is exact."""
_MAX_TEXTS = 3
_MIN_LETTERS = 3


def look_beside(question: str, past: Past) -> list[ToolCall]:
    """Return the next tool call or the answer to a question that names a side and a time."""
    found = BESIDE.search(question)
    if found is None or not (past.has("clip") or past.has("resample")):
        return [tool_calls.answer("cannot_judge", wording.CANNOT_JUDGE, confidence=0.0)]
    return [_Beside(found[1] == "after", float(found[2]), past).next_call()]


@dataclass(frozen=True, slots=True)
class _Beside:
    """A question about what comes right after or before a time.

    Args:
        after: Whether the question asks about after the time, not before it.
        at_s: The time: of the first frame after the event in question, or of the event's first frame.
        past: The looks so far.
    """

    after: bool
    at_s: float
    past: Past

    def next_call(self) -> ToolCall:
        """Return the next look, or the answer."""
        window = self._window()
        read = self._done(window, wording.ANY_TEXT)
        if read is None:
            return tool_calls.closer(window, wording.ANY_TEXT, self.past)
        if lines := self._new_lines(read):
            return self._text_answer(lines)
        if self.past.has("search") and not self.past.count("search", self._query):
            return tool_calls.search(self._query, 1)
        listed_s = [cut_s for cut_s in self._listed_cuts() if window.start_s < cut_s < window.end_s]
        cut_s = min(filter(self._beyond, listed_s), key=self._distance, default=None)
        return self._no_change(read) if cut_s is None else self._cut(cut_s, read)

    @property
    def _query(self) -> str:
        return f"When are the cuts around {self.at_s:.3f} s?"

    @property
    def _prefix(self) -> str:
        return f"Right {'after' if self.after else 'before'} that"

    def _window(self) -> Window:
        """Return the range to read, which starts or ends with a frame on the near side."""
        length_s = _FRAMES * _STEP_S
        start_s = self.at_s - (self.past.frame_s if self.after else length_s - _STEP_S)
        end_s = min(self.past.duration_s, start_s + length_s)
        return Window(round(max(0.0, start_s), 3), round(end_s, 3), round(1 / _STEP_S, 3))

    def _done(self, window: Window, question: str) -> Result | None:
        bounds = (("start_s", window.start_s), ("end_s", window.end_s))
        looks = self.past.asked(question)
        return next((look for look in looks if all(abs(look.told[k] - t) < _SAME_S for k, t in bounds)), None)

    def _beyond(self, time_s: float) -> bool:
        """Return whether a frame is on the side in question."""
        slack_s = self.past.frame_s / 2
        return time_s > self.at_s - slack_s if self.after else time_s < self.at_s - slack_s

    def _distance(self, time_s: float) -> float:
        return abs(time_s - self.at_s)

    def _new_lines(self, read: Result) -> list[Line]:
        """Return the new lines of the nearest frame with text that is not in the near-side frame."""
        earlier_texts = [line.text for line in read.lines if not self._beyond(line.time_s)]
        new = [
            line
            for line in read.lines
            if self._beyond(line.time_s)
            and sum(char.isalnum() for char in line.text) >= _MIN_LETTERS
            and not any(alike(line.text, text) for text in earlier_texts)
        ]
        nearest = min((line.time_s for line in new), key=self._distance, default=None)
        return [line for line in new if line.time_s == nearest]

    def _text_answer(self, lines: list[Line]) -> ToolCall:
        """Return an answer with the texts of one frame."""
        chosen, at_s = lines[:_MAX_TEXTS], lines[0].time_s
        listed = " and ".join(f'"{wording.quotable(line.text)}"' for line in chosen)
        one = len(chosen) == 1
        return tool_calls.answer(
            "yes",
            f"{self._prefix} the text{'' if one else 's'} {listed} {'is' if one else 'are'} read, at {at_s:.3f} s.",
            claims=[(wording.claim_text(line.text, at_s), [line.entry], at_s) for line in chosen],
            spans=[(at_s, min(self.past.duration_s, at_s + self.past.frame_s))],
            confidence=0.8,
        )

    def _listed_cuts(self) -> list[float]:
        """Parse the cut times of the index from the facts of the search."""
        listed = re.search(r"cuts at [^:]*: ([\d., ]+)", self._facts())
        return [float(text) for text in re.findall(r"\d+\.\d+", listed[1])] if listed else []

    def _facts(self) -> str:
        return " ".join(
            str(fact) for look in self.past.asked(self._query) for fact in look.told.get("facts", [])
        )

    def _cut(self, cut_s: float, read: Result) -> ToolCall:
        """Look for an indexed cut, coarsely first if the index is not exact, then in every frame; then answer."""
        exact = "exact to a few frames" not in self._facts()
        reach_s = (_EXACT_REACH if exact else _INEXACT_REACH) * self.past.frame_s
        start_s, end_s = max(0.0, cut_s - reach_s), min(self.past.duration_s, cut_s + reach_s)
        step_s = min(_COARSE_FRAMES * self.past.frame_s, _COARSE_S)
        fps = None if exact or step_s < 2 * self.past.frame_s else round(1 / step_s, 4)
        window = Window(round(start_s, 3), round(end_s, 3), fps)
        look = self._done(window, wording.ANY_CUT)
        if look is not None and look.lines and not look.told.get("every_frame"):
            window = self._between(look)
            look = self._done(window, wording.ANY_CUT)
        if look is None:
            return tool_calls.closer(window, wording.ANY_CUT, self.past)
        cuts = [line for line in look.lines if self._beyond(line.time_s)]
        return (
            self._new_shot(min(cuts, key=lambda line: self._distance(line.time_s)))
            if cuts
            else self._no_change(read)
        )

    def _between(self, look: Result) -> Window:
        """Return the range from the last frame before a seen cut to the first one after it, both included."""
        seen_s = min((line.time_s for line in look.lines), key=self._distance)
        before_s = max((time_s for time_s in look.times_s if time_s < seen_s), default=seen_s)
        return Window(round(before_s, 3), round(min(self.past.duration_s, seen_s + self.past.frame_s / 2), 3))

    def _new_shot(self, cut: Line) -> ToolCall:
        return tool_calls.answer(
            "yes",
            f"{self._prefix} no text is read; a new shot begins at {cut.time_s:.3f} s.",
            claims=[(wording.claim_cut(cut.time_s), [cut.entry], cut.time_s)],
            spans=[(cut.time_s, min(self.past.duration_s, cut.time_s + self.past.frame_s))],
            confidence=0.8,
        )

    def _no_change(self, read: Result) -> ToolCall:
        times_s = read.times_s or [self.at_s]
        text = (
            f"{self._prefix} no text is read and no new shot begins, in {len(read.times_s)} frames from "
            f"{min(times_s):.3f} s to {max(times_s):.3f} s. What else happens the embedded model cannot judge. "
            f"A vision-language model can: {wording.CONNECT}"
        )
        return tool_calls.answer("no", text, confidence=0.5)
