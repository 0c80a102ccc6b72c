"""Writes the files that were requested of a run, once it has ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.graphs.state import Run, State
from vidagent.reports.export.atomic_files import numbered, write
from vidagent.reports.export.chapters import chapters
from vidagent.reports.export.clips import write_clip
from vidagent.reports.export.edl import edit_list
from vidagent.reports.export.export_request import ExportFile, ExportRequest
from vidagent.reports.export.frames import save_evidence, save_frame_files, save_frames
from vidagent.reports.export.tables import answer_json, rows, subtitles
from vidagent.reports.page.report_page import render
from vidagent.reports.run_report import RunReport, collect_report
from vidagent.text import counted
from vidagent.types import Answer

_KB = 1000


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
    for file in _write_all(request, report):
        run.tell("note" if file.missing else "saved", file.text, path=str(file.path))
    return report.answer


def _write_all(request: ExportRequest, report: RunReport) -> Iterator[WrittenFile]:
    """Write one file after the other, and yield each when it is complete."""
    path = request.report or Path()
    try:
        if request.report is not None:
            yield WrittenFile(write(path, render(report).encode("utf-8", "backslashreplace")))
        for export in request.exports:
            path = export.path
            yield from _export(export, report)
    except OSError as error:
        again = f"; the answer is kept: --resume {report.answer.run_id} returns it at no cost"
        raise UsageError(f"{path} cannot be written: {error.strerror or error}{again}") from error


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
        case ".mp4":
            yield from _clips(path, report)
        case ".jpg" | ".png":
            yield from _frames(path, save_frame_files(report, path))
        case "folder":
            yield from _frames(path, save_evidence(report, path))


def _clips(path: Path, report: RunReport) -> Iterator[WrittenFile]:
    spans = sorted(report.answer.spans)
    if not spans:
        yield WrittenFile(path, "the answer has no place in the video")
    for span, target in zip(spans, numbered(path, len(spans)), strict=True):
        write_clip(report.video, span, target)
        yield WrittenFile(target)


def _frames(path: Path, saved: Sequence[Path | None]) -> Iterator[WrittenFile]:
    written = [WrittenFile(file) for file in saved if file is not None]
    yield from written or [WrittenFile(path, "no claim of the answer has a frame")]
