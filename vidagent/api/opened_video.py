"""Questions about a video that is open already, put to a model that is chosen already."""

from __future__ import annotations

import time

from vidagent.agents.client.client import ModelClient
from vidagent.api.assemble import cache_of
from vidagent.api.run_question import Course
from vidagent.graphs.events import Listener
from vidagent.reports.export.export_request import Order
from vidagent.runs.folder import new_record
from vidagent.runs.request import Brief
from vidagent.runs.session_turn import conversation
from vidagent.types import Answer
from vidagent.video.video import Video


async def ask_opened(
    video: Video,
    client: ModelClient,
    brief: Brief,
    *,
    session: str | None = None,
    on_event: Listener | None = None,
) -> Answer:
    """Answer a question about an opened video; the rest is as in `aanalyze_video`.

    Args:
        video: The video; of one that is shared by questions, a view of its own for each.
        client: The model, which may be asked by others meanwhile.
        brief: What is asked.
        session: The session it is asked in.
        on_event: Called with each event of the run.

    Raises:
        VideoError: If the video cannot be decoded.
        ModelError: If the model is unreachable, refuses, or its replies cannot be used.
        UsageError: If the session cannot be used.
    """
    began, cache = time.monotonic(), cache_of(brief.settings)
    with conversation(cache, session, None) as talk:
        if talk is not None:
            talk.check(video.info)
        course = Course(
            video, client, brief, new_record(cache), resumed=False, began=began, on_event=on_event, talk=talk
        )
        return await course.follow(Order())
