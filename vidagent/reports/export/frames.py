"""Exported frames: those of the evidence with their boxes, and a contact sheet of each look."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
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
    evidence = tuple(
        item if path is None else dataclasses.replace(item, frame=str(path))
        for item, path in zip(report.answer.evidence, paths, strict=True)
    )
    return dataclasses.replace(report.answer, evidence=evidence)


def save_evidence(report: RunReport, folder: Path) -> list[Path | None]:
    """Write the frame of each claim of the answer into a folder, at the video's size; None if it has no frame."""
    findings = report.evidence
    if any(item.still is not None for item in findings):
        folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"evidence-{number}-{item.time_s:.3f}s.jpg" for number, item in enumerate(findings, 1)]
    return _save(report, findings, paths)


def save_frame_files(report: RunReport, path: Path) -> list[Path]:
    """Write the same frames as JPEG or PNG files of that name, numbered if there are several."""
    findings = [item for item in report.evidence if item.still is not None]
    paths = numbered(path, len(findings))
    return [saved for saved in _save(report, findings, paths) if saved is not None]


def _save(report: RunReport, findings: Sequence[Finding], paths: Sequence[Path]) -> list[Path | None]:
    return [_save_one(report, finding, path) for finding, path in zip(findings, paths, strict=True)]


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
