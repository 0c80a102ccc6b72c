"""The embedded model asked once about given frames, by a look step, as it knows the agent's steps only."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vidagent.agents.client.client import ModelClient
from vidagent.agents.client.limits import CallBudget
from vidagent.agents.prompting.messages import look_messages
from vidagent.agents.prompting.replies import Observation
from vidagent.evaluation.scoring import Prediction
from vidagent.images.shown_frame import ShownFrame
from vidagent.types import Question, Span


async def look_once(
    client: ModelClient, question: Question, shown: Sequence[ShownFrame], gate: CallBudget, frame_s: float
) -> Prediction:
    """Read the look as a prediction, as favourably as possible: the frames that show it are its spans.

    Args:
        client: The model.
        question: What is asked.
        shown: The frames, in the order of time.
        gate: Counts what the look costs.
        frame_s: Seconds between two frames of the video.
    """
    looked = look_messages(question.text, question.options, question.text, shown)
    seen = await client.ask("look", looked, Observation, gate, shown="overview")
    times = sorted({sighting.time_s for sighting in seen.sightings})
    if not times:
        return Prediction("cannot_judge" if seen.found is None else "not_found", seen.what or "not seen")
    text = " ".join(sighting.text for sighting in seen.sightings if sighting.text) or seen.what
    options = [_plain(option) for option in question.options or ()]
    named = [number for number, option in enumerate(options) if option and option in _plain(text)]
    choice = named[0] if len(named) == 1 else None
    return Prediction("answered", text, choice, (Span(times[0], times[-1] + frame_s),), len(times))


def _plain(text: str) -> str:
    return re.sub(r"\W|_", "", text.casefold())
