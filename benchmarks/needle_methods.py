"""The ways a question is asked: the agent, the agent with a part left out, and one call with frames chosen evenly.

All ask the embedded model. The baselines go through the same client as the agent's looks, with the same messages, so
that only the choice of frames differs. A baseline is given at least as many pictures as the agent sent, or as its
tokens would pay for.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.tracers.context import register_configure_hook

from benchmarks.needle_videos import Question
from vidagent import Budget, analyze_video, config
from vidagent.agents.client.limits import prompt_tokens
from vidagent.agents.profiles import loader
from vidagent.agents.prompting.messages import count_frames, look_messages
from vidagent.agents.prompting.replies import Observation
from vidagent.agents.server.model_choice import choose
from vidagent.graphs.budget import Meter, StepMeter
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore
from vidagent.images.tiles import cell
from vidagent.tools import Caps, ToolContext
from vidagent.types import Answer
from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video

FRAME_TOKENS = 256
"""Prompt tokens of a picture, as the default profile reckons them; the embedded model itself counts none."""

AGENTS: dict[str, tuple[str, ...]] = {
    "agent": (),
    "no-index": ("index",),
    "no-resample": ("resample",),
    "no-closer": ("clip", "resample"),
    "no-crop": ("crop",),
    "no-verify": ("verify",),
}
"""The agent, and what is left out of it in each ablation."""

BASELINES = ("uniform", "uniform-tokens", "grid")
METHODS = (*AGENTS, *BASELINES)

_SIDE_PX = 1280
_OVERLAP = 0.1
_STEP = 64
"""Baselines get their frames rounded up to this, so that questions about one video share most that is read."""
_CELLS = [(row, column) for row in (1, 2) for column in (1, 2)]


@dataclass(frozen=True)
class Said:
    """What a method said, and what it cost.

    Args:
        found: Whether it was found; None if the model said that it cannot judge.
        start_s: Where it begins.
        end_s: Where it ends.
        text: What was read or answered.
        count: How many.
        frames: Pictures sent.
        tokens: Prompt tokens, estimated as for a server.
        calls: Requests to the model.
        seconds: Wall-clock time.
    """

    found: bool | None
    start_s: float | None
    end_s: float | None
    text: str
    count: int | None
    frames: int
    tokens: int
    calls: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def ask(method: str, video: Path, question: Question, agent: Said | None) -> Said:
    """Ask a question in one of the ways.

    Args:
        method: One of `METHODS`.
        video: The video.
        question: The question.
        agent: What the agent said and cost; a baseline may cost as much.

    Raises:
        ValueError: If a baseline is asked for before the agent.
    """
    if method in AGENTS:
        return _agent(video, question, AGENTS[method])
    if agent is None:
        raise ValueError(f"{method} takes as many frames as the agent: ask that first")
    frames = agent.frames if method != "uniform-tokens" else agent.tokens // FRAME_TOKENS
    return _in_one_call(video, question, _STEP * max(1, -(-frames // _STEP)), grid=method == "grid")


class _Bill(BaseCallbackHandler):
    """Counts the tokens of prompts as for a server: text by its length, pictures alike."""

    def __init__(self) -> None:
        self.tokens = self.calls = 0

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], **kwargs: object
    ) -> None:
        """Count one request."""
        for asked in messages:
            self.tokens += prompt_tokens(asked, count_frames(asked), FRAME_TOKENS)
            self.calls += 1


_BILL: ContextVar[BaseCallbackHandler | None] = ContextVar("needle_bill", default=None)
register_configure_hook(_BILL, inheritable=True)


@contextmanager
def _billed() -> Iterator[_Bill]:
    bill = _Bill()
    token = _BILL.set(bill)
    try:
        yield bill
    finally:
        _BILL.reset(token)


@contextmanager
def _without(parts: Sequence[str]) -> Iterator[None]:
    """Use the embedded model's profile, less some parts of the agent."""
    own = resources.files("vidagent.agents.profiles").joinpath("signals.toml").read_text("utf-8")
    rest = "\n".join(line for line in own.splitlines() if not line.startswith("without ="))
    listed = ", ".join(f'"{part}"' for part in (*loader.load("signals").without, *parts))
    before = os.environ.get("VIDAGENT_PROFILE")
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "signals.toml"
        profile.write_text(f"without = [{listed}]\n{rest}", "utf-8")
        os.environ["VIDAGENT_PROFILE"] = str(profile)
        try:
            yield
        finally:
            os.environ.pop("VIDAGENT_PROFILE")
            if before is not None:
                os.environ["VIDAGENT_PROFILE"] = before


def _agent(video: Path, question: Question, without: Sequence[str]) -> Said:
    began = time.perf_counter()
    with _without(without), _billed() as bill:
        answer = analyze_video(video, question.text, model="signals")
    seconds = time.perf_counter() - began
    span = answer.spans[0] if answer.spans else None
    return Said(
        found=_found(answer),
        start_s=None if span is None else span.start_s,
        end_s=None if span is None else span.end_s,
        text=answer.answer,
        count=answer.count,
        frames=answer.usage.frames_sent,
        tokens=bill.tokens,
        calls=answer.usage.model_calls,
        seconds=seconds,
    )


def _found(answer: Answer) -> bool | None:
    if answer.status == "answered":
        return True
    unsure = "cannot judge" in answer.answer or "too many cuts" in answer.answer
    return None if unsure or answer.status == "partial" else False


def _in_one_call(video: Path, question: Question, frames: int, *, grid: bool) -> Said:
    """Show evenly chosen frames at once; with a grid, a quarter as many frames in four crops each."""
    began = time.perf_counter()
    settings = config.load(model="signals")
    with Video.open(video) as opened, tempfile.TemporaryDirectory() as folder, _billed() as bill:
        store = FrameStore(Path(folder))
        caps = Caps(frames, frames, _SIDE_PX, _SIDE_PX, len(_CELLS))
        context = ToolContext(
            opened,
            Index(opened, VideoCache(settings.cache_dir, settings.cache_mb)),
            store,
            caps,
            lambda wanted: wanted,
        )
        stills = _cropped(context, frames) if grid else context.pictures(_even(context, frames))[0]
        messages = look_messages(question.text, None, question.text, stills)
        gate = StepMeter(Meter(Budget()), "look")
        seen = asyncio.run(choose(settings).ask("look", messages, Observation, gate, shown="overview"))
        frame_s = float(opened.info.frame_s)
    return _read_off(seen, question, frame_s, len(stills), bill, time.perf_counter() - began)


def _even(context: ToolContext, frames: int) -> list[float]:
    """Return the middles of so many equal parts of the video."""
    return [float(t) for t in (np.arange(frames) + 0.5) * context.duration_s / frames]


def _cropped(context: ToolContext, frames: int) -> list[ShownFrame]:
    size_wh = (context.video.info.width, context.video.info.height)
    boxes = [cell(size_wh, 2, 2, row, column, _OVERLAP) for row, column in _CELLS]
    times = _even(context, max(1, frames // len(boxes)))
    return [still for time_s in times for still in context.crops(time_s, boxes)]


def _read_off(
    seen: Observation, question: Question, frame_s: float, frames: int, bill: _Bill, seconds: float
) -> Said:
    """Take an observation for an answer, as kindly as can be: the frames that show it are where it is."""
    times = sorted({sighting.time_s for sighting in seen.sightings})
    if question.kind == "cut, when":
        number = int(question.answer or 1)
        times = times[number - 1 : number]
    nearest = min(times, key=lambda t: abs(t - (question.at_s or 0.0)), default=None)
    texts = [s.text for s in seen.sightings if s.text and (question.at_s is None or s.time_s == nearest)]
    return Said(
        found=seen.found if seen.found is None else bool(times),
        start_s=times[0] if times else None,
        end_s=times[-1] + frame_s if times else None,
        text=" ".join(texts) or seen.what,
        count=len(times) if question.wants == "count" and seen.found is not None else None,
        frames=frames,
        tokens=bill.tokens,
        calls=bill.calls,
        seconds=seconds,
    )
