"""Frames, clips and report of a run; clips and reports are made when first requested."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from vidagent import api
from vidagent.errors import UsageError, VideoError
from vidagent.runs.recorded_run import RecordedRun
from vidagent.serve.core.caller import Client
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import RunBody
from vidagent.serve.core.storage.run_records import RunRecords
from vidagent.serve.core.video_locator import VideoLocator

_CONCURRENT, _CONCURRENT_EACH = 4, 1
_MOST_WAITING = 8
"""Clips and reports that a client may wait for."""
_TIMEOUT_S = 120.0


@dataclass
class RunMedia:
    """Finds or makes the files of runs, in the agent's run folders.

    Methods raise `ApiError` for a run, frame or span that the client does not have, or if the server is busy.
    """

    records: RunRecords
    locator: VideoLocator
    _limits: ConcurrencyLimits = field(
        default_factory=lambda: ConcurrencyLimits(_CONCURRENT, _CONCURRENT_EACH, "clips and reports")
    )

    async def frame(self, client: Client, run_id: str, number: int) -> Path:
        """Return the frame of an item of the evidence."""
        recorded = await self._recorded_run(client, run_id)
        evidence = (recorded.answer or {}).get("evidence", [])
        frame = evidence[number]["frame"] if number < len(evidence) else None
        if frame is None or not await asyncio.to_thread(Path(frame).is_file):
            raise ApiError(404, "no_such_frame", "the run's evidence has no such frame")
        return Path(frame)

    async def report(self, client: Client, run_id: str) -> Path:
        """Return the run's report."""
        run, recorded = self._answered(client, run_id), await self._recorded_run(client, run_id)
        path = recorded.folder.path / "report.html"
        return await self._cached(client, run, path, lambda video: api.report_run(run_id, path, video=video))

    async def clip(self, client: Client, run_id: str, number: int) -> Path:
        """Return one of the spans of the run's answer as an mp4."""
        run, recorded = self._answered(client, run_id), await self._recorded_run(client, run_id)
        if run.answer is None or number >= len(run.answer.spans):
            raise ApiError(404, "no_such_clip", "the run's answer has no such span")
        path = recorded.folder.path / f"clip-{number}.mp4"
        return await self._cached(
            client, run, path, lambda video: api.clip_run(run_id, number, path, video=video)
        )

    def _answered(self, client: Client, run_id: str) -> RunBody:
        run = self.records.get(client, run_id)
        if run.answer is None:
            raise ApiError(404, "no_answer", "the run has no answer yet, or it failed")
        if run.asked.more_videos:
            message = "a run about several videos has no clips and no report here; ask about one of them"
            raise ApiError(404, "several_videos", message)
        return run

    async def _recorded_run(self, client: Client, run_id: str) -> RecordedRun:
        self.records.get(client, run_id)
        try:
            return await asyncio.to_thread(api.find_run, run_id)
        except UsageError as error:
            raise ApiError(404, "run_cleared", "the run's frames have been deleted") from error

    async def _cached(
        self, client: Client, run: RunBody, path: Path, make: Callable[[Path], Awaitable[None]]
    ) -> Path:
        """Return a file of a run, made from its video by `make` if it does not exist."""
        if await asyncio.to_thread(path.is_file):
            return path
        async with self._limits.short_wait(client, most=_MOST_WAITING, within_s=_TIMEOUT_S):
            if await asyncio.to_thread(path.is_file):
                return path
            try:
                async with self.locator.open(client, run.asked.video) as video:
                    await make(video)
            except (UsageError, VideoError) as error:
                raise ApiError(404, "video_changed", "the run's video has changed or is gone") from error
        return path
