"""What the cache folder holds, by kind, and clearing it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from vidagent import config
from vidagent.api.assemble import cache_folder
from vidagent.errors import UsageError
from vidagent.runs.folder import RunFolder, is_run_id, run_folder
from vidagent.runs.session_store import Sessions
from vidagent.text import counted
from vidagent.video.cache.video_cache import VideoCache

Kind = Literal["indexes", "frames", "runs", "sessions"]
"""Indexes of videos; frames that runs looked at; the rest of the runs; sessions."""
KINDS: tuple[Kind, ...] = get_args(Kind)

_MB = 1_000_000
_NOUNS: dict[Kind, str] = {"indexes": "video", "frames": "run", "runs": "run", "sessions": "session"}


@dataclass(frozen=True, slots=True)
class Holding:
    """What the cache holds of one kind.

    Args:
        kind: The kind.
        count: Videos with an index, runs with frames, runs, or sessions.
        bytes: Size of the files.
    """

    kind: Kind
    count: int
    bytes: int

    @property
    def words(self) -> str:
        """The count and the size in words."""
        return f"{counted(self.count, _NOUNS[self.kind])}, {self.bytes / _MB:,.1f} MB"


@dataclass(frozen=True, slots=True)
class CacheReport:
    """The cache folder and what it holds.

    Args:
        folder: The folder; it may not exist yet.
        holdings: One for each kind.
        library_bytes: Size of the library, which `clear_cache` leaves alone.
    """

    folder: Path
    holdings: tuple[Holding, ...]
    library_bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        held: dict[str, Any] = {one.kind: {"count": one.count, "bytes": one.bytes} for one in self.holdings}
        held["library"] = {"bytes": self.library_bytes}
        return {"folder": str(self.folder), "bytes": sum(one["bytes"] for one in held.values()), **held}

    def lines(self) -> list[str]:
        """Say it to people."""
        total = sum(one.bytes for one in self.holdings)
        return [
            f"{'folder':<9} {self.folder}",
            *(f"{one.kind:<9} {one.words}" for one in self.holdings),
            f"{'together':<9} {total / _MB:,.1f} MB; `vidagent cache clear` removes it",
            *([f"{'library':<9} {self.library_bytes / _MB:,.1f} MB, not cleared"] * (self.library_bytes > 0)),
        ]


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was removed of one kind, and what stayed as it is in use.

    Args:
        kind: The kind.
        removed: How many were removed.
        kept: How many were in use: a video or session being asked about, a run going on.
    """

    kind: Kind
    removed: int
    kept: int

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self)

    @property
    def words(self) -> str:
        """One line for people."""
        kept = f"; {self.kept:,} in use kept" if self.kept else ""
        return f"{self.kind:<9} {self.removed:,} removed{kept}"


def kinds_of(names: Sequence[str]) -> tuple[Kind, ...]:
    """Return the kinds of these names.

    Raises:
        UsageError: If there is none of a name.
    """
    if unknown := [name for name in names if name not in KINDS]:
        raise UsageError(f"the cache holds no {unknown[0]!r}; it holds {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in names)


def cache_report() -> CacheReport:
    """Return the location of the cache and its size by kind.

    Raises:
        UsageError: If it cannot be read.
    """
    cache = cache_folder(config.load())
    runs = list(_runs(cache))
    frames = [sum(map(_size, _frames(run))) for run in runs]
    whole = sum(_size(run.path) for run in runs)
    indexes = VideoCache(cache)
    holdings = (
        Holding("indexes", len(indexes.videos()), _size(indexes.folder)),
        Holding("frames", sum(1 for size in frames if size), sum(frames)),
        Holding("runs", len(runs), whole - sum(frames)),
        Holding("sessions", len(Sessions(cache).all()), _size(cache / "sessions")),
    )
    return CacheReport(cache, holdings, _size(cache / "library"))


def clear_cache(kinds: Sequence[Kind] = KINDS) -> list[Cleared]:
    """Remove what the cache holds of some kinds, except for what is in use.

    Args:
        kinds: The kinds; `runs` includes their frames.

    Raises:
        UsageError: If the cache cannot be read.
    """
    cache = cache_folder(config.load())
    removal = {
        "indexes": _clear_indexes,
        "frames": _clear_frames,
        "runs": _clear_runs,
        "sessions": _clear_sessions,
    }
    return [Cleared(kind, *removal[kind](cache)) for kind in KINDS if kind in kinds]


def _clear_indexes(cache: Path) -> tuple[int, int]:
    return VideoCache(cache).clear()


def _clear_frames(cache: Path) -> tuple[int, int]:
    return _each_idle([run for run in _runs(cache) if any(map(_size, _frames(run)))], _frames)


def _clear_runs(cache: Path) -> tuple[int, int]:
    return _each_idle(list(_runs(cache)), lambda run: [run.path])


def _each_idle(runs: Sequence[RunFolder], folders_of: Callable[[RunFolder], list[Path]]) -> tuple[int, int]:
    """Remove these folders of runs that do not go on; return how many runs were removed, and how many kept."""
    kept = 0
    for run in runs:
        if _is_running(run):
            kept += 1
            continue
        for folder in folders_of(run):
            shutil.rmtree(folder, ignore_errors=True)
    return len(runs) - kept, kept


def _clear_sessions(cache: Path) -> tuple[int, int]:
    sessions, kept = Sessions(cache), 0
    every = sessions.all()
    for session in every:
        try:
            sessions.delete(session.name)
        except UsageError:  # a question is being answered in it
            kept += 1
    return len(every) - kept, kept


def _runs(cache: Path) -> Iterator[RunFolder]:
    """Yield the folders of all runs, also of those that stopped before their first step."""
    try:
        names = sorted(path.name for path in (cache / "runs").iterdir())
    except OSError:
        return
    yield from (run_folder(cache, name) for name in names if is_run_id(name))


def _frames(run: RunFolder) -> list[Path]:
    """Return the folders of a run's frames: its own, and of several videos each one's."""
    return [folder for folder in run.path.rglob("frames") if folder.is_dir()]


def _is_running(run: RunFolder) -> bool:
    """Tell whether a process records the run now: it holds a lock on the trace, however that process may end."""
    try:
        file = os.open(run.trace, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _size(folder: Path) -> int:
    """Return the bytes of the files in a folder."""
    total = 0
    for above, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(above, name)).st_size  # noqa: PTH118 - of many files
            except OSError:  # removed meanwhile
                continue
    return total
