"""Direct questions: frames chosen beforehand, or an image, and one call of the model, without the agent."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import string
from collections.abc import Sequence
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidagent.agents.client.client import ModelClient
from vidagent.agents.direct.attachments import image
from vidagent.agents.direct.vlm import VLM
from vidagent.errors import ModelError, UsageError
from vidagent.evaluation.embedded import look_once
from vidagent.evaluation.scoring import Prediction
from vidagent.graphs.budget import Meter, StepMeter
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame
from vidagent.serve.batch.input_file import Item
from vidagent.serve.batch.model import BatchModel
from vidagent.serve.batch.open_videos import OpenVideo
from vidagent.serve.batch.setup import Setup
from vidagent.types import (
    Answer,
    Budget,
    BudgetReport,
    Coverage,
    KnownHash,
    Question,
    Span,
    StepUsage,
    Usage,
    VideoInfo,
)
from vidagent.video.sampling import sample_indices
from vidagent.video.video import Video

_LONGEST_REPLY = 1024
_LETTER = re.compile(r"\W*(?:(?:the )?(?:answer|option) ?(?:is|:)?\W*)?([A-Z])(?![a-zA-Z'’])")

Shown = tuple[float, bytes]
"""A frame's time and its picture as JPEG."""


async def ask_frames(opened: OpenVideo, model: BatchModel, item: Item, setup: Setup) -> Answer:
    """Answer a question about a video by one call with frames chosen beforehand.

    Raises:
        VideoError: If the video cannot be decoded.
        ModelError: If the model is unreachable, refuses, or replies with nothing.
        UsageError: If the question cannot be asked.
    """
    video, budget = opened.view(), item.limits(setup.settings.budget())
    try:
        indices = await opened.once("times", lambda: asyncio.to_thread(_times, video))
        profile = model.client.profile
        most = min(profile.frames_per_call, budget.frames or profile.frames_per_call)
        chosen = _chosen(indices, video.info, item, setup, most)
        frames = await opened.once(
            chosen, lambda: asyncio.to_thread(_pictures, video, chosen, profile.frame_side_px)
        )
        if model.vlm is None:
            reply, step = await _ask_embedded(model.client, item.prompt, frames, video.info.frame_s)
        else:
            labelled = [part for time_s, data in frames for part in (f"t = {time_s:.3f} s", image(data))]
            reply, step = await _ask_model(model.vlm, item.prompt, labelled, budget)
    finally:
        video.close()
    spans = tuple(Span(time_s, time_s + video.info.frame_s) for time_s, _ in frames)
    seen_s = len(spans) * video.info.frame_s
    seen = Coverage(seen_s, min(1.0, seen_s / video.info.duration_s), spans)
    step = dataclasses.replace(step, frames_decoded=video.frames_decoded)
    return _answer(reply, step, video.info, model.client.name, budget, seen)


async def ask_image(path: Path, model: BatchModel, item: Item, setup: Setup) -> Answer:
    """Answer a question about an image; of the video's facts the answer has its path, size and hash.

    Raises:
        ModelError: If the model is unreachable, refuses, or replies with nothing.
        UsageError: If the image cannot be read, or the question cannot be asked.
    """
    (info, picture), budget = await asyncio.to_thread(_facts, path), item.limits(setup.settings.budget())
    if model.vlm is None:
        shown = [(0.0, jpeg.encode(picture))]
        reply, step = await _ask_embedded(model.client, item.prompt, shown, 0.0)
    else:
        reply, step = await _ask_model(model.vlm, item.prompt, [image(path)], budget)
    return _answer(reply, step, info, model.client.name, budget, Coverage(0.0, 1.0))


def _times(video: Video) -> tuple[float, ...]:
    return tuple(video.frame_times(0.0, video.info.duration_s + 1.0).tolist())


def _chosen(
    times_s: Sequence[float], info: VideoInfo, item: Item, setup: Setup, most: int
) -> tuple[float, ...]:
    """Return the times of the frames; what the line says goes before what is usual."""
    single = item.splice_single_frame or (None if item.num_frames else setup.single_frame)
    number = None if single else item.num_frames or setup.num_frames
    chosen = sample_indices(
        len(times_s), info.fps, num_frames=number, max_frames=most, splice_single_frame=single
    )
    return tuple(times_s[index] for index in chosen.indices)


def _pictures(video: Video, times_s: Sequence[float], side_px: int) -> list[Shown]:
    frames = video.frames_at(times_s, max_side_px=side_px)
    return [(frame.time_s, jpeg.encode(frame.rgb)) for frame in frames]


async def _ask_embedded(
    client: ModelClient, question: Question, frames: Sequence[Shown], frame_s: float
) -> tuple[Prediction, StepUsage]:
    """Have the embedded model look; it has no tokens to bound."""
    gate = StepMeter(Meter(Budget(), client.profile.frame_tokens, client.profile.thinking.allotted), "look")
    shown = [ShownFrame.of(time_s, data) for time_s, data in frames]
    reply = await look_once(client, question, shown, gate, frame_s)
    return reply, gate.close()


async def _ask_model(
    vlm: VLM, question: Question, content: Sequence[object], budget: Budget
) -> tuple[Prediction, StepUsage]:
    turn = {"role": "user", "content": [*content, _worded(question)]}
    most = min(_LONGEST_REPLY, budget.completion_tokens or _LONGEST_REPLY)
    thinking = None if budget.thinking_tokens is None else min(budget.thinking_tokens, most - 1)
    reply = await vlm.ask("", history=[turn], max_tokens=most, thinking_tokens=thinking)
    if not reply.text.strip():
        raise ModelError(f"model {vlm.name!r} replied with nothing (finish reason {reply.finish_reason})")
    cost = reply.usage
    step = StepUsage(
        "compose",
        cost.seconds,
        cost.requests,
        cost.prompt_tokens,
        cost.completion_tokens,
        cost.thinking_tokens,
        cost.cached_tokens,
        frames_sent=cost.frames_sent,
        computed_tokens=cost.computed_tokens,
    )
    return Prediction("answered", reply.text.strip(), _choice(reply.text, question.options)), step


def _worded(question: Question) -> str:
    if question.options is None:
        return question.text
    listed = [
        f"{letter}. {text}" for letter, text in zip(string.ascii_uppercase, question.options, strict=False)
    ]
    return "\n".join([question.text, *listed, "Answer with the letter of the right option."])


def _choice(text: str, options: Sequence[str] | None) -> int | None:
    """Return the option that a reply names, by its words or its letter."""
    if options is None:
        return None
    reply = text.strip()
    plain = [option.casefold() for option in options]
    if reply.rstrip(".").casefold() in plain:
        return plain.index(reply.rstrip(".").casefold())
    letter = _LETTER.match(reply)
    place = string.ascii_uppercase.index(letter[1]) if letter else len(options)
    return place if place < len(options) else None


def _answer(
    reply: Prediction, step: StepUsage, info: VideoInfo, model: str, budget: Budget, seen: Coverage
) -> Answer:
    """Return the contract's answer; a direct call checks nothing, so that its confidence is 0 and it has no run."""
    return Answer(
        status=reply.status,
        answer=reply.text,
        choice=reply.choice,
        confidence=0.0,
        coverage=seen,
        usage=Usage.total((step,), seconds=step.seconds, rounds=step.model_calls),
        budget=BudgetReport(budget),
        video=info,
        model=model,
        run_id="",
    )


def _facts(path: Path) -> tuple[VideoInfo, NDArray[np.uint8]]:
    """Return what is known of an image, and its pixels."""
    try:
        data = path.read_bytes()
        picture = jpeg.decode(data)
    except OSError as error:
        raise UsageError(f"image {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"image {path}: {error}") from None
    height, width = picture.shape[:2]
    digest = sha256(data).hexdigest()
    info = VideoInfo(
        path=str(path),
        duration_s=0.0,
        fps=Fraction(0),
        width=width,
        height=height,
        fingerprint=digest,
        content=KnownHash(digest),
        codec="",
        container="",
    )
    return info, picture
