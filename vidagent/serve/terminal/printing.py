"""Answers and reports as text for people, and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

from vidagent.agents.prompting.video_findings import names_of
from vidagent.serve.terminal.console import stdout
from vidagent.serve.terminal.summary import summary_lines, summary_rows
from vidagent.summary import Summary
from vidagent.text import counted, escape_controls, one_line
from vidagent.types import Answer, Evidence, Span, Usage, limit_title, share_seen
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.agents.server.model_choice import Available

Row = tuple[str, str]
_LABEL_WIDTH = 9


class Report(Protocol):
    """What a dry run, a probe or an index has to say, for programs and for people."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""

    def lines(self) -> Sequence[str]:
        """Return lines for people."""


def show_json(value: dict[str, Any]) -> None:
    """Print one JSON object: on one line for programs, indented on a terminal."""
    out = stdout()
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    indent = 2 if out.is_terminal else None
    out.say(escape_controls(json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, indent=indent)))


def aligned(rows: Iterable[Row]) -> list[str]:
    """Return `label  text` lines; an empty label continues the row above."""
    return [f"{label:<{_LABEL_WIDTH}} {text}".rstrip() for label, text in rows]


def show_answer(
    answer: Answer,
    options: Sequence[str] | None = None,
    *,
    as_json: bool = False,
    kept_frames: bool = False,
) -> None:
    """Print the answer: as the contract's object, or for people: the words first, then where it was seen.

    Paths of frames that the user did not ask for, which lie in the run's own folder, are told only with `kept_frames`.
    """
    if as_json:
        show_json(answer.to_dict())
        return
    out = stdout()
    for line, is_heading in _words(answer):
        out.say(line, style="bold" if is_heading else "")
    if answer.fields is not None:
        out.say("")
        out.say(json.dumps(answer.data, ensure_ascii=False, indent=2))
    out.say("")
    for line in aligned(answer_rows(answer, options, kept_frames=kept_frames)):
        out.say(line)


def _words(answer: Answer) -> Iterator[tuple[str, bool]]:
    """Yield the lines of an answer's words, and whether each is a heading."""
    if isinstance(answer, Summary):
        yield from summary_lines(answer)
        return
    headline = answer.headline.splitlines()
    yield from ((line, line in headline) for line in answer.answer.splitlines())


def show_report(report: Report, *, as_json: bool) -> None:
    """Print a report: as one JSON object, or as lines for people."""
    if as_json:
        show_json(report.to_dict())
        return
    for line in report.lines():
        stdout().say(line)


@dataclass(frozen=True, slots=True)
class Models:
    """The models within reach.

    Args:
        found: At least one.
    """

    found: Sequence[Available]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"models": [dataclasses.asdict(model) for model in self.found]}

    def lines(self) -> list[str]:
        """Say it to people: the one that would be asked is marked, and what each can do is said."""
        width = max(len(model.model) for model in self.found)
        return [
            f"{'*' if model.chosen else ' '} {model.model:<{width}}  {model.where or 'embedded'}  "
            f"{_abilities(model)}(profile {model.profile})"
            for model in self.found
        ]


def _abilities(model: Available) -> str:
    """Say what a server tells of a model, such as `Ollama, pictures, no tools, 4,096 tokens `."""
    words = [
        model.server,
        None if model.sees is None else "pictures" if model.sees else "no pictures",
        None if model.calls_tools is None else "tools" if model.calls_tools else "no tools",
        f"{model.context_tokens:,} tokens" if model.context_tokens else None,
    ]
    told = ", ".join(word for word in words if word)
    return f"{told} " if told else ""


def answer_rows(
    answer: Answer, options: Sequence[str] | None = None, *, kept_frames: bool = False
) -> Iterator[Row]:
    """Say how the run ended, when it was, what supports it and what was looked at."""
    if answer.status == "not_found":
        yield "status", "not found"
    if answer.status == "cannot_judge":
        yield "status", "cannot judge"
    if answer.budget.ended_by is not None:
        yield "status", f"partial: the {limit_title(answer.budget.ended_by)} ended the run"
    if answer.choice is not None and options:
        yield "choice", f"{answer.choice + 1} of {len(options)}: {options[answer.choice]}"
    if answer.count is not None:
        yield "count", str(answer.count)
    if isinstance(answer, Summary):
        yield from summary_rows(answer)
    else:
        yield from _proof(answer, kept_frames=kept_frames)
    yield "sure", f"{answer.confidence:.2f}"
    whole_s = sum(info.duration_s for info in answer.videos or (answer.video,))
    if answer.coverage.spans or not answer.evidence:  # words alone may have answered it
        yield "seen", f"{answer.coverage.share} of {format_time(whole_s)}"
        yield from _seen_of_each(answer)
    yield from _labelled("left out", [one_line(one.error) for one in answer.unread])
    yield "run", answer.run_id


def _seen_of_each(answer: Answer) -> Iterator[Row]:
    """Say how much of each of several videos was looked at."""
    names = names_of([info.path for info in answer.videos])
    for one in answer.coverage.videos:
        share = share_seen(one.fraction) if one.fraction else "nothing"
        yield "", f"{_in(names, one.video)}{share} of {format_time(answer.videos[one.video].duration_s)}"


def _proof(answer: Answer, *, kept_frames: bool) -> Iterator[Row]:
    """Say which values of the data are null, when it was, and what supports it."""
    unproved = [f"{one.path or 'all'}: {one_line(one.reason)}" for one in answer.fields or () if one.reason]
    yield from _labelled("null", unproved)
    names = names_of([info.path for info in answer.videos])
    spans = () if answer.parts else answer.spans  # its lines say when each part is
    yield from _labelled("when", [f"{_in(names, span.video)}{_span(span)}" for span in spans])
    if answer.parts:
        weak = ", ".join(format_time(part.start_s) for part in answer.parts if part.verdict != "supported")
        yield "parts", f"{len(answer.parts)} checked; shown only in part: {weak or 'none'}"
    told = "\n".join(part.text for part in answer.parts)
    kept_in = None if kept_frames else answer.run_id
    items = [item for item in answer.evidence if item.claim not in told or _saved_frame(item, kept_in)]
    evidence = [line for item in items for line in _evidence(item, _in(names, item.video), kept_in)]
    yield from _labelled("evidence", evidence)


def cost(answer: Answer) -> str:
    """Return the run's cost as one line."""
    usage = answer.usage
    parts = [
        f"{usage.seconds:.1f} s",
        _calls(usage),
        counted(usage.frames_sent, "frame") + " sent",
        f"{usage.frames_decoded:,} decoded",
    ]
    if usage.prompt_tokens or usage.completion_tokens:
        cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
        parts.append(f"{usage.prompt_tokens:,}{cached} + {usage.completion_tokens:,} tokens")
    if usage.thinking_tokens:
        parts.append(f"{usage.thinking_tokens:,} of them thinking")
    return ", ".join(parts)


def _calls(usage: Usage) -> str:
    """Return the number of calls, and of rounds where some were made side by side."""
    calls = counted(usage.model_calls, "model call")
    return f"{calls} in {counted(usage.rounds, 'round')}" if 0 < usage.rounds < usage.model_calls else calls


def _labelled(label: str, lines: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(lines):
        yield ("" if number else label), line


def _span(span: Span) -> str:
    if span.length_s == 0:
        return format_time(span.start_s)
    return f"{format_time(span.start_s)} to {format_time(span.end_s)} ({span.length_s:.3f} s)"


def _in(names: Sequence[str], video: int | None) -> str:
    """Return the name of the video that something is in, where there are several."""
    return "" if video is None else f"{names[video]:<{max(map(len, names))}}  "


def _evidence(item: Evidence, where: str, kept_in: str | None) -> Iterator[str]:
    """Yield the claim, and the path of its frame unless it lies in the folder of the run `kept_in`."""
    yield f"{where}{format_time(item.time_s)}  {item.verdict:<11}  {one_line(item.claim)}"
    told = _saved_frame(item, kept_in)
    box = f"box {','.join(map(str, item.box_px))} px" if item.frame and item.box_px else None
    if told or box:
        yield f"  {'  '.join(filter(None, (told, box)))}"


def _saved_frame(item: Evidence, kept_in: str | None) -> str | None:
    return item.frame if item.frame and kept_in not in PurePath(item.frame).parts else None
