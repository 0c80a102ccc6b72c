"""Recorded runs answered again, offline: with the model's recorded replies and the index as it was."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from vidagent.agents.prompting.video_findings import names_of
from vidagent.api.ask_many import open_group_graph
from vidagent.api.assemble import ignore, make_run, open_graph, open_video
from vidagent.api.runs import find_run
from vidagent.errors import BudgetSpent, UsageError
from vidagent.graphs.answer import final_answer
from vidagent.graphs.budget import Meter
from vidagent.graphs.multi_video.answer import group_answer
from vidagent.graphs.multi_video.graph import Earlier, Group, GroupState, first_state
from vidagent.runs.folder import RunFolder
from vidagent.runs.recorded_run import RecordedRun
from vidagent.runs.resume import saved_state, start
from vidagent.runs.session_turn import replayed_start
from vidagent.types import Answer, Budget, VideoInfo


def replay_run(run_id: str, *, video: str | Path | None = None) -> tuple[Answer, list[str]]:
    """Answer a question again with the model's recorded replies, and without the network.

    Args:
        run_id: An earlier run that has an answer; `last` is the newest.
        video: Path of its video if it has moved; not for a run about several videos.

    Returns:
        The answer, and the names of its fields that differ from the recorded answer: none, unless the code, the
        prompts or the libraries have changed. Seconds and decoded frames are those of the recorded run.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
        ModelError: If a request comes that the run has no reply to.
        UsageError: If there is no such run, it has no answer, or this is another video.
    """
    recorded = find_run(run_id)
    if recorded.is_multi_video and video is not None:
        raise UsageError(f"run {recorded.run_id} is about several videos: they must be where they were")
    replay = _replay_group(recorded) if recorded.is_multi_video else _replay(recorded, video)
    answer = asyncio.run(replay)
    return answer, recorded.differences(answer)


async def _replay(recorded: RecordedRun, path: str | Path | None = None) -> Answer:
    """Replay a run about one video; errors as in `replay_run`."""
    recorded.check_replay()
    metadata, request = recorded.metadata, recorded.request
    async with open_video(path or metadata["video"]["absolute"], request.settings) as video:
        recorded.check_video(video.info)
        client = recorded.client()
        with _temporary_folder(recorded) as folder:
            async with open_graph(folder, client.profile.look_concurrency) as (graph, thread):
                run = recorded.restore(
                    make_run(
                        client, video, request, folder, recorded.budget, ignore, stream=metadata["stream"]
                    )
                )
                session = replayed_start(recorded.folder, run.store)
                opening = metadata.get("opening", ())
                first = await start(graph, thread, request, run, {}, session, opening)
                await graph.ainvoke(first, thread, context=run)
                final = await saved_state(graph, thread)
    answer = final_answer(final, run, run_id=recorded.run_id, frame_path=recorded.frame_path)
    return recorded.with_recorded_costs(answer)


@dataclass(frozen=True, slots=True)
class _RecordedVideos:
    """Replays the run about each of several videos, for the graph that combines them."""

    recorded: RecordedRun

    async def earlier(self, number: int) -> Earlier:
        """Return nothing: a replay starts from the beginning."""
        return Earlier()

    async def ask(self, number: int, question: str, budget: Budget) -> dict[str, Any]:
        """Replay the run about one video; raise `BudgetSpent` if the recorded run had no time left for it."""
        run_id = self.recorded.folder.part(number).run_id
        found = next((run for run in self.recorded.video_runs if run.run_id == run_id), None)
        if found is None or found.answer is None:
            raise BudgetSpent((self.recorded.answer or {})["budget"]["ended_by"] or "seconds")
        return (await _replay(found)).to_dict()


async def _replay_group(recorded: RecordedRun) -> Answer:
    """Replay a run about several videos; errors as in `replay_run`."""
    recorded.check_replay()
    request, budget, client = recorded.request, recorded.budget, recorded.client()
    infos = await _probe(recorded)
    meter = Meter(dataclasses.replace(budget, seconds=None), thinking=client.profile.thinking.allotted)
    names = names_of([video["path"] for video in recorded.metadata["videos"]])
    group = Group(
        client, names, meter, _RecordedVideos(recorded), emit=ignore, stream=recorded.metadata["stream"]
    )
    fingerprints = [info.fingerprint for info in infos]
    with _temporary_folder(recorded) as folder:
        async with open_group_graph(folder) as (graph, thread):
            first = first_state(request.question.text, request.question.options, fingerprints, budget)
            await graph.ainvoke(first, thread, context=group)
            final = cast("GroupState", (await graph.aget_state(thread)).values)
    answer = group_answer(final, infos, model=client.name, run_id=recorded.run_id, budget=budget)
    return recorded.with_recorded_costs(answer)


async def _probe(recorded: RecordedRun) -> list[VideoInfo]:
    """Open each video once; refuse one whose bytes differ."""
    infos = []
    for video in recorded.metadata["videos"]:
        async with open_video(video["absolute"], recorded.request.settings) as found:
            recorded.check_video(found.info, video["sha256"])
            infos.append(found.info)
    return infos


@contextmanager
def _temporary_folder(recorded: RecordedRun) -> Iterator[RunFolder]:
    with tempfile.TemporaryDirectory(prefix="vidagent-") as path:
        yield RunFolder(recorded.run_id, Path(path))
