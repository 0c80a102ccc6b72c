"""The baseline: evenly spaced frames of the whole video in one call, without the agent."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidagent.agents.client.client import ModelClient
from vidagent.agents.server.model_choice import EMBEDDED
from vidagent.config import Settings
from vidagent.errors import BudgetSpent
from vidagent.evaluation.embedded import look_once
from vidagent.evaluation.scoring import Prediction
from vidagent.evaluation.uniform_prompt import DirectReply, direct_messages
from vidagent.graphs.budget import Meter, StepMeter
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore
from vidagent.tools import Caps, ToolContext
from vidagent.types import Budget, Question, Span, Step, StepUsage
from vidagent.video.cache.video_cache import VideoCache
from vidagent.video.index.video_index import Index
from vidagent.video.video import Video


async def ask_directly(
    path: Path, question: Question, frames: int, client: ModelClient, settings: Settings, budget: Budget
) -> tuple[Prediction, StepUsage]:
    """Show a model frames of the whole video and ask once.

    Args:
        path: The video.
        question: What is asked.
        frames: Frames to send: the middles of so many equal parts; all there are, where the video has fewer.
        client: The model.
        settings: Where the cache is, and which library decodes.
        budget: What the call may cost; frames aside, as these are given.

    Returns:
        What it says, and what that cost.

    Raises:
        VideoError: If the video cannot be read.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
    """
    shown, frame_s = await asyncio.to_thread(_frames, path, frames, client, settings)
    profile = client.profile
    step: Step = "look" if client.name == EMBEDDED else "compose"
    gate = StepMeter(
        Meter(dataclasses.replace(budget, frames=None), profile.frame_tokens, profile.thinking.allotted), step
    )
    try:
        said = await _said(client, question, shown, gate, frame_s)
    except BudgetSpent as spent:
        said = Prediction("partial", f"The {spent.name} budget ended the call.")
    return said, gate.close()


async def _said(
    client: ModelClient, question: Question, shown: Sequence[ShownFrame], gate: StepMeter, frame_s: float
) -> Prediction:
    if client.name == EMBEDDED:  # it knows the agent's steps only
        return await look_once(client, question, shown, gate, frame_s)
    asked = direct_messages(question.text, question.options, shown)
    return _of_reply(await client.ask("compose", asked, DirectReply, gate, shown="overview"), question)


def _frames(
    path: Path, frames: int, client: ModelClient, settings: Settings
) -> tuple[list[ShownFrame], float]:
    """Decode the frames; return them, and the video's frame interval in seconds."""
    side_px = client.profile.frame_side_px
    caps = Caps(frames, frames, side_px, side_px, 1)
    with (
        Video.open(path, decoder=settings.decoder, stream=settings.video_stream) as video,
        tempfile.TemporaryDirectory() as folder,
    ):
        store = FrameStore(Path(folder))
        context = ToolContext(
            video,
            Index(video, VideoCache(settings.cache_dir, settings.cache_mb)),
            store,
            caps,
            lambda wanted: wanted,
        )
        times = [float(t) for t in (np.arange(frames) + 0.5) * context.duration_s / frames]
        return list(context.pictures(times)[0]), video.info.frame_s


def _of_reply(reply: DirectReply, question: Question) -> Prediction:
    known = range(len(question.options or ()))
    choice = reply.choice if reply.choice in known else None
    if reply.found is False and choice is None:
        return Prediction("not_found", reply.answer)
    claims = choice is not None if question.options else reply.found is True or bool(reply.answer)
    return Prediction("answered" if claims else "not_found", reply.answer, choice, _spans(reply), reply.count)


def _spans(reply: DirectReply) -> tuple[Span, ...]:
    if reply.start_s is None or reply.start_s < 0:
        return ()
    end_s = reply.start_s if reply.end_s is None else reply.end_s
    return (Span(reply.start_s, max(reply.start_s, end_s)),)
