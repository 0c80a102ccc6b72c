"""Probes of videos: an mp4, sampling set by the request, and frames with explicit times."""

from __future__ import annotations

from typing import Any

from vidagent.agents.probes.context import QUESTION, ProbeContext
from vidagent.agents.probes.finding import Outcome, no, refusal, unknown, yes
from vidagent.agents.probes.fixtures import CLIP_S, clip, frames, user
from vidagent.agents.server.connection import ServerError

_MANY, _FEW = 8, 2
_TICKS = 1000


async def mp4(context: ProbeContext) -> Outcome:
    """Show a clip: it must increase the prompt's tokens."""
    return await _shown(context, clip(), {}, f"{CLIP_S:g} s")


async def options(context: ProbeContext) -> Outcome:
    """Set video sampling options in the request."""
    try:
        await context.ask(user(QUESTION), tokens=1, body=_sampled(num_frames=_MANY))
    except ServerError as error:
        outcome = refusal(error)
        context.takes_media_options = False
        return outcome
    context.takes_media_options = True
    return yes("media_io_kwargs are taken")


async def sampling(context: ProbeContext) -> Outcome:
    """Request few and many frames of one clip: the prompts must differ."""
    if context.takes_media_options is False:
        return no("needs media_io_kwargs, which are refused")
    options_by_form = {"both": {"fps": 4.0}, "one": {}}
    problems: list[str] = []
    for form, beside in options_by_form.items():
        try:
            many, few = [
                (await context.ask(user(clip(), QUESTION), tokens=1, body=_sampled(num_frames=n, **beside)))
                for n in (_MANY, _FEW)
            ]
        except ServerError as error:
            problems.append(refusal(error).detail)
            continue
        if many.prompt_tokens is None or few.prompt_tokens is None:
            return unknown("taken; whether it is obeyed cannot be told without prompt tokens", form=form)
        if few.prompt_tokens < many.prompt_tokens:
            words = (
                "both at once, and num_frames is heeded"
                if form == "both"
                else f"num_frames alone; with fps {problems[0]}"
            )
            return (yes if form == "both" else no)(words, form=form)
        problems.append(f"num_frames is ignored: {_FEW} and {_MANY} frames make prompts of equal length")
    return no(problems[0], form=None)


async def frames_with_times(context: ProbeContext) -> Outcome:
    """Send the frames themselves as a video, with the time of each."""
    if context.takes_media_options is False:
        return no("needs media_io_kwargs, which are refused")
    last = _TICKS * CLIP_S
    times = {
        "fps": _TICKS,
        "num_frames": -1,
        "frames_indices": [round(last * number / _MANY) for number in range(_MANY)],
        "total_num_frames": round(last),
        "duration": CLIP_S,
    }
    return await _shown(context, frames(_MANY), {"media_io_kwargs": {"video": times}}, f"{_MANY} frames")


async def _shown(context: ProbeContext, video: dict[str, Any], body: dict[str, Any], what: str) -> Outcome:
    growth = await context.growth(await context.ask(user(video, QUESTION), tokens=1, body=body))
    if growth is None:
        return yes(f"{what} taken; whether they are read cannot be told without prompt tokens")
    if growth <= 0:
        return no("taken, but the prompt is no longer for it: it is dropped", tokens=growth)
    return yes(f"{growth} tokens for {what}", tokens=growth)


def _sampled(**how: float) -> dict[str, Any]:
    return {"media_io_kwargs": {"video": how}}
