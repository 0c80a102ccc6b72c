"""Questions at once about one opened video, as a batch asks them: the decoding they cost, and how fast they come.

The model is a scripted server that takes a while for each reply.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.rest_server import vlm
from benchmarks.speed.drawn_videos import drawn
from benchmarks.speed.turns import Row, Setting, Table, in_turn
from vidagent.agents.server.model_choice import choose
from vidagent.api.run_question import ask_opened
from vidagent.api.videos import index_video
from vidagent.runs.request import make_request
from vidagent.video.shared_video import SharedVideo
from vidagent.video.video import Video

_MOST_S = 60.0
_DELAY_S = 0.2


def measure(setting: Setting) -> list[Table]:
    """Return frames decoded and questions a second, each against one question's."""
    path = drawn(setting.folder, min(_MOST_S, setting.length_s), setting.size_wh)
    os.environ["VIDAGENT_CACHE_DIR"] = str(setting.folder / "concurrent-cache")
    index_video(path)
    decoded: dict[str, list[float]] = {_name(count): [] for count in setting.at_once}
    with vlm(_DELAY_S) as url:

        def rate(count: int) -> Callable[[], float]:
            def once() -> float:
                frames, seconds = asyncio.run(_ask(path, url, count))
                decoded[_name(count)].append(frames)
                return count / seconds

            return once

        rates = in_turn({_name(count): rate(count) for count in setting.at_once}, setting.rounds)
    one = _name(setting.at_once[0])
    return [
        Table(
            title,
            unit,
            [Row(name, some, values[one] if name != one else ()) for name, some in values.items()],
            one,
        )
        for title, unit, values in (
            ("decoding for questions at once", "frames", decoded),
            (f"answers with a server of {_DELAY_S:g} s", "per second", rates),
        )
    ]


def _name(count: int) -> str:
    return f"{count} question{'s' if count > 1 else ''}"


async def _ask(path: Path, url: str, count: int) -> tuple[int, float]:
    """Ask so many questions at once; return the frames decoded and the seconds it took."""
    requests = [
        make_request(f"What is to be seen, number {number}?", base_url=url, model="scripted")
        for number in range(count)
    ]
    client = await asyncio.to_thread(choose, requests[0].settings)
    with Video.open(path) as video:
        view = SharedVideo.share(video)
        began = time.perf_counter()
        await asyncio.gather(*(ask_opened(view(), client, request) for request in requests))
        return video.frames_decoded, time.perf_counter() - began
