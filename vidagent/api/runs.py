"""Earlier runs and sessions: listed, found, deleted; reports, clips and training rows made without asking a model."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from vidagent import config
from vidagent.api.assemble import cache_folder, ignore, make_run, open_graph, open_video
from vidagent.errors import UsageError
from vidagent.graphs.answer import final_answer
from vidagent.reports.export.clips import write_clip
from vidagent.reports.export.export import write_exports
from vidagent.reports.export.export_request import ExportRequest
from vidagent.runs.folder import find_run_folder, is_run_id, list_run_folders, run_folder
from vidagent.runs.recorded_run import RecordedRun
from vidagent.runs.resume import saved_state
from vidagent.runs.session_store import Session, Sessions
from vidagent.runs.training_rows import training_rows
from vidagent.text import counted
from vidagent.types import Span
from vidagent.video.video import Video


def list_runs() -> list[RecordedRun]:
    """Return the runs of the last week, newest first."""
    return [RecordedRun(folder) for folder in list_run_folders(_cache()) if folder.read("run")]


def find_run(run_id: str) -> RecordedRun:
    """Return an earlier run; `last` is the newest.

    Raises:
        UsageError: If there is no such run.
    """
    return RecordedRun(find_run_folder(_cache(), run_id))


def delete_run(run_id: str) -> None:
    """Delete the folder of an earlier run; do nothing if there is none."""
    if is_run_id(run_id):
        shutil.rmtree(run_folder(_cache(), run_id).path, ignore_errors=True)


async def report_run(run_id: str, report: Path, *, video: str | Path | None = None) -> None:
    """Write the report of an earlier run about one video, as `analyze_video` does of a new one.

    Args:
        run_id: A run that has an answer.
        report: Path of the report.
        video: Path of its video if it has moved.

    Raises:
        UsageError: If there is no such run, it has no answer, or this is another video.
        VideoError: If the video cannot be read.
    """
    async with _reopened(run_id, video) as (recorded, opened):
        client = await asyncio.to_thread(recorded.client)
        run = make_run(client, opened, recorded.request, recorded.folder, recorded.budget, ignore)
        async with open_graph(recorded.folder, client.profile.look_concurrency) as (graph, thread):
            state = await saved_state(graph, thread)

        def write() -> None:
            answer = final_answer(state, run, run_id=recorded.run_id, frame_path=recorded.frame_path)
            write_exports(ExportRequest(report=report), recorded.with_recorded_costs(answer), state, run)

        await asyncio.to_thread(write)


async def clip_run(run_id: str, number: int, clip: Path, *, video: str | Path | None = None) -> None:
    """Write one of the spans of an earlier run's answer as an mp4.

    Args:
        run_id: A run about one video that has an answer.
        number: Index of the span in the answer, from 0.
        clip: Path of the clip.
        video: Path of its video if it has moved.

    Raises:
        UsageError: If there is no such run or span, or this is another video.
        VideoError: If the video cannot be read.
    """
    async with _reopened(run_id, video) as (recorded, opened):
        spans = recorded.check_replay()["spans"]
        if not 0 <= number < len(spans):
            raise UsageError(f"the answer has {counted(len(spans), 'span')}, counted from 0; got {number}")
        span = Span(spans[number]["start_s"], spans[number]["end_s"])
        await asyncio.to_thread(write_clip, opened, span, clip)


@dataclass(frozen=True, slots=True)
class RunExport:
    """Training rows that were written.

    Args:
        path: The file, one JSON object a line.
        rows: Number of rows.
        pictures: Number of pictures beside it.
        left_out: Replies without a row, as their pictures are gone or were sent as a video.
    """

    path: Path
    rows: int
    pictures: int
    left_out: int


def export_runs(run_ids: Sequence[str], folder: str | Path) -> RunExport:
    """Write the requests and replies of earlier runs as rows to train a model on.

    Args:
        run_ids: The runs; `last` is the newest.
        folder: Gets `rows.jsonl`, and the pictures in `frames/`, which rows name by their paths in the folder. A row
            has `messages` (OpenAI's format, the reply last), `images`, `tools` and the `verdicts` of the run.

    Raises:
        UsageError: If there is no such run, or the folder cannot be written or has rows already.
    """
    runs, folder = [find_run(run_id) for run_id in run_ids], Path(folder)
    pictures: set[Path] = set()

    def keep(picture: Path) -> str:
        place = Path("frames", picture.name[:2], picture.name)
        if place not in pictures:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, folder / place)
            pictures.add(place)
        return place.as_posix()

    rows = left_out = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "rows.jsonl").open("x", encoding="utf-8") as file:
            for run in runs:
                for row in training_rows(run, keep):
                    if row is None:
                        left_out += 1
                        continue
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    rows += 1
    except FileExistsError:
        raise UsageError(f"{folder / 'rows.jsonl'} exists: name another folder") from None
    except OSError as error:
        raise UsageError(f"the rows cannot be written to {folder}: {error}") from error
    return RunExport(folder / "rows.jsonl", rows, len(pictures), left_out)


@asynccontextmanager
async def _reopened(run_id: str, path: str | Path | None) -> AsyncIterator[tuple[RecordedRun, Video]]:
    """Find a run about one video and open that video; closing it stops what still decodes in a thread."""
    recorded = await asyncio.to_thread(find_run, run_id)
    recorded.check_replay()
    if recorded.is_multi_video:
        raise UsageError(f"run {run_id} is about several videos")
    path = path or recorded.metadata["video"]["absolute"]
    async with open_video(path, recorded.request.settings) as video:
        recorded.check_video(video.info)
        yield recorded, video


def list_sessions() -> list[Session]:
    """Return all sessions, the one used last first.

    Raises:
        UsageError: If they cannot be read.
    """
    return Sessions(_cache()).all()


def find_session(name: str) -> Session:
    """Return a session with its questions and answers.

    Raises:
        UsageError: If there is none of this name, or the sessions cannot be read.
    """
    return Sessions(_cache()).get(name)


def delete_session(name: str) -> None:
    """Delete a session.

    Raises:
        UsageError: If there is none of this name, or a question is being answered in it.
    """
    Sessions(_cache()).delete(name)


def _cache() -> Path:
    return cache_folder(config.load())
