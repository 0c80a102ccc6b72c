"""Frames for people: those of the evidence with their boxes, and sheets of all that was looked at."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.graphs.ledger import Entry
from vidagent.graphs.state import Run, State
from vidagent.images import jpeg
from vidagent.images.mark import draw_box
from vidagent.images.sheet import contact_sheet
from vidagent.images.store import FrameStore
from vidagent.types import Answer, Evidence
from vidagent.video.clock import format_time

__all__ = ["keep"]

_MOST_ON_SHEET = 48


def keep(answer: Answer, state: State, run: Run, folder: Path) -> Answer:
    """Write the frames of the evidence and a contact sheet of each look; return the answer with their paths.

    Raises:
        UsageError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        evidence = tuple(
            _keep_evidence(item, number, run, folder, whole=answer.budget.ended_by != "seconds")
            for number, item in enumerate(answer.evidence, 1)
        )
        for entry in (Entry.from_dict(entry) for entry in state.get("ledger", [])):
            _keep_sheet(entry, run.store, folder)
    except OSError as error:
        raise UsageError(f"the frames cannot be saved in {folder}: {error.strerror or error}") from error
    return dataclasses.replace(answer, evidence=evidence)


def _keep_evidence(item: Evidence, number: int, run: Run, folder: Path, *, whole: bool) -> Evidence:
    """Save the whole frame at the video's size, so that the box in source pixels fits it.

    When there is no time left to decode it, the picture that the model was shown is saved instead.
    """
    if item.frame is None:
        return item
    path = folder / f"evidence-{number}-{item.time_s:.3f}s.jpg"
    if whole:
        rgb = run.video.frames_at([item.time_s])[0].rgb
        path.write_bytes(jpeg.encode(rgb if item.box_px is None else draw_box(rgb, item.box_px)))
    else:
        path.write_bytes(Path(item.frame).read_bytes())
    return dataclasses.replace(item, frame=str(path))


def _keep_sheet(entry: Entry, store: FrameStore, folder: Path) -> None:
    stills = entry.look.stills[:_MOST_ON_SHEET]
    if not stills:
        return
    pictures = [jpeg.decode(store.get(still.ref)) for still in stills]
    labels = [format_time(still.time_s) for still in stills]
    sheet = contact_sheet(pictures, labels, columns=6, cell_px=320)
    (folder / f"look-{entry.id}-{entry.look.tool}.jpg").write_bytes(jpeg.encode(sheet))
