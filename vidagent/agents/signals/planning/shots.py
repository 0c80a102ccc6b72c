"""Planning for questions about shots and cuts: the index lists them, frames on both sides confirm each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from langchain_core.messages.tool import ToolCall

from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import Intent
from vidagent.agents.signals.planning import tool_calls
from vidagent.agents.signals.planning.earlier_looks import Line, Past, Result
from vidagent.agents.signals.planning.intervals import Window
from vidagent.agents.signals.planning.search import scope_of
from vidagent.text import counted

_MAX_CONFIRMED = 60
_SAMPLE_SIZE = 24
_MAX_CLAIMS = 24
_ROUNDING_S = 2e-3
_MIN_SHOT_S = 0.2
_MAX_CALLS = 6
_NUMBERS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_WHICH = rf"\b({'|'.join(_NUMBERS)}|next|last|final)"
_SHOT_NUMBER = re.compile(rf"{_WHICH} (?:shot|scene)\b(?! changes?\b)")
_CUT_NUMBER = re.compile(rf"{_WHICH} (?:hard )?(?:cut|scene change|shot change|change)\b")
_CHANGES = re.compile(r"\b(?:cuts?|changes?|edits?|switch)\b")
_QUERY = "How many shots are there, and when are the cuts?"


def find_shots(intent: Intent, past: Past) -> list[ToolCall]:
    """Return the next tool calls of a question about shots, or the answer."""
    if not past.has("search") or not (past.has("clip") or past.has("resample")):
        return [
            tool_calls.answer(
                "cannot_judge",
                "Without search and a closer look the embedded model cannot judge cuts",
                confidence=0.0,
            )
        ]
    if not past.count("search", _QUERY):
        return [tool_calls.search(_QUERY, 1)]
    low, high = _scope(intent, past)
    listed = [cut for cut in _listed_cuts(past) if low <= cut < high]
    looks = past.asked(wording.ANY_CUT)
    seen = _seen_cuts([line for look in looks for line in look.lines if low <= line.time_s < high], listed)
    unlisted, whole = _cut_count(past) - len(_listed_cuts(past)), (low, high) == (0.0, past.duration_s)
    if unlisted > 0 and high <= _listed_cuts(past)[-1]:
        unlisted = 0
    if unlisted > 0 and not whole:
        return [_too_many(_cut_count(past))]
    if intent.ask == "count" and len(listed) + unlisted > _MAX_CONFIRMED:
        return _count_by_index(intent, listed, unlisted, seen, looks, past)
    last = _last_cut(intent) and not unlisted
    todo = _pending(listed[::-1] if last else listed[:_MAX_CONFIRMED], looks, past)
    if last and seen and not any(window.end_s > max(seen) for window in todo):
        known = {*seen, *(cut for cut in listed if cut < max(seen))}
        return [_answer(intent, sorted(known), seen, past)]
    requested = _requested_cut(intent, sorted(seen), todo)
    if requested is not None:
        return [_cut_answer(*requested, seen, past)]
    if todo:
        return [
            tool_calls.closer(window, wording.ANY_CUT, past) for window in todo[: 1 if last else _MAX_CALLS]
        ]
    if unlisted > 0:
        return [_too_many(_cut_count(past))]
    cuts = sorted({*seen, *listed[_MAX_CONFIRMED:]})
    if not cuts:
        return [_no_cut(intent, whole, looks, past)]
    return [_answer(intent, cuts, seen, past)]


def _seen_cuts(lines: Sequence[Line], listed: Sequence[float]) -> dict[float, str]:
    """Return the cuts seen and the looks that show them; drop those within 0.2 s of a seen cut that is listed."""
    sure = {line.time_s for line in lines if any(abs(line.time_s - cut) < _ROUNDING_S for cut in listed)}
    return {
        line.time_s: line.entry
        for line in lines
        if line.time_s in sure or all(abs(line.time_s - at_s) > _MIN_SHOT_S for at_s in sure)
    }


def _last_cut(intent: Intent) -> bool:
    """Return whether the question asks for the last cut only, so that no other needs a look."""
    cut = _CUT_NUMBER.search(intent.question)
    return intent.ask == "when" and cut is not None and cut[1] in {"last", "final"}


def _pending(cuts: Sequence[float], looks: Sequence[Result], past: Past) -> list[Window]:
    """Return the windows around these cuts that have not been examined."""
    return [window for window in _windows(cuts, past) if not _is_done(window, looks)]


def _requested_cut(intent: Intent, seen: Sequence[float], todo: Sequence[Window]) -> tuple[int, float] | None:
    """Return the number and time of the requested cut once all earlier ones have been examined."""
    cut = _CUT_NUMBER.search(intent.question)
    if cut is None or intent.ask != "when" or cut[1] in {"last", "final"}:
        return None
    number = _number(cut[1], 1)
    if len(seen) < number or any(window.start_s < seen[number - 1] for window in todo):
        return None
    return number, seen[number - 1]


def _cut_answer(number: int, cut_s: float, seen: dict[float, str], past: Past) -> ToolCall:
    span = (cut_s, min(past.duration_s, cut_s + past.frame_s))
    text = f"Cut {number} is at {cut_s:.3f} s."
    return tool_calls.answer("yes", text, claims=_claims([cut_s], seen), spans=[span], confidence=0.9)


def _no_cut(intent: Intent, whole: bool, looks: Sequence[Result], past: Past) -> ToolCall:
    """Answer that there is no cut; for a whole video look at the middle first, so that a frame supports it."""
    if whole and not looks:
        middle = past.duration_s / 2
        reach = 2.5 * past.frame_s
        start, end = max(0.0, middle - reach), min(past.duration_s, middle + reach)
        return tool_calls.closer(Window(round(start, 4), round(end, 4)), wording.ANY_CUT, past)
    if intent.ask != "count" or not whole:
        text = "the whole video is one shot" if whole else "there is none there"
        return tool_calls.answer("no", f"No cut was found: {text}", confidence=0.8)
    at_s = looks[-1].times_s[len(looks[-1].times_s) // 2]
    claims = [(wording.claim_no_cut(at_s), [looks[-1].id], at_s)]
    cuts_asked = _CHANGES.search(intent.question) is not None
    text = f"{'0 cuts' if cuts_asked else '1 shot'}: the index, which saw the whole video, knows no cut."
    return tool_calls.answer("yes", text, claims=claims, count=0 if cuts_asked else 1, confidence=0.8)


def _scope(intent: Intent, past: Past) -> tuple[float, float]:
    """Return the range in question; for an instant, half a second on each side."""
    if intent.at_s is not None:
        return intent.at_s - 0.5, intent.at_s + 0.5
    return scope_of(intent, past) or (0.0, past.duration_s)


def _facts(past: Past) -> str:
    return " ".join(str(f) for result in past.asked(_QUERY) for f in result.told.get("facts", []))


def _listed_cuts(past: Past) -> list[float]:
    """Parse the cut times of the index from the facts of the search."""
    listed = re.search(r"cuts at [^:]*: ([\d., ]+)", _facts(past))
    return [float(t) for t in listed[1].replace(" ", "").strip(".,").split(",") if t] if listed else []


def _cut_count(past: Past) -> int:
    """Parse the number of cuts in the index, which lists only the first of them."""
    known = re.search(r"([\d,]+) cuts? \(", _facts(past))
    return int(known[1].replace(",", "")) if known else 0


def _too_many(cuts: int) -> ToolCall:
    text = f"There are too many cuts to list: the index of the whole video knows {cuts}"
    return tool_calls.answer("cannot_judge", text, confidence=0.0)


def _count_by_index(
    intent: Intent,
    listed: Sequence[float],
    unlisted: int,
    seen: dict[float, str],
    looks: Sequence[Result],
    past: Past,
) -> list[ToolCall]:
    """Count more cuts than can be examined one by one: use the index if frames confirm a sample of it.

    The sample is spread evenly over the listed cuts. If frames reject one of them, the answer says why the number in
    the index is not reliable.
    """
    step = max(1.0, (len(listed) - 1) / (_SAMPLE_SIZE - 1))
    sample = [listed[round(place * step)] for place in range(min(_SAMPLE_SIZE, len(listed)))]
    todo = _pending(sample, looks, past)
    if todo:
        return [tool_calls.closer(window, wording.ANY_CUT, past) for window in todo[:_MAX_CALLS]]
    cuts = len(listed) + unlisted
    reach = _reach(past)
    confirmed = [at_s for at_s in seen if any(abs(at_s - cut) <= reach for cut in sample)]
    rejected = sum(all(abs(at_s - cut) > reach for at_s in confirmed) for cut in sample)
    if rejected:
        text = f"The index knows {cuts} cuts, too many to look at each; of {len(sample)} looked at {rejected} were none"
        return [tool_calls.answer("cannot_judge", text, confidence=0.0)]
    chosen = _nearest(sample, confirmed)
    count = cuts if _CHANGES.search(intent.question) else cuts + 1
    text = (
        f"{count} {'cuts' if count == cuts else 'shots'}, as the index of the whole video counts them: it compared "
        f"neighbouring frames throughout. {len(chosen)} of the cuts, spread over "
        f"{'those that are listed' if unlisted else 'all of them'}, were looked at, and each is one."
    )
    claims = _claims(chosen, seen)
    return [tool_calls.answer("yes", text, claims=claims, count=count, confidence=0.8)]


def _nearest(sample: Sequence[float], seen: Sequence[float]) -> list[float]:
    """Return the nearest seen cut for each cut of a sample."""
    return sorted({min(seen, key=lambda at_s: abs(at_s - cut)) for cut in sample})


def _reach(past: Past) -> float:
    """Return how far from a listed cut to look, in seconds: further if the index is not exact."""
    return (8.5 if "exact to a few frames" in _facts(past) else 2.5) * past.frame_s


def _windows(cuts: Sequence[float], past: Past) -> list[Window]:
    """Return windows of two frames before and two after each cut, at every frame; wider if the index is not exact."""
    reach = _reach(past)
    return [
        Window(round(max(0.0, cut - reach), 4), round(min(past.duration_s, cut + reach), 4)) for cut in cuts
    ]


def _is_done(window: Window, looks: Sequence[Result]) -> bool:
    return any(abs(look.told["start_s"] - window.start_s) < _ROUNDING_S for look in looks)


def _answer(intent: Intent, cuts: Sequence[float], seen: dict[float, str], past: Past) -> ToolCall:
    shot = _SHOT_NUMBER.search(intent.question)
    if shot is not None and intent.ask == "when" and intent.range_s is None and intent.window is None:
        return _one_shot(_number(shot[1], len(cuts) + 1), intent, cuts, seen, past)
    cut = _CUT_NUMBER.search(intent.question)
    number = _number(cut[1], len(cuts)) if cut is not None and intent.ask == "when" else None
    if number is not None and number > len(cuts):
        return tool_calls.answer("no", f"There are only {len(cuts)} cuts", confidence=0.8)
    chosen = cuts if number is None else [cuts[number - 1]]
    text = f"{counted(len(cuts), 'cut')}, at {_times(cuts)}."
    if intent.ask == "count" and not _CHANGES.search(intent.question):
        text = f"{len(cuts) + 1} shots, with {text}"
    if number is not None:
        which = "The last cut" if number == len(cuts) else f"Cut {number}"
        text = f"{which} is at {chosen[0]:.3f} s."
    elif any(cut not in seen for cut in cuts):
        text += " The first of them were looked at; the rest are from the index."
    return tool_calls.answer(
        "yes",
        text,
        claims=_claims(chosen, seen),
        spans=[(t, min(past.duration_s, t + past.frame_s)) for t in chosen],
        count=(len(cuts) if _CHANGES.search(intent.question) else len(cuts) + 1)
        if intent.ask == "count"
        else None,
        confidence=0.9,
    )


def _one_shot(
    number: int, intent: Intent, cuts: Sequence[float], seen: dict[float, str], past: Past
) -> ToolCall:
    """Answer when a numbered shot begins, ends, or is shown."""
    edges = [0.0, *cuts, past.duration_s]
    if number >= len(edges):
        return tool_calls.answer("no", f"There are only {len(cuts) + 1} shots", confidence=0.8)
    start, end = edges[number - 1], edges[number]
    text = f"Shot {number} of {len(cuts) + 1} is from {start:.3f} s to {end:.3f} s."
    begins = re.search(r"\b(?:begins?|starts?)\b", intent.question)
    ends = re.search(r"\b(?:ends?|stops?)\b", intent.question)
    at_s = start if begins else end
    span = (at_s, min(past.duration_s, at_s + past.frame_s)) if begins or ends else (start, end)
    return tool_calls.answer("yes", text, claims=_claims([start, end], seen), spans=[span], confidence=0.9)


def _claims(cuts: Sequence[float], seen: dict[float, str]) -> list[tuple[str, list[str], float]]:
    return [(wording.claim_cut(t), [seen[t]], t) for t in cuts if t in seen][:_MAX_CLAIMS]


def _number(word: str, last: int) -> int:
    return last if word in {"last", "final"} else _NUMBERS.index(word) + 1 if word in _NUMBERS else 1


def _times(cuts: Sequence[float]) -> str:
    return ", ".join(f"{t:.3f} s" for t in cuts[:50]) + (" and more" if len(cuts) > 50 else "")
