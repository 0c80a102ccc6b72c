"""The messages of each step: frames with their times, and blocks of text fenced as data.

What calls have in common comes first, as servers reuse what they have computed for a known beginning (prefix
caching): the system prompt, facts and frames, then the question, then what is new in each call. Looks and checks
share one system prompt, so that a check of frames just looked at begins like the look. A model in this process reads
a request with `read_block`, and its pictures with `read_frames`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from string import Template
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from vidagent.agents.prompting.control_tokens import OWN_FENCES
from vidagent.agents.prompting.replies import (
    ClaimJudgement,
    Description,
    Judgement,
    Observation,
    Route,
    outline,
)
from vidagent.images.grid import CELL_SHARE, columns_of
from vidagent.images.shown_frame import ShownFrame
from vidagent.text import counted
from vidagent.types import Box, Step

Part = dict[str, Any]
"""One part of a message's content, such as `{"type": "text", "text": ...}`."""

FRAME_REFS = "frame_refs"
"""Key of a message's `additional_kwargs`: the references of the frames that are the pictures in it, in order.

A server does not get it; a recorder takes a picture's hash from it.
"""
FRAMES_SHOWN = "frames_shown"
"""Key of a message's `additional_kwargs`: how many frames it shows, if not one in each of its pictures.

A server does not get it; a recorder counts by it, as a grid or a video shows several frames.
"""

TEXTS_KNOWN = "the texts on screen are known"
"""What the survey says where a search lists all of them without reading anything."""
_NAMES = f"{OWN_FENCES}|tool_call|tool_response"
_TAG = re.compile(rf"<(?=/?(?:{_NAMES})\b)", re.IGNORECASE)
_ESCAPED_TAG = re.compile(rf"&lt;(?=/?(?:{_NAMES})\b)", re.IGNORECASE)
_LABEL = re.compile(r"t = (\d+\.\d{3}) s(?: crop (\d+),(\d+),(\d+),(\d+) px)?")
_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,(.*)", re.DOTALL)
_CLAIM = re.compile(r"(\d+)\. (?:\(frames? [\d.]+(?:-[\d.]+)? s\) )?(.*)", re.DOTALL)
_OPTION = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ClaimToCheck:
    """A claim in a request for several verdicts.

    Args:
        text: The claim.
        start_s: Time of the first of its frames; None without frames.
        end_s: Time of the last.
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None

    def __str__(self) -> str:
        """Return it as `read_claims` parses it."""
        if self.start_s is None or self.end_s is None:
            return self.text
        if self.start_s == self.end_s:
            return f"(frame {self.start_s:.3f} s) {self.text}"
        return f"(frames {self.start_s:.3f}-{self.end_s:.3f} s) {self.text}"


def render(name: str, **variables: str) -> str:
    """Fill in the prompt `prompts/<name>.md`.

    Args:
        name: The file's name without `.md`.
        **variables: A value for each `$variable` of the file, no more and no fewer.

    Raises:
        ValueError: If a variable is missing, or one is given that the prompt does not have.
    """
    template = _template(name)
    named, given = set(template.get_identifiers()), set(variables)
    if named != given:
        missing, unknown = sorted(named - given), sorted(given - named)
        raise ValueError(f"prompt {name!r}: missing variables {missing}, unknown variables {unknown}")
    return template.substitute(variables)


def frames_content(frames: Sequence[ShownFrame]) -> list[Part]:
    """Return a text part with the label and a part with the frame itself for each frame or grid, in order.

    A frame stays the value it is, `{"type": "frame", "frame": ShownFrame}`, until the client builds the request.
    """
    return [part for frame in frames for part in (_text(_label(frame)), {"type": "frame", "frame": frame})]


def _label(frame: ShownFrame) -> str:
    """Return the text before a frame, such as `t = 12.480 s crop 0,0,640,360 px`, or the times in a grid."""
    if frame.cells_s:
        return _grid_label(frame)
    crop = " crop {},{},{},{} px".format(*frame.box_px) if frame.cropped else ""
    return f"t = {frame.time_s:.3f} s{crop}"


def _grid_label(grid: ShownFrame) -> str:
    """Return the times of a grid's frames, row by row: `t = 0.000 s, 1.880 s / 3.760 s, … (a grid of frames, …)`."""
    columns, times = columns_of(grid), [f"{time_s:.3f} s" for time_s in grid.cells_s]
    rows = [", ".join(times[start : start + columns]) for start in range(0, len(times), columns)]
    return f"t = {' / '.join(rows)} (a grid of frames, row by row from the top left)"


def block(name: str, text: str) -> str:
    """Fence text as data: it cannot close the block or open another one."""
    return f"<{name}>\n{_TAG.sub('&lt;', text.strip())}\n</{name}>"


def route_messages(
    question: str, options: Sequence[str] | None, video_facts: str, earlier: str = ""
) -> list[BaseMessage]:
    """Ask for the kind of the question.

    Args:
        question: The question as asked.
        options: The answers to choose from, or None.
        video_facts: Facts of the video that need no look.
        earlier: The turns of the conversation before this question, one a paragraph.
    """
    blocks = [block("facts", video_facts)]
    if earlier:
        blocks.append(block("earlier", earlier))
    system = SystemMessage(render("route", reply=outline(Route)))
    return [
        system,
        _human([_lines(*blocks, *question_blocks(question, options)), _lines(render("route_end"))]),
    ]


def plan_messages(
    question: str,
    options: Sequence[str] | None,
    video_facts: str,
    overview: Sequence[ShownFrame],
    ledger: str,
    step: int,
    steps: int | None,
    history: Sequence[BaseMessage],
    advice: Sequence[str] = (),
    earlier: str = "",
) -> list[BaseMessage]:
    """Ask the planner for its next tool calls.

    Args:
        question: The question as asked.
        options: The answers to choose from, or None.
        video_facts: Facts of the video that need no look: duration, size, subtitles, shots.
        overview: Frames of the whole video, or none.
        ledger: The looks so far, one numbered entry per line.
        step: This turn's number, from 1.
        steps: Turns allowed in all, or None.
        history: The earlier turns: AIMessages with tool calls, each followed by its ToolMessages, and between them
            HumanMessages about what code looked at.
        advice: Further lines for this turn, such as which tools fit now.
        earlier: The turns of the conversation before this question, one a paragraph.
    """
    opening = [_text(block("facts", video_facts))]
    if overview:
        opening += [_text("\nFrames spread over the whole video:\n"), *frames_content(overview)]
    if earlier:
        opening.append(_lines(block("earlier", earlier)))
    opening.append(_lines(*question_blocks(question, options)))
    now = "\n".join([_step_line(step, steps), *map(_one_line, advice)])
    closing = [_lines(block("ledger", ledger)), _lines(render("plan_end", now=now))]
    system = SystemMessage(render("plan"))
    return [system, *_alternating([_human(opening), *history, _human(closing)])]


def describe_messages(frames: Sequence[ShownFrame]) -> list[BaseMessage]:
    """Ask for a description of the overview, without a question.

    Args:
        frames: Its frames or grids, in order of time.
    """
    shown = counted(count_frames([_human(frames_content(frames))]), "frame")
    system = SystemMessage(render("describe", reply=outline(Description)))
    end = _lines(block("overview", f"{shown}, spread over the whole video"), render("describe_end"))
    return [system, _human([*frames_content(frames), end])]


def shots_messages(question: str, frames: Sequence[ShownFrame], shots: int) -> list[BaseMessage]:
    """Ask for a description of some shots.

    Args:
        question: The question that will be asked about them.
        frames: Their frames, in order of time.
        shots: Their number.
    """
    system = SystemMessage(render("describe", reply=outline(Description)))
    about = f"{counted(len(frames), 'frame')} of {counted(shots, 'shot')}"
    end = render("describe_shots_end", shots=counted(shots, "shot"), question=_one_line(question))
    blocks = [*question_blocks(question, None), block("overview", about), end]
    return [system, _human([*frames_content(frames), _lines(*blocks)])]


def look_messages(
    question: str,
    options: Sequence[str] | None,
    looking_for: str,
    frames: Sequence[ShownFrame],
    notes: str = "",
) -> list[BaseMessage]:
    """Ask what some frames show.

    Args:
        question: The question as asked, for context.
        options: The answers to choose from, or None.
        looking_for: The self-contained sub-question of this look.
        frames: The frames, in the order of time.
        notes: Text that belongs to these frames, such as subtitles; untrusted.
    """
    blocks = [*question_blocks(question, options), block("looking_for", looking_for)]
    if notes:
        blocks.append(block("notes", notes))
    end = render("look_end", looking_for=_one_line(looking_for), fields=_fields(Observation))
    return _observed(frames, blocks, end)


def verify_messages(
    question: str, claim: str, frames: Sequence[ShownFrame], notes: str = ""
) -> list[BaseMessage]:
    """Ask for a verdict on one claim, given only its best frames and the words spoken at its time."""
    blocks = [*question_blocks(question, None), block("claim", claim)]
    if notes:
        blocks.append(block("notes", notes))
    end = render(
        "verify_end_words" if notes else "verify_end", claim=_one_line(claim), fields=_fields(Judgement)
    )
    return _observed(frames, blocks, end)


def verify_many_messages(
    question: str, claims: Sequence[ClaimToCheck], frames: Sequence[ShownFrame], notes: str = ""
) -> list[BaseMessage]:
    """Ask for a verdict on each of several claims, given the frames of all of them.

    Args:
        question: The question as asked.
        claims: The claims, numbered from 1 in the request, each with the stretch that its own frames cover.
        frames: All of their frames, in the order of time.
        notes: Words spoken at the times of the claims; untrusted.
    """
    blocks = question_blocks(question, None)
    blocks += [block("claim", f"{number}. {claim}") for number, claim in enumerate(claims, 1)]
    if notes:
        blocks.append(block("notes", notes))
    known = (("the frames above", frames), ("the words in <notes>", notes))
    grounds = " or ".join(words for words, given in known if given)
    end = render("verify_many_end", number=str(len(claims)), grounds=grounds, fields=_fields(ClaimJudgement))
    return _observed(frames, blocks, end)


def read_block(messages: Sequence[BaseMessage], name: str) -> str | None:
    """Return the text of the first block `<name>` that the builders wrote, or None if there is none."""
    return next(read_blocks(messages, name), None)


def read_blocks(messages: Sequence[BaseMessage], name: str) -> Iterator[str]:
    """Yield the texts of the blocks `<name>` that the builders wrote."""
    fence = re.compile(rf"^<{name}>\n(.*?)\n?</{name}>$", re.DOTALL | re.MULTILINE)
    for text in _texts(messages):
        for match in fence.finditer(text):
            yield _ESCAPED_TAG.sub("<", match[1])


def read_options(messages: Sequence[BaseMessage]) -> list[str] | None:
    """Return the options that the question came with, or None."""
    text = read_block(messages, "options")
    return None if text is None else [option for _, option in _OPTION.findall(text)]


def read_claims(messages: Sequence[BaseMessage]) -> list[str]:
    """Return the claims of a request for verdicts, in order; several are numbered in it."""
    claims = list(read_blocks(messages, "claim"))
    matches = [_CLAIM.fullmatch(claim) for claim in claims]
    if len(claims) < 2:
        return claims
    return [claim if match is None else match[2] for claim, match in zip(claims, matches, strict=True)]


def read_frames(messages: Sequence[BaseMessage]) -> list[tuple[float, bytes, Box | None]]:
    """Return time, JPEG bytes and box of every labelled picture of a request, in order, as a server gets them."""
    frames = []
    for label, picture in (pair for message in messages for pair in pairwise(parts_of(message))):
        match, jpeg = _LABEL.fullmatch(label.get("text") or ""), picture_of(picture)
        if match is not None and jpeg is not None:
            crop = None if match[2] is None else (int(match[2]), int(match[3]), int(match[4]), int(match[5]))
            frames.append((float(match[1]), jpeg, crop))
    return frames


def read_step(messages: Sequence[BaseMessage]) -> Step | None:
    """Return the step whose builder wrote the messages, or None."""
    marks: dict[str, Step] = {
        "ledger": "plan",
        "looking_for": "look",
        "claim": "verify",
        "facts": "route",
    }
    return next((step for name, step in marks.items() if read_block(messages, name) is not None), None)


def count_frames(messages: Iterable[BaseMessage]) -> int:
    """Count the frames shown in the messages; each picture in a request as sent counts as one."""
    return sum(len(cells) or 1 for cells in _cells_of(messages))


def frame_load(messages: Iterable[BaseMessage]) -> float:
    """Return how many single frames take as many tokens as the pictures in the messages."""
    return sum(CELL_SHARE * len(cells) or 1.0 for cells in _cells_of(messages))


def count_shown(messages: Iterable[BaseMessage]) -> int:
    """Count the frames shown in messages as they are sent, those in a grid or a video one by one."""
    return sum(message.additional_kwargs.get(FRAMES_SHOWN, count_frames([message])) for message in messages)


def _cells_of(messages: Iterable[BaseMessage]) -> Iterator[tuple[float, ...]]:
    """Yield, for each picture, the times of its cells; none for a single frame."""
    for message in messages:
        for part in parts_of(message):
            if part.get("type") in {"frame", "image_url"}:
                frame = frame_of(part)
                yield frame.cells_s if frame is not None else ()


def parts_of(message: BaseMessage) -> list[Part]:
    """Return a message's content as a list of parts, also when it is a plain string."""
    content = [message.content] if isinstance(message.content, str) else message.content
    return [_text(part) if isinstance(part, str) else part for part in content]


def frame_of(part: Part) -> ShownFrame | None:
    """Return the frame that a part holds, or None for any other part."""
    frame: ShownFrame | None = part.get("frame") if part.get("type") == "frame" else None
    return frame


def picture_of(part: Part) -> bytes | None:
    """Return the picture of a part with a data URL, or None for any other part."""
    if part.get("type") != "image_url":
        return None
    match = _DATA_URL.fullmatch(part["image_url"]["url"])
    return None if match is None else base64.b64decode(match[1])


def _alternating(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Join messages of the user that follow each other, as many chat templates refuse two in a row."""
    joined: list[BaseMessage] = []
    for message in messages:
        if joined and isinstance(message, HumanMessage) and isinstance(joined[-1], HumanMessage):
            message = _human([*parts_of(joined.pop()), *parts_of(message)])
        joined.append(message)
    return joined


def _observed(frames: Sequence[ShownFrame], blocks: Sequence[str], end: str) -> list[BaseMessage]:
    """Put frames first, and what is asked about them after."""
    system = SystemMessage(render("observe", look=outline(Observation), check=outline(Judgement)))
    return [system, _human([*frames_content(frames), _lines(*blocks), _lines(end)])]


def _fields(reply: type[Observation | Judgement]) -> str:
    return ", ".join(reply.model_fields)


def question_blocks(question: str, options: Sequence[str] | None) -> list[str]:
    """Return the question, and its options if it has any, each fenced."""
    blocks = [block("question", question)]
    if options:
        lines = [f"{index}. {_one_line(option)}" for index, option in enumerate(options)]
        blocks.append(block("options", "\n".join(lines)))
    return blocks


def _step_line(step: int, steps: int | None) -> str:
    if steps is None:
        return f"This is step {step}."
    if step >= steps:
        return f"This is step {step} of {steps}, the last one: call `answer` with what the ledger shows."
    return f"This is step {step} of {steps}."


def _one_line(text: str) -> str:
    return _TAG.sub("&lt;", " ".join(text.split()))


def _human(parts: list[Part]) -> HumanMessage:
    return HumanMessage([*parts])


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _lines(*texts: str) -> Part:
    """Begin a new line, as chat templates join parts without a separator."""
    return _text("\n" + "\n".join(texts))


def _texts(messages: Sequence[BaseMessage]) -> Iterator[str]:
    """Yield the texts that the builders wrote, without tool results, which carry text of the video."""
    for message in messages:
        if isinstance(message, HumanMessage):
            yield from (part["text"] for part in parts_of(message) if part.get("type") == "text")


@cache
def _template(name: str) -> Template:
    text = resources.files("vidagent.agents.prompting").joinpath("prompts", f"{name}.md").read_text("utf-8")
    return Template(text.strip())
