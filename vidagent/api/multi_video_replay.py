"""A run about several videos replayed: each video's run, and the requests that put them together."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from vidagent.agents.prompting.video_findings import names_of
from vidagent.api.ask_many import group_graph
from vidagent.api.assemble import nobody, opened
from vidagent.errors import BudgetSpent
from vidagent.graphs.budget import Meter
from vidagent.graphs.multi_video.answer import gathered
from vidagent.graphs.multi_video.graph import Earlier, Group, GroupState, first_state
from vidagent.runs.folder import Record
from vidagent.runs.recorded_run import Past
from vidagent.runs.request import check
from vidagent.types import Answer, Budget, VideoInfo

_Replay = Callable[[Past], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Videos:
    """Has each video asked again; one that there was no time for then has none now.

    Args:
        past: The run about all.
        replay: Replays a run about one.
    """

    past: Past
    replay: _Replay

    async def earlier(self, number: int) -> Earlier:
        """Return nothing: a replay begins anew."""
        return Earlier()

    async def ask(self, number: int, question: str, budget: Budget) -> dict[str, Any]:
        """Replay the run about one video."""
        run_id = self.past.record.part(number).run_id
        found = next((one for one in self.past.each if one.record.run_id == run_id), None)
        if found is None or found.answer is None:
            raise BudgetSpent((self.past.answer or {})["budget"]["ended_by"] or "seconds")
        return (await self.replay(found)).to_dict()


async def replayed_group(past: Past, replay: _Replay) -> Answer:
    """Answer a question about several videos again.

    Args:
        past: The run.
        replay: Replays a run about one video.

    Raises:
        VideoError: If a video is missing, unreadable or unsupported.
        ModelError: If a request comes that the run has no reply to.
        UsageError: If it has no answer, or a video is another one.
    """
    past.check_replay()
    told, client = past.told, past.client()
    infos = await _infos(past)
    meter = Meter(dataclasses.replace(past.budget, seconds=None), thinking=client.profile.thinking.allotted)
    names = names_of([video["path"] for video in told["videos"]])
    group = Group(client, names, meter, _Videos(past, replay), nobody, told["stream"])
    hashes = [info.sha256 for info in infos]
    with tempfile.TemporaryDirectory(prefix="vidagent-") as folder:
        async with group_graph(Record(past.record.run_id, Path(folder))) as (graph, thread):
            given = first_state(told["question"], told["options"], hashes, past.budget)
            await graph.ainvoke(given, thread, context=group)
            final = cast("GroupState", (await graph.aget_state(thread)).values)
    answer = gathered(final, infos, model=client.name, run_id=past.record.run_id, budget=past.budget)
    return past.as_told(answer)


async def _infos(past: Past) -> list[VideoInfo]:
    """Open each video once; refuse one with other bytes."""
    told, infos = past.told, []
    brief = check(told["question"], options=told["options"], decoder=told["decoder"])
    for video in told["videos"]:
        async with opened(video["absolute"], brief.settings) as found:
            past.check_video(found.info, video["sha256"])
            infos.append(found.info)
    return infos
