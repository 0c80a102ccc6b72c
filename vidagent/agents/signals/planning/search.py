"""Planning for questions about when something is shown: texts, codes, colours and movement."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import Intent
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Past
from vidagent.agents.signals.planning.intervals import Found, SeenBy, Window, edges_to_look_at, runs_of
from vidagent.agents.signals.vision.motion import where
from vidagent.text import counted
from vidagent.types import SEEN_WITHIN_S

MOST_PAGES = 4
_MAX_RUNS = 12
_FLICKER_S = 0.25
_FEW_FRAMES = 16
_MAX_CALLS = 6
_MOST_UNSEEN = 0.1
"""Largest share of a range that may lie further from the frames looked at where all of it counts as seen."""
_INSTANT_S = 0.001
"""Short enough that a look shows only the frame at that time, not the next one too."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something to look for frame by frame.

    Args:
        question: The sub-question whose sightings mark the frames that show it.
        name: Its name in the answer, such as `The text "X"`.
        does: Its predicate in the answer, such as `is shown`.
        claim: Returns the text of a claim that it is seen at a time.
        text: Count only sightings with this text; None counts all.
        note: Extra text for the answer.
        searched: Whether the moments of the index can contain it.
        flicker_s: How long it may go unseen between two frames that show it, such as a text misread once.
        longest: Whether to choose the longest run if no other order is given.
        by: How it is seen: in a frame, in a step between frames, or as a step without change.
        placed: Whether the answer says where in the image it is.
        read: The text itself, if it is a text.
    """

    question: str
    name: str
    does: str
    claim: Callable[[float], str]
    text: str | None = None
    note: str = ""
    searched: bool = True
    flicker_s: float = 0.0
    longest: bool = False
    by: SeenBy = "frame"
    placed: bool = False
    read: str | None = None


def text_target(text: str) -> Target:
    """Return the target for a given text."""
    return Target(
        wording.is_shown(text),
        f'The text "{text}"',
        "is shown",
        lambda t: wording.claim_text(text, t),
        flicker_s=_FLICKER_S,
        read=text,
    )


def seek(intent: Intent, target: Target, past: Past, *, pages: int = MOST_PAGES) -> list[ToolCall]:
    """Return the next tool calls of a search for `target` on so many pages of moments, or the answer."""
    if not past.asked(target.question):
        return [_first_look(intent, target, past)]
    results, scope = past.asked(target.question), scope_of(intent, past)
    runs = _runs(intent, target, past)
    page = _unfinished_coarse(intent, target, past, runs, pages)
    if page is not None:
        return [page]
    if not runs:
        return [_not_found(intent, target, past)]
    selected = _selected(intent, target, runs)
    windows = [
        window
        for run in (selected if past.has("clip") or past.has("resample") else [])
        for window in edges_to_look_at(run, results, past, target.by, target.flicker_s)
        if scope is None or (intent.at_s is None and window.start_s < scope[1] and window.end_s > scope[0])
    ]
    new = [window for window in dict.fromkeys(windows) if not _looked_at(window, target.question, past)]
    if new:
        return [tool_calls.closer(window, target.question, past) for window in new[:_MAX_CALLS]]
    sure = 0.9
    if intent.ask in {"count", "how_long"} or intent.order != "first":
        sure = min(sure, sure_of_all(intent, target.question, past))
    return [answer_found(intent, target, selected, len(runs), past, confidence=sure)]


def first_seen(intent: Intent, target: Target, past: Past) -> Found | None:
    """Return the first run of frames that show the target in the looks so far, or None."""
    return next(iter(_runs(intent, target, past)), None)


def _runs(intent: Intent, target: Target, past: Past) -> list[Found]:
    results = past.asked(target.question)
    found = runs_of(results, target.flicker_s, text=target.text, in_pairs=target.by != "frame")
    scope = scope_of(intent, past)
    return found if intent.at_s is not None else [run for run in found if _inside(run, scope)]


def scope_of(intent: Intent, past: Past) -> tuple[float, float] | None:
    """Return the range in seconds that the question names, or None for the whole video."""
    last = past.duration_s
    if intent.range_s is not None:
        return min(intent.range_s[0], max(0.0, last - past.frame_s)), min(intent.range_s[1], last)
    if intent.at_s is not None:
        at_s = min(intent.at_s, max(0.0, last - past.frame_s))
        return at_s, at_s + past.frame_s
    if intent.window is not None:
        return intent.window[0] * last, intent.window[1] * last
    return None


def first_look(intent: Intent, question: str, past: Past, *, start_s: float | None = None) -> ToolCall:
    """Return the call that shows the range in question, the one frame at an instant, or the whole video."""
    scope = scope_of(intent, past)
    if scope is None and past.has("overview"):
        return tool_calls.overview(question)
    low, high = scope or (0.0, past.duration_s)
    end_s = high if intent.at_s is None else low + _INSTANT_S
    return tool_calls.closer(Window(low if start_s is None else start_s, end_s), question, past)


def next_page(question: str, most: int, past: Past) -> ToolCall | None:
    """Return the call for the next page of moments, or None after `most` pages or the last one.

    Without the search tool, split the video into `most` parts instead.
    """
    if not past.has("search"):
        return _next_part(question, most, past)
    pages = [result for result in past.asked(question) if result.tool == "search"]
    notes = " ".join(str(note) for result in pages[-1:] for note in result.told.get("notes", []))
    over = bool(pages) and " 0 more on later pages" in notes
    return None if over or len(pages) >= most else tool_calls.search(question, len(pages) + 1)


def _next_part(question: str, parts: int, past: Past) -> ToolCall | None:
    """Return the call for the next of `parts` equal parts of the video, or None after the last one."""
    edges = [round(past.duration_s * number / max(1, parts), 3) for number in range(parts + 1)]
    windows = [Window(start_s, end_s) for start_s, end_s in pairwise(edges)]
    todo = [window for window in windows if not _looked_at(window, question, past)]
    reached = past.has("clip") or past.has("resample")
    return tool_calls.closer(todo[0], question, past) if todo and reached else None


def _first_look(intent: Intent, target: Target, past: Past) -> ToolCall:
    if target.read is not None and scope_of(intent, past) is None and past.has("resample"):
        fps = round(
            _FEW_FRAMES / past.duration_s, 4
        )  # the texts on screen are known: these frames confirm it
        return tool_calls.closer(Window(0.0, past.duration_s, fps), target.question, past)
    start_s = max(
        0.0, (scope_of(intent, past) or (0.0, 0.0))[0] - (past.frame_s if target.by != "frame" else 0.0)
    )
    return first_look(intent, target.question, past, start_s=start_s)


def _inside(run: Found, scope: tuple[float, float] | None) -> bool:
    return scope is None or (run.last_s >= scope[0] - 1e-3 and run.first_s < scope[1])


def _unfinished_coarse(
    intent: Intent, target: Target, past: Past, runs: Sequence[Found], most: int
) -> ToolCall | None:
    """Return the next of `most` pages of moments while there may be an unseen occurrence, else None."""
    if not target.searched or intent.at_s is not None:
        return None
    every = intent.order != "first" or intent.ask in {"count", "how_long"}
    return next_page(target.question, most if not runs else 1 if every else 0, past)


def _selected(intent: Intent, target: Target, runs: Sequence[Found]) -> list[Found]:
    if intent.order == "every" or intent.ask == "count":
        return list(runs[:_MAX_RUNS])
    if intent.order == "last":
        return list(runs[-1:])
    if target.longest:
        return [max(runs, key=lambda run: run.last_s - run.first_s)]
    every = intent.ask == "how_long" and not re.search(r"\bfirst\b", intent.question)
    return list(runs[: _MAX_RUNS if every else 1])


def _looked_at(window: Window, question: str, past: Past) -> bool:
    tool = tool_calls.closer(window, question, past)["name"]
    return any(
        abs(result.told["start_s"] - window.start_s) < 2e-3
        and abs(result.told["end_s"] - window.end_s) < 2e-3
        for result in past.asked(question)
        if result.tool == tool
    )


def sure_of_all(intent: Intent, question: str, past: Past) -> float:
    """Return the confidence that nothing was missed: 0.8 if at most a tenth of the range is unseen, else 0.5."""
    low, high = scope_of(intent, past) or (0.0, past.duration_s)
    times = sorted({time_s for result in past.asked(question) for time_s in result.times_s})
    bounds = [low, *(time_s for time_s in times if low <= time_s < high), high]
    missed_s = sum(max(0.0, after_s - before_s - 2 * SEEN_WITHIN_S) for before_s, after_s in pairwise(bounds))
    return 0.8 if missed_s <= _MOST_UNSEEN * (high - low) else 0.5


def _not_found(intent: Intent, target: Target, past: Past) -> ToolCall:
    frames = len({time_s for result in past.asked(target.question) for time_s in result.times_s})
    seen = f"{target.name[0].lower()}{target.name[1:]} {target.does}"
    text = f"Not found in {counted(frames, 'frame')} looked at: that {seen}"
    return tool_calls.answer("no", text, confidence=sure_of_all(intent, target.question, past))


def answer_found(
    intent: Intent,
    target: Target,
    runs: Sequence[Found],
    known: int,
    past: Past,
    *,
    note: str = "",
    confidence: float = 0.9,
) -> ToolCall:
    """Return the answer about runs of frames that show the target, of `known` ones in all."""
    spans = [_span(run, target, past, scope_of(intent, past)) for run in runs]
    claims = []
    for run in runs[:4]:
        claims.append((target.claim(run.first_s), run.looks, run.first_s))
        if run.last_s - run.first_s > 2 * past.frame_s and len(runs) == 1:
            claims.append((target.claim(run.last_s), run.looks, run.last_s))
    shown = spans
    if intent.edge == "end" and intent.ask == "when" and "until" not in intent.question:
        shown = [(end, min(past.duration_s, end + past.frame_s)) for _, end in spans]
    text = _sentence(intent, target, _place(intent, target, runs[0], past), spans)
    every = intent.ask == "count" or intent.order == "every"
    if every and known > len(runs):
        text += f" There are more than these {len(runs)}."
    return tool_calls.answer(
        "yes",
        f"{text} {target.note} {note}".strip(),
        claims=claims,
        spans=shown,
        count=len(runs) if intent.ask == "count" and known == len(runs) else None,
        confidence=confidence,
    )


def _span(run: Found, target: Target, past: Past, scope: tuple[float, float] | None) -> tuple[float, float]:
    """Return the span in which it is seen, clipped to the range in question."""
    start = run.first_s if run.start_s is None else run.start_s
    if target.by == "calm":  # the first still step begins with the frame before it
        start = max(run.before_s or 0.0, run.first_s - run.step_s)
    end = max(run.last_s, past.duration_s if run.after_s is None else run.after_s)
    low, high = scope or (0.0, math.inf)
    return max(low, start), max(low, start, min(high, end))


def _place(intent: Intent, target: Target, run: Found, past: Past) -> str:
    """Return the most frequent place of a run in the image, in parentheses; empty if not needed."""
    if intent.ask != "where" and not target.placed:
        return ""
    places = Counter(
        where(line.box_px, past.size_wh)
        for result in past.asked(target.question)
        for line in result.lines
        if line.box_px and run.first_s - 1e-3 <= line.time_s <= run.last_s + 1e-3
    )
    return f" ({places.most_common(1)[0][0]})" if places else ""


def _sentence(intent: Intent, target: Target, place: str, spans: Sequence[tuple[float, float]]) -> str:
    start, end = spans[0]
    event = f"{target.name} {target.does}{place}"
    if intent.ask == "count":
        times = ", ".join(f"{s:.3f} s" for s, _ in spans)
        often = "once" if len(spans) == 1 else f"{len(spans)} times"
        return f"{event} {often}, as far as was seen: from {times}."
    if intent.ask == "how_long":
        total = sum(e - s for s, e in spans)
        listed = " and ".join(f"from {s:.3f} s to {e:.3f} s" for s, e in spans)
        return f"{event} for {total:.3f} s, {listed}."
    if intent.edge == "end" and intent.ask == "when" and len(spans) == 1:
        return f"{event} until {end:.3f} s; it began at {start:.3f} s."
    if len(spans) > 1:
        listed = "; ".join(f"{s:.3f} s to {e:.3f} s" for s, e in spans)
        return f"{event} {len(spans)} times: {listed}."
    yes = "Yes: " if intent.ask == "whether" else ""
    return f"{yes}{event[0].lower() + event[1:] if yes else event} from {start:.3f} s to {end:.3f} s."
