"""What was ordered of a run, made and written once it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.images import jpeg, png
from vidagent.reports.clips import write_clip
from vidagent.reports.dossier import Dossier
from vidagent.reports.edl import edit_list
from vidagent.reports.files import numbered, write
from vidagent.reports.order import Export, Order
from vidagent.reports.page import render
from vidagent.reports.photos import photo
from vidagent.reports.tables import answer_json, rows, subtitles

__all__ = ["deliver"]


def deliver(order: Order, dossier: Dossier) -> Iterator[Path]:
    """Write what was ordered, and yield the path of each file once it is whole.

    A clip or a frame that the answer has none of is not written; the other files are, empty if need be.

    Raises:
        UsageError: If a file cannot be written.
        VideoError: If the video cannot be decoded again.
    """
    path = order.report or Path()
    try:
        if order.report is not None:
            yield write(path, render(dossier).encode("utf-8"))
        for export in order.exports:
            path = export.path
            yield from _export(export, dossier)
    except OSError as error:
        again = f"; the answer is kept: --resume {dossier.answer.run_id} gives it without new cost"
        raise UsageError(f"{path} cannot be written: {error.strerror or error}{again}") from error


def _export(export: Export, dossier: Dossier) -> Iterator[Path]:
    answer, path = dossier.answer, export.path
    match export.kind:
        case ".json":
            yield write(path, answer_json(answer))
        case ".csv":
            yield write(path, rows(answer))
        case ".srt":
            yield write(path, subtitles(answer))
        case ".edl":
            yield write(path, edit_list(answer, dossier.question.text).encode("utf-8"))
        case ".mp4":
            yield from _clips(path, dossier)
        case _:
            yield from _frames(export, dossier)


def _clips(path: Path, dossier: Dossier) -> Iterator[Path]:
    spans = sorted(dossier.answer.spans)
    for span, place in zip(spans, numbered(path, len(spans)), strict=True):
        write_clip(dossier.video, span, place)
        yield place


def _frames(export: Export, dossier: Dossier) -> Iterator[Path]:
    """Write the frames of the claims that stood up, whole and with their boxes."""
    kept = [item for item in dossier.findings if item.verdict != "unsupported" and item.still is not None]
    if export.kind == "folder":
        export.path.mkdir(parents=True, exist_ok=True)
        places = [
            export.path / f"evidence-{number}-{item.time_s:.3f}s.jpg" for number, item in enumerate(kept, 1)
        ]
    else:
        places = numbered(export.path, len(kept))
    for item, place in zip(kept, places, strict=True):
        rgb = photo(dossier, item)
        if rgb is not None:
            yield write(place, png.encode(rgb) if export.kind == ".png" else jpeg.encode(rgb))
