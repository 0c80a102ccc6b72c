"""Indexing: the videos that are due are read side by side, each decoded in a process of its own, and stored here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vidagent.config import Settings
from vidagent.errors import VidagentError, VideoError
from vidagent.library.catalog import Catalog, Due
from vidagent.library.contents import Contents, Depth, Reading
from vidagent.library.vectors import measure_means
from vidagent.ray_cluster import Job, Tasks, connected, workers_of
from vidagent.text import counted

_RETRY_S = 0.05


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
Doing = Callable[[Path, str, float], None]
"""Takes a video, what is being done with it, such as `indexing`, and the fraction done; called in other threads."""


def index_alone(catalog: Catalog, index: Callable[[], None]) -> int | None:
    """Index as the only process; once more if another one has left videos to this one before it let go of the lock.

    Returns:
        The process that indexes instead, or None.
    """
    while True:
        with catalog.indexing() as is_ours:
            if is_ours:
                index()
        if is_ours and not catalog.due_count():
            return None
        if not is_ours and (indexer := catalog.indexer()) is not None:
            return indexer
        if not is_ours:  # it has just ended, or has only looked whether one indexes
            time.sleep(_RETRY_S)


def index_here(
    catalog: Catalog, settings: Settings, depth: Depth, workers: int, done: Done, doing: Doing | None = None
) -> None:
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
                    tell = None if doing is None else partial(doing, due.path)
                    reading = Reading(due.path, settings, depth, tell)
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


def index_on_ray(
    catalog: Catalog,
    settings: Settings,
    depth: Depth,
    address: str,
    workers: int | None,
    done: Done,
    on_note: Callable[[str], None] | None,
) -> None:
    """Read all videos that are due on a Ray cluster, whose nodes see the files under the same paths.

    Workers send what they find to this process, which alone stores it; a video whose worker is lost is given out again.

    Args:
        catalog: The library.
        settings: Those of all workers, keys included.
        depth: What is looked for.
        address: The cluster's address, or `auto`.
        workers: Most videos at once; None is one for each CPU of the cluster.
        done: Takes each video that was read, or could not be.
        on_note: Takes what happens, for people.

    Raises:
        UsageError: If Ray is not installed, or there is no such cluster.
    """
    given_out: dict[int, Due] = {}
    tell = on_note or (lambda _: None)

    def take() -> list[Due]:
        found = catalog.due(1, list(given_out))
        for due in found:
            catalog.begin(due)
            given_out[due.id] = due
        return found

    def keep(result: _Result) -> None:
        number, found = result
        take_in(catalog, given_out.pop(number), depth, found, done)

    with connected(address) as ray:
        most = workers_of(ray, workers)
        tell(f"Ray cluster of {counted(len(ray.nodes()), 'node')}, {counted(most, 'video')} at once")
        job = Job(
            work=_read_in_worker,
            setup=(settings, depth),
            take=take,
            key_of=lambda due: due.id,
            key_in=lambda result: result[0],
            failed=lambda due, error: (due.id, VideoError(f"{due.path}: {error}")),
            keep=keep,
            tell=tell,
            noun="video",
        )
        Tasks(ray, job).run(most)
    measure_means(catalog.database)


_Result = tuple[int, Contents | VidagentError]
"""The id of a video, and what was found in it."""


def _read_in_worker(videos: list[Due], setup: tuple[Settings, Depth]) -> Iterator[_Result]:
    """Read videos in a worker's process and yield what was found in each."""
    settings, depth = setup
    for due in videos:
        try:
            yield due.id, Reading(due.path, settings, depth).contents()
        except VidagentError as error:
            yield due.id, error


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
