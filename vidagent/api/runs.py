"""Earlier runs: found again, and replayed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from vidagent import config
from vidagent.api.assemble import cache_of, graph_of, nobody, opened, run_of
from vidagent.api.multi_video_replay import replayed_group
from vidagent.errors import UsageError
from vidagent.graphs.answer import close
from vidagent.runs.folder import Record, is_run_id, of_run, old_record, old_records
from vidagent.runs.recorded_run import Past
from vidagent.runs.request import Brief, check
from vidagent.runs.resume import kept_state, start
from vidagent.runs.session_turn import replayed_start
from vidagent.types import Answer


def list_runs() -> list[Past]:
    """Return the runs of the last week, the newest first."""
    return [Past(record) for record in old_records(cache_of(config.load())) if record.read("run")]


def find_run(run_id: str) -> Past:
    """Return the record of an earlier run; `last` is the newest.

    Raises:
        UsageError: If there is no such run.
    """
    return Past(old_record(cache_of(config.load()), run_id))


def delete_run(run_id: str) -> None:
    """Delete all that is kept of an earlier run, its pictures too; one that is not kept is passed over."""
    record = of_run(cache_of(config.load()), run_id)
    if is_run_id(run_id):
        shutil.rmtree(record.folder, ignore_errors=True)


def replay_run(run_id: str, *, video: str | Path | None = None) -> tuple[Answer, list[str]]:
    """Answer a question again with the model's recorded replies, and without the network.

    Args:
        run_id: An earlier run that came to an answer; `last` is the newest.
        video: Its video, where that no longer lies where it was; of a run about several they are found where they were.

    Returns:
        The answer, and the names of those of its fields that differ from the recorded answer: none, unless the code,
        the prompts or the libraries have changed. Seconds and frames decoded are those of the recorded run.

    Raises:
        VideoError: If the video is missing, unreadable or unsupported.
        ModelError: If a request comes that the run has no reply to.
        UsageError: If there is no such run, it has no answer, or this is another video.
    """
    past = find_run(run_id)
    if past.several and video is not None:
        raise UsageError(f"run {past.record.run_id} is about several videos: they must lie where they were")
    again = replayed_group(past, replayed) if past.several else replayed(past, video)
    answer = asyncio.run(again)
    return answer, past.differences(answer)


async def replayed(past: Past, path: str | Path | None = None) -> Answer:
    """Answer the question of a run about one video again; errors as in `replay_run`."""
    past.check_replay()
    return past.as_told(await _replayed(past, path))


def brief_of(past: Past) -> Brief:
    """Return what was asked of a run about one video."""
    told = past.told
    return check(
        told["question"],
        options=told["options"],
        **told["overview"],
        decoder=told["decoder"],
        budget=past.budget,
    )


async def _replayed(past: Past, path: str | Path | None) -> Answer:
    told, brief = past.told, brief_of(past)
    async with opened(path or told["video"]["absolute"], brief.settings) as video:
        past.check_video(video.info)
        client = past.client()
        with tempfile.TemporaryDirectory(prefix="vidagent-") as folder:
            record = Record(past.record.run_id, Path(folder))
            async with graph_of(record, client.profile.look_concurrency) as (graph, thread):
                run = past.again(
                    run_of(client, video, brief, record, past.budget, nobody, stream=told["stream"])
                )
                before = replayed_start(past.record, run.store)
                given = await start(graph, thread, brief.question, run, {}, before)
                await graph.ainvoke(given, thread, context=run)
                final = await kept_state(graph, thread)
    return close(final, run, run_id=past.record.run_id, frame_path=past.frame_path)
