"""Writes the files that were requested of a run, once it has ended."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from vidagent.errors import UsageError
from vidagent.graphs.state import Run, State
from vidagent.reports.export.atomic_files import numbered, write
from vidagent.reports.export.chapters import chapter_list, chapters
from vidagent.reports.export.clips import write_clip
from vidagent.reports.export.edl import edit_list
from vidagent.reports.export.export_request import ExportFile, ExportRequest
from vidagent.reports.export.frames import save_evidence, save_frame_files, save_frames, with_frames
from vidagent.reports.export.markdown import markdown
from vidagent.reports.export.tables import answer_json, rows, subtitles
from vidagent.reports.page.report_page import render
from vidagent.reports.run_report import RunReport, collect_report
from vidagent.text import counted
from vidagent.types import Answer

_KB = 1000
_PICTURES = {".jpg", ".png", "folder"}
"""Kinds of exports that write the frames of the evidence."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was written, or what the answer lacks for it (`missing`)."""

    path: Path
    missing: str | None = None

    @property
    def text(self) -> str:
        """One line for people."""
        if self.missing is not None:
            return f"{self.path} is not written: {self.missing}"
        size = self.path.stat().st_size
        return (
            f"{self.path}, {size / _KB:,.0f} kB" if size >= _KB else f"{self.path}, {counted(size, 'byte')}"
        )


def write_exports(request: ExportRequest, answer: Answer, state: State, run: Run) -> Answer:
    """Write the files requested of a finished run; return the answer, with the paths of saved frames.

    Clips and frames are written if the answer has any; other files always, empty if need be.

    Raises:
        UsageError: If a file cannot be written.
        VideoError: If the video cannot be decoded again.
    """
    report = collect_report(answer, state, run)
    if request.folder is not None:
        report = dataclasses.replace(report, answer=save_frames(report, request.folder))
    frames = {one.path: _save(one, report) for one in request.exports if one.kind in _PICTURES}
    if request.folder is None:
        saved = {number: path for paths in frames.values() for number, path in paths.items()}
        report = dataclasses.replace(report, answer=with_frames(report.answer, saved))
    for file in _write_all(request, report, frames):
        run.tell("note" if file.missing else "saved", file.text, path=str(file.path))
    return report.answer


def _save(export: ExportFile, report: RunReport) -> dict[int, Path]:
    """Write frames before all else, as the other files name them; return them by the index of their claim."""
    with _writing(export.path, report):
        return (save_evidence if export.kind == "folder" else save_frame_files)(report, export.path)


def _write_all(
    request: ExportRequest, report: RunReport, frames: Mapping[Path, Mapping[int, Path]]
) -> Iterator[WrittenFile]:
    """Write one file after the other, and yield each when it is complete; `frames` are written already."""
    if request.report is not None:
        with _writing(request.report, report):
            page = render(report, _link(Path(report.answer.video.path), request.report.parent))
            yield WrittenFile(write(request.report, page.encode("utf-8", "backslashreplace")))
    for export in request.exports:
        if export.kind in _PICTURES:
            written = [WrittenFile(file) for file in frames[export.path].values()]
            yield from written or [WrittenFile(export.path, "no claim of the answer has a frame")]
            continue
        with _writing(export.path, report):
            yield from _export(export, report)


@contextmanager
def _writing(path: Path, report: RunReport) -> Iterator[None]:
    """Turn an error of the disk into one that names the file and says that the answer is not lost."""
    try:
        yield
    except OSError as error:
        again = f"; the answer is kept: --resume {report.answer.run_id} returns it at no cost"
        raise UsageError(f"{path} cannot be written: {error.strerror or error}{again}") from error


def _link(video: Path, folder: Path) -> str | None:
    """Return the address of a video from a folder, or None if it does not lie in it: a report tells no other path."""
    video, folder = video.resolve(), folder.resolve()
    return quote(os.fsencode(video.relative_to(folder))) if video.is_relative_to(folder) else None


def _export(export: ExportFile, report: RunReport) -> Iterator[WrittenFile]:
    answer, path = report.answer, export.path
    match export.kind:
        case ".json":
            yield WrittenFile(write(path, answer_json(answer)))
        case ".csv":
            yield WrittenFile(write(path, rows(answer)))
        case ".srt":
            yield WrittenFile(write(path, subtitles(answer)))
        case ".edl":
            yield WrittenFile(
                write(path, edit_list(answer, report.question.text).encode("utf-8", "backslashreplace"))
            )
        case ".ffmetadata":
            text = chapters(answer, report.question.text)
            yield WrittenFile(write(path, text.encode("utf-8", "backslashreplace")))
        case ".md":
            text = markdown(answer, report.question.text)
            yield WrittenFile(write(path, text.encode("utf-8", "backslashreplace")))
        case ".txt":
            yield WrittenFile(write(path, chapter_list(answer).encode("utf-8", "backslashreplace")))
        case ".mp4":
            yield from _clips(path, report)


def _clips(path: Path, report: RunReport) -> Iterator[WrittenFile]:
    spans = sorted(report.answer.spans)
    if not spans:
        yield WrittenFile(path, "the answer has no place in the video")
    for span, target in zip(spans, numbered(path, len(spans)), strict=True):
        write_clip(report.video, span, target)
        yield WrittenFile(target)
