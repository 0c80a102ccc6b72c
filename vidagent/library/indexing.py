"""Indexing: the videos that are due are read side by side, each decoded in a process of its own, and stored here."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from vidagent.config import Settings
from vidagent.errors import VidagentError
from vidagent.library.catalog import Catalog, Due
from vidagent.library.contents import Contents, Depth, Reading
from vidagent.library.vectors import measure_means


@dataclass(frozen=True, slots=True)
class VideoDone:
    """A video that was read, or could not be.

    Args:
        path: The file.
        error: Why it could not be read, or None.
    """

    path: Path
    error: str | None = None


Done = Callable[[VideoDone], None]


def index_here(catalog: Catalog, settings: Settings, depth: Depth, workers: int, done: Done) -> None:
    """Read all videos that are due on this machine, those that are added meanwhile too.

    Each is stored as soon as it is read, so that a run that is killed loses only those under way, whose indexes are
    cached part by part.
    """
    running: dict[Future[Contents], tuple[Due, Reading]] = {}
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                under_way = [due.id for due, _ in running.values()]
                for due in catalog.due(workers - len(running), under_way):
                    catalog.begin(due)
                    reading = Reading(due.path, settings, depth)
                    running[pool.submit(reading.contents)] = (due, reading)
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    due, _ = running.pop(future)
                    take_in(catalog, due, depth, future.exception() or future.result(), done)
        finally:
            for _, reading in running.values():
                reading.stop()
    measure_means(catalog.database)


def take_in(catalog: Catalog, due: Due, depth: Depth, found: Contents | BaseException, done: Done) -> None:
    """Store what was found in a video, or why it could not be read.

    Raises:
        BaseException: An error that is no fault of the video or of a server.
    """
    if isinstance(found, VidagentError):
        catalog.fail(due, str(found))
        done(VideoDone(due.path, str(found)))
        return
    if isinstance(found, BaseException):
        raise found
    catalog.store(due, found, depth)
    done(VideoDone(due.path))
