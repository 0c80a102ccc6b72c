"""The files that a run is to write, checked before it begins, so that a bad path does not fail it at the end."""

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
Kind = Literal[
    ".csv", ".edl", ".ffmetadata", ".jpg", ".json", ".md", ".mp4", ".png", ".srt", ".txt", "folder"
]
_SYNONYMS = {".jpeg": ".jpg"}
_REPORT_SUFFIXES = (".html", ".htm")
_LEGAL = "a file ending in .csv, .edl, .ffmetadata, .jpg, .json, .md, .mp4, .png, .srt or .txt, or a folder"


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file, or a folder of frames; `kind` is its suffix, or `folder`."""

    path: Path
    kind: Kind


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The files that a run is to write.

    Args:
        report: Path of the report, if any.
        exports: The exports.
        folder: Folder for the frames of the evidence and a contact sheet of each look, if any.
    """

    report: Path | None = None
    exports: tuple[ExportFile, ...] = ()
    folder: Path | None = None

    def __bool__(self) -> bool:
        """Tell whether any file is to be written."""
        return self != ExportRequest()


def export_request(
    video: StrPath,
    report: StrPath | None = None,
    exports: StrPath | Sequence[StrPath] | None = None,
    folder: StrPath | None = None,
) -> ExportRequest:
    """Check the paths of a report and exports.

    Args:
        video: The video, which must not be overwritten, nor its subtitles.
        report: Path of the report.
        exports: Paths, whose suffixes say what to write.
        folder: Folder for frames.

    Raises:
        UsageError: If a suffix is unknown, a path is named twice, or one cannot be written.
    """
    if exports is None or isinstance(exports, str | os.PathLike):
        exports = [] if exports is None else [exports]
    request = ExportRequest(
        None if report is None else _report_path(report),
        tuple(_export(path) for path in exports),
        None if folder is None else Path(folder),
    )
    if request.folder is not None:
        _check(request.folder, folder=True)
    for one in request.exports:
        _check(one.path, folder=one.kind == "folder")
    if request.report is not None:
        _check(request.report, folder=False)
    paths = [one.path for one in request.exports] + ([request.report] if request.report else [])
    sources = _resolved([Path(video), *sidecars(Path(video))]) if paths else set()
    for number, path in enumerate(paths):
        if path.resolve() in sources:
            raise UsageError(f"{str(path)!r} is the video itself or its subtitles; give another path")
        if path.resolve() in _resolved(paths[:number]):
            raise UsageError(f"{str(path)!r} is named twice; give each file its own path")
    return request


def _resolved(paths: Sequence[Path]) -> set[Path]:
    return {path.resolve() for path in paths if "\0" not in str(path)}


def _report_path(report: StrPath) -> Path:
    path = Path(report)
    if path.suffix.lower() not in _REPORT_SUFFIXES:
        raise UsageError(f"a report is a file ending in .html, got {os.fspath(report)!r}")
    return path


def _export(path: StrPath) -> ExportFile:
    """Return the kind of export of a path: a folder exists already, ends in a slash or has no suffix."""
    text, target = os.fspath(path), Path(path)
    suffix = target.suffix.lower()
    if text and (not suffix or text.endswith(("/", os.sep)) or target.is_dir()):
        return ExportFile(target, "folder")
    for kind in get_args(Kind):
        if kind == _SYNONYMS.get(suffix, suffix):
            return ExportFile(target, kind)
    raise UsageError(f"an export is {_LEGAL}; got {text!r}")


def _check(path: Path, *, folder: bool) -> None:
    """Check that a file can be created; a folder for frames is created when it is needed.

    Raises:
        UsageError: If it cannot.
    """
    if "\0" in str(path):
        raise UsageError(f"{str(path)!r} is not a path: it holds a null character")
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
