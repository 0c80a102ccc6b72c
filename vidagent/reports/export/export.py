"""What was ordered of a run, made and written once it has ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.graphs.state import Run, State
from vidagent.reports.export.atomic_files import numbered, write
from vidagent.reports.export.clips import write_clip
from vidagent.reports.export.edl import edit_list
from vidagent.reports.export.export_request import Export, Order
from vidagent.reports.export.frames import keep, save_evidence, save_numbered
from vidagent.reports.export.tables import answer_json, rows, subtitles
from vidagent.reports.page.report_page import render
from vidagent.reports.run_report import Dossier, gather
from vidagent.types import Answer

_KB = 1000


@dataclass(frozen=True, slots=True)
class Delivered:
    """A file that was written, or why one was not.

    Args:
        path: The file.
        missing: What the answer lacks for it; None if it was written.
    """

    path: Path
    missing: str | None = None

    @property
    def text(self) -> str:
        """Say it on one line."""
        if self.missing is not None:
            return f"{self.path} is not written: {self.missing}"
        size = self.path.stat().st_size
        return f"{self.path}, {size / _KB:,.0f} kB" if size >= _KB else f"{self.path}, {size} bytes"


def take_away(order: Order, answer: Answer, state: State, run: Run) -> Answer:
    """Write what was ordered of a finished run; return the answer, with the paths of the frames that were saved.

    Clips and frames are written as far as the answer has any; the other files always, empty if need be.

    Raises:
        UsageError: If a file cannot be written.
        VideoError: If the video cannot be decoded again.
    """
    dossier = gather(answer, state, run)
    if order.folder is not None:
        dossier = dataclasses.replace(dossier, answer=keep(dossier, order.folder))
    for done in _delivered(order, dossier):
        run.tell("note" if done.missing else "saved", done.text, path=str(done.path))
    return dossier.answer


def _delivered(order: Order, dossier: Dossier) -> Iterator[Delivered]:
    """Write one file after the other, and tell of each once it is whole."""
    path = order.report or Path()
    try:
        if order.report is not None:
            yield Delivered(write(path, render(dossier).encode("utf-8", "backslashreplace")))
        for export in order.exports:
            path = export.path
            yield from _export(export, dossier)
    except OSError as error:
        again = f"; the answer is kept: --resume {dossier.answer.run_id} gives it without new cost"
        raise UsageError(f"{path} cannot be written: {error.strerror or error}{again}") from error


def _export(export: Export, dossier: Dossier) -> Iterator[Delivered]:
    answer, path = dossier.answer, export.path
    match export.kind:
        case ".json":
            yield Delivered(write(path, answer_json(answer)))
        case ".csv":
            yield Delivered(write(path, rows(answer)))
        case ".srt":
            yield Delivered(write(path, subtitles(answer)))
        case ".edl":
            yield Delivered(
                write(path, edit_list(answer, dossier.question.text).encode("utf-8", "backslashreplace"))
            )
        case ".mp4":
            yield from _clips(path, dossier)
        case ".jpg" | ".png":
            yield from _frames(path, save_numbered(dossier, path))
        case "folder":
            yield from _frames(path, save_evidence(dossier, path))


def _clips(path: Path, dossier: Dossier) -> Iterator[Delivered]:
    spans = sorted(dossier.answer.spans)
    if not spans:
        yield Delivered(path, "the answer has no place in the video")
    for span, place in zip(spans, numbered(path, len(spans)), strict=True):
        write_clip(dossier.video, span, place)
        yield Delivered(place)


def _frames(path: Path, saved: Sequence[Path | None]) -> Iterator[Delivered]:
    written = [Delivered(place) for place in saved if place is not None]
    yield from written or [Delivered(path, "no claim of the answer has a frame")]
