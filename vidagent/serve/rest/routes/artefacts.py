"""What a run shows: the frames of its evidence, its report and clips of its answer's places, made when asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from vidagent import api
from vidagent.errors import UsageError, VideoError
from vidagent.runs.recorded_run import RecordedRun
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import RunBody
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.core.video_locator import VideoLocator

_MADE_AT_ONCE = 2
_MOST_WAITING = 32
_MAKING_S = 120.0
_RETRY_S = "5"

Make = Callable[[Path], Awaitable[None]]
"""Writes something about the video that it is given."""


class RunMedia:
    """The artefacts of runs, beside the pictures in the agent's records of them.

    Args:
        records: Whose runs they are.
        places: Where videos lie.
    """

    def __init__(self, records: RunRecords, places: VideoLocator) -> None:
        """Make none yet."""
        self._records, self._places = records, places
        self._making = asyncio.Semaphore(_MADE_AT_ONCE)
        self._waiting = 0

    async def frame(self, client: Client, run_id: str, number: int) -> Path:
        """Return the frame of an item of the evidence.

        Raises:
            ApiError: If there is no such run for this client, or no such frame.
        """
        past = await self._past(client, run_id)
        evidence = (past.answer or {}).get("evidence", [])
        frame = evidence[number]["frame"] if number < len(evidence) else None
        if frame is None or not await asyncio.to_thread(Path(frame).is_file):
            raise ApiError(404, "no_such_frame", "the run's evidence has no such frame")
        return Path(frame)

    async def report(self, client: Client, run_id: str) -> Path:
        """Return the run's report.

        Raises:
            ApiError: If there is no such run for this client, it has no answer, or too many wait for theirs.
        """
        run, past = self._answered(client, run_id), await self._past(client, run_id)
        path = past.folder.path / "report.html"
        return await self._made(client, run, path, lambda video: api.report_run(run_id, path, video=video))

    async def clip(self, client: Client, run_id: str, number: int) -> Path:
        """Return one of the places of the run's answer as an mp4.

        Raises:
            ApiError: As `report`, or if the answer has no such place.
        """
        run, past = self._answered(client, run_id), await self._past(client, run_id)
        if run.answer is None or number >= len(run.answer.spans):
            raise ApiError(404, "no_such_clip", "the run's answer has no such place")
        path = past.folder.path / f"clip-{number}.mp4"
        return await self._made(
            client, run, path, lambda video: api.clip_run(run_id, number, path, video=video)
        )

    def _answered(self, client: Client, run_id: str) -> RunBody:
        run = self._records.get(client, run_id)
        if run.answer is None:
            raise ApiError(404, "no_answer", "the run has no answer, or not yet")
        return run

    async def _past(self, client: Client, run_id: str) -> RecordedRun:
        self._records.get(client, run_id)
        try:
            return await asyncio.to_thread(api.find_run, run_id)
        except UsageError as error:
            raise ApiError(404, "run_cleared", "the run's pictures are not kept any more") from error

    async def _made(self, client: Client, run: RunBody, path: Path, make: Make) -> Path:
        """Return a file, and write it first where it is not there."""
        if await asyncio.to_thread(path.is_file):
            return path
        if self._waiting >= _MOST_WAITING:
            raise ApiError(503, "busy", "too many wait for clips and reports", {"Retry-After": _RETRY_S})
        self._waiting += 1
        try:
            async with asyncio.timeout(_MAKING_S), self._making:
                if not await asyncio.to_thread(path.is_file):
                    async with self._places.found(client, run.asked.video) as video:
                        await make(video)
        except TimeoutError as late:
            raise ApiError(504, "too_late", f"it is not made within {_MAKING_S:g} s") from late
        except (UsageError, VideoError) as error:
            raise ApiError(404, "video_changed", "the run's video is not there any more as it was") from error
        finally:
            self._waiting -= 1
        return path
