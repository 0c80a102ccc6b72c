"""Tests of how a run's parts are put together and closed."""

import asyncio
import sqlite3

from vidagent.api.assemble import open_checkpoints
from vidagent.runs.folder import RunFolder

STEP = {"configurable": {"thread_id": "run", "checkpoint_ns": "", "checkpoint_id": "first"}}


async def leave_amid_a_save(folder, pauses):
    async with open_checkpoints(folder) as saver:
        await saver.setup()
        saving = asyncio.create_task(saver.aput_writes(STEP, [("channel", "value")], "task"))
        for _ in range(pauses):
            await asyncio.sleep(0.0001)
    return await asyncio.gather(saving, return_exceptions=True)


def test_checkpoints_closed_amid_a_save_are_not_locked(tmp_path):
    # LangGraph saves the errors of parallel steps in the background, and does not wait for the second one.
    for pauses in range(12):
        folder = RunFolder("run", tmp_path / str(pauses))
        folder.path.mkdir()
        asyncio.run(leave_amid_a_save(folder, pauses))
        with sqlite3.connect(folder.checkpoint, timeout=0) as database:
            database.execute("DELETE FROM writes")
