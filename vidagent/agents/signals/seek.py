"""The route of questions about when something is shown: texts, codes, colours and movement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals import calls, wording
from vidagent.agents.signals.intent import Intent
from vidagent.agents.signals.locate import Found, Window, edges_to_look_at, runs_of
from vidagent.agents.signals.past import Past

__all__ = ["Target", "seek"]

MOST_PAGES = 4
_MOST_RUNS = 12
_FLICKER_S = 0.25


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be looked for frame by frame.

    Args:
        question: The sub-question whose sightings mark the frames that show it.
        name: What it is called in the answer, such as `The text "X"`.
        does: What it does while it is seen.
        claim: Words a claim that it is seen at a time.
        searched: Whether the moments of the index can hold it.
        flicker_s: How long it may go unseen between two frames that show it, as a text that is misread once.
        longest: Whether the longest time is asked for where no other order is.
    """

    question: str
    name: str
    does: str
    claim: Callable[[float], str]
    searched: bool = True
    flicker_s: float = 0.0
    longest: bool = False


def seek(intent: Intent, target: Target, past: Past) -> list[ToolCall]:
    """Return the next calls of a search for `target`, or the answer."""
    results = past.asked(target.question)
    runs = _within(intent, runs_of(results, target.flicker_s), past)
    if not past.count("overview", target.question) and not past.count("clip", target.question):
        return [_first_look(intent, target, past)]
    coarse = _unfinished_coarse(intent, target, past, runs)
    if coarse is not None:
        return [coarse]
    if not runs:
        return [_absent(target, past)]
    wanted = _wanted(intent, target, runs)
    windows = [window for run in wanted for window in edges_to_look_at(run, results, past)]
    windows = [window for window in windows if _overlaps(window, _scope(intent, past))]
    new = [w for w in dict.fromkeys(windows) if not _asked_before(w.start_s, w.end_s, target, past)]
    if new:
        return [calls.resample(window, target.question) for window in new[:6]]
    return [_present(intent, target, wanted, past)]


def _first_look(intent: Intent, target: Target, past: Past) -> ToolCall:
    scope = _scope(intent, past)
    return calls.clip(*scope, target.question) if scope else calls.overview(target.question)


def _scope(intent: Intent, past: Past) -> tuple[float, float] | None:
    """Return the range of seconds that the question names."""
    last = past.duration_s
    if intent.range_s is not None:
        return min(intent.range_s[0], last), min(intent.range_s[1], last)
    if intent.at_s is not None:
        at_s = min(intent.at_s, max(0.0, last - past.frame_s))
        return at_s, at_s + past.frame_s
    if intent.window is not None and last < 600:
        return intent.window[0] * last, intent.window[1] * last
    return None


def _within(intent: Intent, runs: Sequence[Found], past: Past) -> list[Found]:
    scope = _scope(intent, past)
    if scope is None:
        return list(runs)
    return [run for run in runs if run.last_s >= scope[0] - 1e-3 and run.first_s <= scope[1]]


def _unfinished_coarse(intent: Intent, target: Target, past: Past, runs: Sequence[Found]) -> ToolCall | None:
    """Return the next page of moments while the thing, or another showing of it, may still be hidden."""
    pages = past.count("search", target.question)
    if not target.searched or (intent.at_s is not None and runs):
        return None
    every = intent.order == "every" or intent.ask == "count"
    wanted = MOST_PAGES if not runs else 1 if every else 0
    if pages >= wanted or _no_more_moments(target, past):
        return None
    return calls.search(target.question, pages + 1)


def _no_more_moments(target: Target, past: Past) -> bool:
    """Say whether the last page of moments was not a full one."""
    pages = [result for result in past.asked(target.question) if result.tool == "search"]
    notes = " ".join(str(note) for result in pages[-1:] for note in result.told.get("notes", []))
    return bool(pages) and " 0 more on later pages" in notes


def _overlaps(window: Window, scope: tuple[float, float] | None) -> bool:
    """Say whether a window lies at least partly in the range asked about."""
    return scope is None or (window.start_s < scope[1] and window.end_s > scope[0])


def _wanted(intent: Intent, target: Target, runs: Sequence[Found]) -> list[Found]:
    if intent.order == "every" or intent.ask == "count":
        return list(runs[:_MOST_RUNS])
    if intent.order == "last":
        return list(runs[-1:])
    return [max(runs, key=lambda run: run.last_s - run.first_s)] if target.longest else list(runs[:1])


def _asked_before(start_s: float, end_s: float, target: Target, past: Past) -> bool:
    return any(
        abs(result.told["start_s"] - start_s) < 2e-3 and abs(result.told["end_s"] - end_s) < 2e-3
        for result in past.asked(target.question)
        if result.tool == "resample"
    )


def _absent(target: Target, past: Past) -> ToolCall:
    frames = sum(len(result.times_s) for result in past.asked(target.question))
    told = f"Not found in {frames} frames looked at: {target.name[0].lower() + target.name[1:]} {target.does}"
    return calls.answer("no", told, confidence=0.6)


def _present(intent: Intent, target: Target, runs: Sequence[Found], past: Past) -> ToolCall:
    spans = [_span(run, past, _scope(intent, past)) for run in runs]
    claims = []
    for run in runs[:4]:
        claims.append((target.claim(run.first_s), run.looks, run.first_s))
        if run.last_s - run.first_s > 2 * past.frame_s and len(runs) == 1:
            claims.append((target.claim(run.last_s), run.looks, run.last_s))
    count = len(runs) if intent.ask == "count" else None
    shown = (
        [(end, min(past.duration_s, end + past.frame_s)) for _, end in spans]
        if intent.edge == "end"
        else spans
    )
    return calls.answer(
        "yes", _sentence(intent, target, spans), claims=claims, spans=shown, count=count, confidence=0.9
    )


def _span(run: Found, past: Past, scope: tuple[float, float] | None) -> tuple[float, float]:
    """Return from when to when it is seen, within the range asked about."""
    end = max(run.last_s, past.duration_s if run.after_s is None else run.after_s)
    low, high = scope or (0.0, past.duration_s)
    return max(low, run.first_s), max(run.first_s, min(high, end))


def _sentence(intent: Intent, target: Target, spans: Sequence[tuple[float, float]]) -> str:
    start, end = spans[0]
    said = f"{target.name} {target.does}"
    if intent.ask == "count":
        times = ", ".join(f"{s:.3f} s" for s, _ in spans)
        often = "once" if len(spans) == 1 else f"{len(spans)} times"
        return f"{said} {often}, as far as was seen: from {times}."
    if intent.ask == "how_long":
        return f"{said} for {end - start:.3f} s, from {start:.3f} s to {end:.3f} s."
    if intent.edge == "end" and intent.ask == "when":
        return f"{said} until {end:.3f} s; it began at {start:.3f} s."
    if len(spans) > 1:
        listed = "; ".join(f"{s:.3f} s to {e:.3f} s" for s, e in spans)
        return f"{said} {len(spans)} times: {listed}."
    yes = "Yes: " if intent.ask == "whether" else ""
    return f"{yes}{said[0].lower() + said[1:] if yes else said} from {start:.3f} s to {end:.3f} s."


def text_target(text: str) -> Target:
    """Look for a given text."""
    return Target(
        wording.is_shown(text),
        f'The text "{text}"',
        "is shown",
        lambda t: wording.claim_text(text, t),
        flicker_s=_FLICKER_S,
    )
