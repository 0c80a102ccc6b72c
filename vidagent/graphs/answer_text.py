"""Final text of a run: the answer in words, or what was not found and what was looked at."""

from __future__ import annotations

import math

from vidagent.graphs.evidence.grounding import ground_of, sentences_of, supported_words, told_lines
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.refined_spans import with_precision
from vidagent.graphs.part_lines import part_lines, parts_text
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run
from vidagent.graphs.strategies.gaps import longest_gap, range_of
from vidagent.tools.answer import Draft
from vidagent.types import BudgetName, Coverage, Status
from vidagent.video.clock import format_time

_TENTHS_BELOW_S = 10.0


def final_text(
    progress: Progress, run: Run, status: Status, ended_by: BudgetName | None, seen: Coverage
) -> str:
    """Return the answer in words."""
    draft = progress.draft
    looked = _looked(progress, run, seen)
    if status == "partial":
        return f"The {ended_by} budget ended the search. {_so_far(progress, run, draft)} {looked}"
    if draft is None or (draft.found == "yes" and status != "answered"):
        return f"Not found: what was thought to be seen did not stand up to a second look. {looked}"
    if progress.told:
        told = parts_text(progress, draft)
        return told if draft.found == "yes" else f"{told}\n{looked}"
    if draft.found != "yes":
        return f"{_denial(progress, run, draft)} {looked}"
    composed = progress.composed
    return (
        _supported(progress, run, draft)
        if composed is None
        else with_precision(composed.answer, progress, draft)
    )


def ever_refused(progress: Progress) -> bool:
    """Tell whether any claim was ever checked or refused."""
    return bool(progress.verified or progress.refused)


def _supported(progress: Progress, run: Run, draft: Draft) -> str:
    by_rules = run.client.profile.lacks("wording")
    return with_precision(supported_words(draft, progress, by_rules=by_rules), progress, draft)


def _denial(progress: Progress, run: Run, draft: Draft) -> str:
    """Return the wording of a draft that says no: what of it was checked and is supported, or what was looked for."""
    if run.client.profile.lacks("wording"):
        told = progress.stands and not ground_of(draft, progress).says_refused(draft.answer)
        kept = draft.answer if told else ""
    else:
        shown = {item["claim"] for item in progress.supported if item["verdict"] == "supported"}
        kept = " ".join(text for text in sentences_of(draft.answer) if text in shown)
    if not kept:
        plainly = "It cannot be judged" if draft.found == "cannot_judge" else "Not found"
        thing = " ".join(progress.route.thing.split()).rstrip(".") if progress.route else ""
        kept = f"{plainly}: {thing}" if thing else plainly
    return f"{kept.rstrip('. ')}."


def _so_far(progress: Progress, run: Run, draft: Draft | None) -> str:
    verified = progress.supported
    if told := part_lines(progress.told):
        return "\n".join(["Supported so far:", *told, ""])
    if verified and draft is not None:
        return f"Supported so far: {_supported(progress, run, draft)}"
    if verified:
        return f"Supported so far: {told_lines(verified)}"
    if draft is not None and draft.found == "yes" and not ever_refused(progress):
        return f"Not verified: {draft.answer}"
    for entry in reversed(progress.own_entries):
        if entry.observation is not None and entry.observation.found and not _refused_by(progress, entry):
            return f"Not verified: {entry.observation.what}"
    return "Nothing was found so far."


def _refused_by(progress: Progress, entry: Entry) -> bool:
    """Tell whether a claim was refused over pictures of this look."""
    refs = {ref for item in progress.refused for ref in item["refs"]}
    return any(still.ref in refs for still in entry.look.stills)


def _looked(progress: Progress, run: Run, seen: Coverage) -> str:
    """Describe what was looked at, and the longest stretch of the range in question that may be unseen."""
    if not seen.spans:
        return "No frame was looked at."
    share = f"{100 * seen.fraction:.0f}%" if seen.fraction >= 0.1 else f"{100 * seen.fraction:.1f}%"
    first, last = seen.spans[0].start_s, seen.spans[-1].end_s
    where = f"from {format_time(first)} to {format_time(last)}"
    start_s, end_s = range_of(progress, run)
    part = ""
    if (start_s, end_s) != (0.0, run.video.info.duration_s):
        part = f" between {format_time(start_s)} and {format_time(end_s)}"
    longest = _rounded_up(longest_gap(progress.own_entries, start_s, end_s))
    text = f"Looked at {seen.seconds_seen:.1f} s ({share}) of the video, {where}"
    return f"{text}; no stretch longer than {longest} s{part} went unseen."


def _rounded_up(seconds: float) -> str:
    """Format seconds, rounded up."""
    if seconds < _TENTHS_BELOW_S:
        return f"{math.ceil(10 * seconds - 1e-6) / 10:.1f}"
    return f"{math.ceil(seconds - 1e-6):,}"
