"""What is to be taken away, and where to: checked before a run begins, so that it cannot fail for that at its end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vidagent.errors import UsageError
from vidagent.video.index.subtitles import sidecars

StrPath = str | os.PathLike[str]
Kind = Literal[".csv", ".edl", ".jpg", ".json", ".mp4", ".png", ".srt", "folder"]
_SAME = {".jpeg": ".jpg"}
_REPORT = (".html", ".htm")
_LEGAL = "a file ending in .csv, .edl, .jpg, .json, .mp4, .png or .srt, or a folder"


@dataclass(frozen=True, slots=True)
class Export:
    """One file, or a folder of frames.

    Args:
        path: Where to.
        kind: What.
    """

    path: Path
    kind: Kind


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is to leave.

    Args:
        report: Where the report goes, if it is wanted.
        exports: The files.
        folder: Where the frames of the evidence and sheets of all that was looked at go, if they are wanted.
    """

    report: Path | None = None
    exports: tuple[Export, ...] = ()
    folder: Path | None = None

    def __bool__(self) -> bool:
        """Tell whether anything is wanted."""
        return self != Order()


def order(
    video: StrPath,
    report: StrPath | None = None,
    exports: StrPath | Sequence[StrPath] | None = None,
    folder: StrPath | None = None,
) -> Order:
    """Return what is to be taken away.

    Args:
        video: The video, which is not to be written over, and nor are its subtitles.
        report: Path of the report.
        exports: Paths, whose suffixes say what is wanted.
        folder: A folder for frames.

    Raises:
        UsageError: If a suffix is unknown, a path is named twice, or one cannot be written.
    """
    if exports is None or isinstance(exports, str | os.PathLike):
        exports = [] if exports is None else [exports]
    wanted = Order(
        None if report is None else _page(report),
        tuple(_export(path) for path in exports),
        None if folder is None else Path(folder),
    )
    if wanted.folder is not None:
        _check(wanted.folder, folder=True)
    for one in wanted.exports:
        _check(one.path, folder=one.kind == "folder")
    if wanted.report is not None:
        _check(wanted.report, folder=False)
    places = [one.path for one in wanted.exports] + ([wanted.report] if wanted.report else [])
    kept = _resolved([Path(video), *sidecars(Path(video))]) if places else set()
    for number, path in enumerate(places):
        if path.resolve() in kept:
            raise UsageError(f"{str(path)!r} is the video itself or its subtitles; give another path")
        if path.resolve() in _resolved(places[:number]):
            raise UsageError(f"{str(path)!r} is named twice; give each file its own path")
    return wanted


def _resolved(paths: Sequence[Path]) -> set[Path]:
    return {path.resolve() for path in paths if "\0" not in str(path)}


def _page(report: StrPath) -> Path:
    path = Path(report)
    if path.suffix.lower() not in _REPORT:
        raise UsageError(f"a report is a file ending in .html, got {os.fspath(report)!r}")
    return path


def _export(path: StrPath) -> Export:
    """Read the kind off a path: a folder is one that is there already, ends in a slash or has no suffix."""
    text, place = os.fspath(path), Path(path)
    suffix = place.suffix.lower()
    if text and (not suffix or text.endswith(("/", os.sep)) or place.is_dir()):
        return Export(place, "folder")
    for kind in get_args(Kind):
        if kind == _SAME.get(suffix, suffix):
            return Export(place, kind)
    raise UsageError(f"an export is {_LEGAL}; got {text!r}")


def _check(path: Path, *, folder: bool) -> None:
    """Try whether a file can be made there; a folder for frames is made when it is needed.

    Raises:
        UsageError: If not.
    """
    if "\0" in str(path):
        raise UsageError(f"{str(path)!r} is no path: it holds a null character")
    above = path if folder else path.parent
    try:
        if path.is_dir() and not folder:
            raise IsADirectoryError(0, "it is a folder")
        while folder and not above.exists():
            above = above.parent
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be written: {error.strerror or error}") from None
