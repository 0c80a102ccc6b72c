"""Final text of a run: the answer in words, or what was not found and what was looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator

from vidagent.graphs.evidence.grounding import ground_of, may_say, says_number, supported_words, told_lines
from vidagent.graphs.evidence.ledger import Entry
from vidagent.graphs.evidence.places import count_of
from vidagent.graphs.evidence.refined_spans import with_precision
from vidagent.graphs.evidence.sentences import sentences_of
from vidagent.graphs.part_lines import part_lines, parts_text
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run
from vidagent.graphs.strategies.gaps import frame_times, longest_gap, range_of
from vidagent.text import counted
from vidagent.tools.answer import Draft
from vidagent.types import Coverage, Limit, Status, limit_title
from vidagent.video.clock import format_time

_TENTHS_BELOW_S = 10.0


def final_text(progress: Progress, run: Run, status: Status, ended_by: Limit | None, seen: Coverage) -> str:
    """Return the answer in words."""
    draft = progress.draft
    looked = _looked(progress, run, seen)
    if ended_by is not None:
        words = f"The {limit_title(ended_by)} ended the search. {_so_far(progress, run, draft)} {looked}"
        return " ".join((words, *_unanswered(progress)))
    if draft is None or (draft.found == "yes" and status != "answered"):
        return f"Not found: what was thought to be seen did not stand up to a second look. {looked}"
    if draft.found == "yes":
        return answer_words(progress, run, draft)
    if progress.told:
        return f"{parts_text(progress, draft)}\n{looked}"
    unable = draft.found == "cannot_judge" and not seen.spans
    return _denial(progress, run, draft) if unable else f"{_denial(progress, run, draft)} {looked}"


def answer_words(progress: Progress, run: Run, draft: Draft) -> str:
    """Return the words of a positive draft: its parts, or its own words if they were checked, else its claims.

    Claims tell the places of what was counted, and the number stands before them.
    """
    if progress.told:
        return parts_text(progress, draft)
    by_rules = run.client.profile.lacks("wording")
    leaves = [item for item in progress.verified if "leaf" in item]
    if leaves and not may_say(draft, progress, by_rules=by_rules):
        proved = sum(item["verdict"] == "supported" for item in leaves)
        return f"Of the values in the data, {proved} of {len(leaves)} are proved."
    words = with_precision(supported_words(draft, progress, by_rules=by_rules), progress, draft)
    count = count_of(progress)
    refused = progress.worded is not None and progress.worded["verdict"] == "unsupported"
    if count is None or refused or may_say(draft, progress, by_rules=by_rules) or says_number(words, count):
        return words
    of_drafted = f", of {draft.count} that were thought to be seen" if (draft.count or 0) > count else ""
    return f"In all: {count}{of_drafted}.\n{words}"


def ever_refused(progress: Progress) -> bool:
    """Tell whether any claim was ever checked or refused."""
    return bool(progress.verified or progress.refused)


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
        return f"Supported so far: {answer_words(progress, run, draft)}"
    if verified:
        return f"Supported so far: {told_lines(verified, timed=progress.asks_times)}"
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
    """Say how many frames of the range in question were looked at, and how far apart they are, its ends included."""
    if not seen.spans:
        return "No frame was looked at."
    start_s, end_s = range_of(progress, run)
    duration_s = run.video.info.duration_s
    whole = (start_s, end_s) == (0.0, duration_s)
    where = (
        f"over all {format_time(duration_s)}"
        if whole
        else f"between {format_time(start_s)} and {format_time(end_s)}"
    )
    entries, when = [entry for entry in progress.own_entries if entry.id not in progress.unanswered], ""
    if not frame_times(entries, start_s, end_s):
        entries, when = progress.seen_entries, " for earlier questions"
    frames = len(frame_times(entries, start_s, end_s))
    if not frames:
        return f"No whole frame {where} was looked at."
    longest = _rounded_up(longest_gap(entries, start_s, end_s))
    apart = f"at most {longest} s apart" if frames > 1 else f"with up to {longest} s beside it unseen"
    return f"Looked at {counted(frames, 'frame')}{when}, {apart}, {where}."


def _unanswered(progress: Progress) -> Iterator[str]:
    """Yield what was sent to the model, and cut off by the budget before its reply: it counts as unseen."""
    for sent in progress.unanswered.values():
        times = " to ".join(format_time(time_s) for time_s in sorted({sent["start_s"], sent["end_s"]}))
        verb = "was" if sent["frames"] == 1 else "were"
        yield f"{counted(sent['frames'], 'frame')} at {times} {verb} sent to the model, which had not answered by then."


def _rounded_up(seconds: float) -> str:
    """Format seconds, rounded up."""
    if seconds < _TENTHS_BELOW_S:
        return f"{math.ceil(10 * seconds - 1e-6) / 10:.1f}"
    return f"{math.ceil(seconds - 1e-6):,}"
