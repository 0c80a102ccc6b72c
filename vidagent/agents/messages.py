"""The messages of each step: frames with their times, and blocks of text fenced as data.

A message is laid out so that its beginning stays the same from call to call (the server's prefix cache), and
so that it can be read back: `read_block` and `read_frames` invert the builders.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from vidagent.agents.prompts import render
from vidagent.agents.replies import Composition, Judgement, Observation, outline
from vidagent.types import Box, Step

__all__ = [
    "Part",
    "ShownFrame",
    "block",
    "compose_messages",
    "count_frames",
    "frames_content",
    "look_messages",
    "parts_of",
    "plan_messages",
    "read_block",
    "read_frames",
    "read_options",
    "read_step",
    "verify_messages",
]

Part = dict[str, Any]
"""One part of a message's content, such as `{"type": "text", "text": ...}`."""

_NAMES = "question|options|video|ledger|step|looking_for|notes|claim|claims|status|tool_call|tool_response"
_TAG = re.compile(rf"<(?=/?(?:{_NAMES})\b)", re.IGNORECASE)
_ESCAPED_TAG = re.compile(rf"&lt;(?=/?(?:{_NAMES})\b)", re.IGNORECASE)
_LABEL = re.compile(r"t = (\d+\.\d{3}) s(?: crop (\d+),(\d+),(\d+),(\d+) px)?")
_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,(.*)", re.DOTALL)
_OPTION = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A picture shown to the model.

    Args:
        time_s: The frame's time on the player's clock.
        jpeg: The picture.
        box_px: The part of the source picture it shows; None if all of it.
    """

    time_s: float
    jpeg: bytes
    box_px: Box | None = None

    @property
    def label(self) -> str:
        """The text that stands before the picture, such as `t = 12.480 s crop 0,0,640,360 px`."""
        crop = "" if self.box_px is None else " crop {},{},{},{} px".format(*self.box_px)
        return f"t = {self.time_s:.3f} s{crop}"


def frames_content(frames: Sequence[ShownFrame]) -> list[Part]:
    """Return a text part with the label and an image part for each frame, in order."""
    return [part for frame in frames for part in (_text(frame.label), _image(frame.jpeg))]


def block(name: str, text: str) -> str:
    """Fence text as data: it cannot close the block or open another one."""
    return f"<{name}>\n{_TAG.sub('&lt;', text.strip())}\n</{name}>"


def plan_messages(
    question: str,
    options: Sequence[str] | None,
    video_facts: str,
    overview: Sequence[ShownFrame],
    ledger: str,
    step: int,
    steps: int | None,
    history: Sequence[BaseMessage],
) -> list[BaseMessage]:
    """Ask the planner for its next tool calls.

    Args:
        question: The question as asked.
        options: The answers to choose from, or None.
        video_facts: What is known of the video before looking: duration, size, subtitles, shots.
        overview: Frames of the whole video, or none.
        ledger: What has been seen so far, one numbered entry a line.
        step: This turn's number, from 1.
        steps: Turns allowed in all, or None.
        history: The earlier turns: AIMessages with tool calls, each followed by its ToolMessages.
    """
    opening = [_text("\n".join([block("video", video_facts), *_asked(question, options)]))]
    if overview:
        opening += [_text("Frames spread over the whole video:"), *frames_content(overview)]
    closing = [_text(block("ledger", ledger)), _text(render("plan_end", step=_step_line(step, steps)))]
    system = SystemMessage(render("plan"))
    if not history:
        return [system, _human([*opening, *closing])]
    return [system, _human(opening), *history, _human(closing)]


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
    blocks = [*_asked(question, options), block("looking_for", looking_for)]
    if notes:
        blocks.append(block("notes", notes))
    end = render("look_end", looking_for=_one_line(looking_for))
    return _shown("look", Observation, blocks, frames, end)


def verify_messages(question: str, claim: str, frames: Sequence[ShownFrame]) -> list[BaseMessage]:
    """Ask for a verdict on one claim, from its best frames only."""
    blocks = [*_asked(question, None), block("claim", claim)]
    return _shown("verify", Judgement, blocks, frames, render("verify_end", claim=_one_line(claim)))


def compose_messages(
    question: str, options: Sequence[str] | None, claims: str, status: str
) -> list[BaseMessage]:
    """Ask for the final answer.

    Args:
        question: The question as asked.
        options: The answers to choose from, or None.
        claims: The checked claims with times and verdicts, one a line.
        status: `answered`, `not_found` or `partial`, with what was looked at.
    """
    blocks = [*_asked(question, options), block("claims", claims), block("status", status)]
    return _shown("compose", Composition, blocks, (), render("compose_end"))


def read_block(messages: Sequence[BaseMessage], name: str) -> str | None:
    """Return the text of the block `<name>` that the builders wrote, or None if there is none."""
    fence = re.compile(rf"^<{name}>\n(.*?)\n?</{name}>$", re.DOTALL | re.MULTILINE)
    for text in _texts(messages):
        if match := fence.search(text):
            return _ESCAPED_TAG.sub("<", match[1])
    return None


def read_options(messages: Sequence[BaseMessage]) -> list[str] | None:
    """Return the options that the question came with, or None."""
    text = read_block(messages, "options")
    return None if text is None else [option for _, option in _OPTION.findall(text)]


def read_frames(messages: Sequence[BaseMessage]) -> list[tuple[float, bytes, Box | None]]:
    """Return time, JPEG bytes and box of every labelled picture in the messages, in order."""
    frames = []
    for message in messages:
        label: re.Match[str] | None = None
        for part in parts_of(message):
            picture = _picture(part)
            if picture is not None and label is not None:
                time_s, *sides = label.groups()
                box = None if sides[0] is None else tuple(int(side) for side in sides)
                frames.append((float(time_s), picture, box))
            label = _LABEL.fullmatch(part.get("text") or "")
    return frames  # type: ignore[return-value]  # four sides or none


def read_step(messages: Sequence[BaseMessage]) -> Step | None:
    """Return the step whose builder wrote the messages, or None if no builder did."""
    marks: dict[str, Step] = {
        "ledger": "plan",
        "looking_for": "look",
        "claim": "verify",
        "claims": "compose",
    }
    return next((step for name, step in marks.items() if read_block(messages, name) is not None), None)


def count_frames(messages: Iterable[BaseMessage]) -> int:
    """Count the pictures in the messages."""
    return sum(part.get("type") == "image_url" for message in messages for part in parts_of(message))


def parts_of(message: BaseMessage) -> list[Part]:
    """Return a message's content as a list of parts, also when it is a plain string."""
    content = [message.content] if isinstance(message.content, str) else message.content
    return [_text(part) if isinstance(part, str) else part for part in content]


def _shown(
    name: str, reply: type[Observation | Judgement | Composition], blocks: list[str],
    frames: Sequence[ShownFrame], end: str,
) -> list[BaseMessage]:  # fmt: skip
    system = SystemMessage(render(name, reply=outline(reply)))
    return [system, _human([_text("\n".join(blocks)), *frames_content(frames), _text(end)])]


def _asked(question: str, options: Sequence[str] | None) -> list[str]:
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


def _image(jpeg: bytes) -> Part:
    url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
    return {"type": "image_url", "image_url": {"url": url}}


def _picture(part: Part) -> bytes | None:
    if part.get("type") != "image_url":
        return None
    match = _DATA_URL.fullmatch(part["image_url"]["url"])
    return None if match is None else base64.b64decode(match[1])


def _texts(messages: Sequence[BaseMessage]) -> Iterator[str]:
    """Yield the texts that the builders wrote: tool results are left out, as they carry text of the video."""
    for message in messages:
        if isinstance(message, HumanMessage):
            yield from (part["text"] for part in parts_of(message) if part.get("type") == "text")
