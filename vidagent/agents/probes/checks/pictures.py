"""Probes of pictures: one, as many as the profile sends in one request, and pictures referenced by id."""

from __future__ import annotations

import re
import uuid
from typing import get_args

from vidagent.agents.probes.context import QUESTION, ProbeContext
from vidagent.agents.probes.finding import Outcome, no, refusal, yes
from vidagent.agents.probes.fixtures import WORD, picture, picture_wh, user
from vidagent.agents.profiles.schema import Profile, Shown
from vidagent.agents.server.connection import ServerError

_MOST = re.compile(r"at most (\d+) image", re.IGNORECASE)


def sent_at_once(profile: Profile) -> dict[str, int]:
    """Return how many pictures the profile puts into one request, by profile key."""
    forms = profile.media.forms
    as_images = {shown for shown in get_args(Shown) if forms.get(shown, "images") == "images"}
    if not profile.plan_sees_overview:
        as_images.discard("plan")
    counts = {}
    if as_images & {"look", "verify"}:
        counts["frames_per_call"] = profile.frames_per_call
    if as_images & {"plan", "overview"}:
        counts["overview_frames"] = profile.overview_frames
    return counts


async def one(context: ProbeContext) -> Outcome:
    """Show a picture of a word: it must increase the prompt's tokens."""
    reply = await context.ask(user(picture(), QUESTION), tokens=24)
    growth = await context.growth(reply)
    if growth is not None and growth <= 0:
        return no("taken, but the prompt is no longer for it: it is dropped", tokens=growth)
    context.takes_pictures = True
    did_read = WORD.casefold() in reply.text.casefold()
    size = "x".join(map(str, picture_wh()))
    counted = "taken" if growth is None else f"{growth} tokens for {size} px"
    return yes(f"{counted}; its word was {'' if did_read else 'not '}read", tokens=growth, read=did_read)


async def several(context: ProbeContext) -> Outcome:
    """Find the largest number of pictures in one request, up to the profile's."""
    sent = sent_at_once(context.profile).values()
    count = max(sent, default=2)
    which = "that the profile sends" if sent else "tried"
    try:
        taken = await _taken(context, count)
    except ServerError as error:
        words = refusal(error)
        limit = _MOST.search(error.detail)
        most = int(limit[1]) if limit else await _largest(context, count)
        return no(f"{most} of the {count} {which}; {words.detail}", most=most, wanted=count)
    if taken is None:
        return yes(f"{count} taken; how many are read cannot be told without prompt tokens", wanted=count)
    if taken < count:
        return no(f"{count} taken, but the prompt holds only {taken}", most=taken, wanted=count)
    return yes(
        f"{count} in one request, as many as {'the profile sends' if sent else 'were tried'}",
        most=count,
        wanted=count,
    )


async def ids(context: ProbeContext) -> Outcome:
    """Name a picture, then send the name alone."""
    name = f"vidagent-{uuid.uuid4().hex}"
    first = await context.ask(user(picture("ID", uuid=name), QUESTION), tokens=1)
    alone = {"type": "image_url", "image_url": None, "uuid": name}
    try:
        second = await context.ask(user(alone, QUESTION), tokens=1)
    except ServerError as error:
        return no(f"the id is taken, but no use: {refusal(error).detail}", taken=True)
    if first.prompt_tokens != second.prompt_tokens:
        return no(f"by its id alone: {second.prompt_tokens} tokens, not {first.prompt_tokens}")
    return yes("a picture sent once can be sent by its id alone")


async def _taken(context: ProbeContext, count: int) -> int | None:
    """Return how many of the pictures are in the prompt, by its length; None if the server does not count."""
    single = await context.growth(await context.ask(user(picture("1"), QUESTION), tokens=1))
    shown = [picture(str(number + 1)) for number in range(count)]
    growth = await context.growth(await context.ask(user(*shown, QUESTION), tokens=1))
    if growth is None or single is None:
        return None
    return min(round(growth / single), count) if single > 0 else 0


async def _largest(context: ProbeContext, too_many: int) -> int:
    """Return the largest accepted number of pictures, below one that is refused."""
    taken = 0
    while too_many - taken > 1:
        middle = (taken + too_many) // 2
        try:
            await _taken(context, middle)
            taken = middle
        except ServerError as error:
            refusal(error)
            too_many = middle
    return taken
