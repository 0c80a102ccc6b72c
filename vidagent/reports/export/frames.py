"""Exported frames: those of the evidence with their boxes, and a contact sheet of each look."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.graphs.evidence.ledger import Entry
from vidagent.images import jpeg, png
from vidagent.images.sheet import contact_sheet
from vidagent.images.store import FrameStore
from vidagent.reports.export.atomic_files import numbered, write
from vidagent.reports.page.frame_images import evidence_frame, stored_frame
from vidagent.reports.run_report import Finding, RunReport
from vidagent.types import Answer
from vidagent.video.clock import format_time

_MAX_ON_SHEET = 48


def save_frames(report: RunReport, folder: Path) -> Answer:
    """Write the frames of the evidence and a contact sheet of each look; return the answer with their paths.

    Raises:
        UsageError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = save_evidence(report, folder)
        for entry in report.entries:
            _save_sheet(entry, report.store, folder)
    except OSError as error:
        raise UsageError(f"the frames cannot be saved in {folder}: {error.strerror or error}") from error
    return with_frames(report.answer, paths)


def with_frames(answer: Answer, paths: Mapping[int, Path]) -> Answer:
    """Return the answer with these paths as the frames of its claims, by their index in `evidence`, and of its data."""
    evidence = tuple(
        dataclasses.replace(item, frame=str(paths[number])) if number in paths else item
        for number, item in enumerate(answer.evidence)
    )
    moved = {old.frame: new.frame for old, new in zip(answer.evidence, evidence, strict=True)}
    fields = None
    if answer.fields is not None:
        fields = tuple(
            dataclasses.replace(one, frame=moved.get(one.frame, one.frame)) for one in answer.fields
        )
    return dataclasses.replace(answer, evidence=evidence, fields=fields)


def save_evidence(report: RunReport, folder: Path) -> dict[int, Path]:
    """Write the frame of each claim of the answer into a folder, at the video's size.

    Returns:
        The paths by the claims' index in the answer's `evidence`; a claim without a frame has none.
    """
    findings = report.evidence
    if any(item.still is not None for item in findings):
        folder.mkdir(parents=True, exist_ok=True)
    return _save(
        report,
        {n: folder / f"evidence-{n + 1}-{item.time_s:.3f}s.jpg" for n, item in enumerate(findings)},
    )


def save_frame_files(report: RunReport, path: Path) -> dict[int, Path]:
    """Write the same frames as JPEG or PNG files of that name, numbered if there are several."""
    shown = [number for number, item in enumerate(report.evidence) if item.still is not None]
    return _save(report, dict(zip(shown, numbered(path, len(shown)), strict=True)))


def _save(report: RunReport, paths: Mapping[int, Path]) -> dict[int, Path]:
    saved = {number: _save_one(report, report.evidence[number], path) for number, path in paths.items()}
    return {number: path for number, path in saved.items() if path is not None}


def _save_one(report: RunReport, finding: Finding, path: Path) -> Path | None:
    rgb = evidence_frame(report, finding)
    if rgb is None:
        return None
    return write(path, png.encode(rgb) if path.suffix.lower() == ".png" else jpeg.encode(rgb))


def _save_sheet(entry: Entry, store: FrameStore, folder: Path) -> None:
    stills = entry.look.stills[:_MAX_ON_SHEET]
    shown = [
        (rgb, format_time(still.time_s))
        for still in stills
        if (rgb := stored_frame(store, still)) is not None
    ]
    if shown:
        pictures, labels = zip(*shown, strict=True)
        sheet = contact_sheet(pictures, labels, columns=6, cell_px=320)
        write(folder / f"look-{entry.id}-{entry.look.tool}.jpg", jpeg.encode(sheet))
