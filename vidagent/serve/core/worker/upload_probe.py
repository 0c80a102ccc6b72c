"""Probing of uploads: each in a process of its own, within a time of its own, and one at a time per owner.

A crafted file may keep whatever reads it busy, so nothing of the server waits for one but its own upload.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from vidagent.errors import VideoError
from vidagent.serve.core.caller import Client
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.worker import process as worker_process
from vidagent.serve.core.worker.fork import fork
from vidagent.serve.core.worker.protocol import receive
from vidagent.types import VideoInfo

LIMIT_S = 120.0
_AT_ONCE, _AT_ONCE_EACH = 4, 1


@dataclass
class UploadProbe:
    """Probes the uploads of all owners."""

    _limits: ConcurrencyLimits = field(default_factory=lambda: ConcurrencyLimits(_AT_ONCE, _AT_ONCE_EACH))

    async def probe(self, client: Client, path: Path) -> VideoInfo:
        """Return the facts of a client's video, when its turn has come.

        Raises:
            VideoError: If it is no video, or is not read in time.
        """
        async with self._limits.wait_for_slot(client):
            process, _, reader, writer = await fork(
                worker_process.probe, path, LIMIT_S, name="vidagent-probe"
            )
            try:
                async with asyncio.timeout(LIMIT_S):
                    found = await receive(reader)
            except TimeoutError:
                raise VideoError(f"{path}: reading it takes more than {LIMIT_S:g} s") from None
            finally:
                process.kill()
                writer.close()
                await asyncio.to_thread(process.join)
        if isinstance(found, VideoInfo):
            return found
        raise found or VideoError(f"{path}: the process that read it has died, perhaps out of memory")
