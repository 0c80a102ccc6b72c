"""Images for people: the frames of the evidence with their boxes, and thumbnails of a look."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidagent.errors import VideoError
from vidagent.graphs.evidence.ledger import Entry
from vidagent.images import jpeg, resize
from vidagent.images.box_drawing import draw_box
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore
from vidagent.reports.run_report import Finding, RunReport
from vidagent.types import Box

THUMB_PX = 192
_THUMB_QUALITY = 65


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small image of a look's frame; `found` tells whether something was seen in it."""

    still: ShownFrame
    jpeg: bytes
    size_wh: tuple[int, int]
    found: bool


def evidence_frame(
    report: RunReport, finding: Finding, max_side_px: int | None = None
) -> NDArray[np.uint8] | None:
    """Return the frame that shows a claim, with its box drawn; None if no frame was looked at for it.

    The whole frame is decoded again; if no time is left for that, or the video is gone, it is the frame as the model
    was shown it.
    """
    if finding.still is None:
        return None
    if report.may_decode:
        info = report.answer.video
        with contextlib.suppress(VideoError):
            rgb = report.video.frames_at([finding.time_s], max_side_px=max_side_px)[0].rgb
            return _boxed(rgb, finding.box_px, (0, 0, info.width, info.height))
    return _shown(report.store, finding.still, finding.box_px, max_side_px)


def thumbnails(report: RunReport, entry: Entry, most: int) -> list[Thumbnail]:
    """Return at most `most` thumbnails of a look in order of time; frames in which something was seen come first."""
    sightings = () if entry.observation is None else tuple(entry.observation.sightings)
    boxes: dict[ShownFrame, Box | None] = {}
    for sighting in sightings:
        still = entry.still_at(sighting.time_s)
        if still is not None and abs(still.time_s - sighting.time_s) < 1e-3:
            boxes[still] = entry.box_px(sighting)
    images = []
    for still in _chosen(entry.look.stills, set(boxes), most):
        rgb = _shown(report.store, still, boxes.get(still), THUMB_PX)
        if rgb is not None:
            size_wh = (rgb.shape[1], rgb.shape[0])
            images.append(Thumbnail(still, jpeg.encode(rgb, _THUMB_QUALITY), size_wh, still in boxes))
    return images


def stored_frame(store: FrameStore, still: ShownFrame) -> NDArray[np.uint8] | None:
    """Return the frame as the model was shown it; None if it is gone."""
    try:
        return jpeg.decode(store.get(still.ref))
    except (KeyError, ValueError):
        return None


def within(box_px: Box, part_px: Box, size_wh: tuple[int, int]) -> Box | None:
    """Return a source box in the pixels of an image that shows a part of the source; None if it lies outside."""
    x0, y0, x1, y1 = part_px
    across, down = size_wh[0] / (x1 - x0), size_wh[1] / (y1 - y0)
    left, right = (round((x - x0) * across) for x in (box_px[0], box_px[2]))
    top, bottom = (round((y - y0) * down) for y in (box_px[1], box_px[3]))
    left, top = max(0, left), max(0, top)
    right, bottom = min(size_wh[0], max(right, left + 1)), min(size_wh[1], max(bottom, top + 1))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _shown(
    store: FrameStore, still: ShownFrame, box_px: Box | None, max_side_px: int | None
) -> NDArray[np.uint8] | None:
    rgb = stored_frame(store, still)
    if rgb is None:
        return None
    return _boxed(rgb if max_side_px is None else resize.fit(rgb, max_side_px), box_px, still.box_px)


def _boxed(rgb: NDArray[np.uint8], box_px: Box | None, part_px: Box) -> NDArray[np.uint8]:
    """Draw a source box on an image, of any size, that shows a part of the source."""
    placed = None if box_px is None else within(box_px, part_px, (rgb.shape[1], rgb.shape[0]))
    return rgb if placed is None else draw_box(rgb, placed)


def _chosen(stills: Sequence[ShownFrame], first: set[ShownFrame], most: int) -> list[ShownFrame]:
    """Return the frames to show: those of `first`, and others evenly spread, in order."""
    first_shown = _spread([still for still in stills if still in first], most)
    others = _spread([still for still in stills if still not in first], most - len(first_shown))
    chosen = {*first_shown, *others}
    return [still for still in stills if still in chosen]


def _spread(stills: list[ShownFrame], most: int) -> list[ShownFrame]:
    if len(stills) <= most:
        return stills
    places = np.linspace(0, len(stills) - 1, most).round().astype(int)
    return [stills[place] for place in places]
