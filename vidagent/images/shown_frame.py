"""A frame as a model is shown it: its time, its JPEG, and which part of the source picture that is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from vidagent.images import jpeg
from vidagent.types import Box


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """One picture: the same value from the tool that took it to the request in which it is sent.

    Args:
        time_s: Time of the frame on the player's clock.
        ref: sha256 of the JPEG, which is its reference in the frame store.
        size_wh: Size of the JPEG.
        box_px: The part of the source picture it shows; the whole source for an uncropped frame.
        cropped: Whether it shows only a part of the source picture.
        jpeg: The JPEG; empty after the ledger, until `FrameStore.load` reads it again.
        cells_s: For a grid of several frames, their times, row by row; empty for a single frame.
    """

    time_s: float
    ref: str
    size_wh: tuple[int, int]
    box_px: Box
    cropped: bool = False
    jpeg: Annotated[bytes, Field(exclude=True)] = field(default=b"", repr=False, compare=False)
    cells_s: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, time_s: float, data: bytes, box_px: Box | None = None, size_wh: tuple[int, int] | None = None
    ) -> ShownFrame:
        """Return the frame in a JPEG that is in no store.

        Args:
            time_s: Its time.
            data: The JPEG.
            box_px: The part of the source picture it shows; None if all of it.
            size_wh: Size of the JPEG, where it is known; else its header is read.

        Raises:
            ValueError: If the size is not given and the bytes are not a JPEG.
        """
        size_wh = size_wh or jpeg.size_wh(data)
        ref = hashlib.sha256(data).hexdigest()
        return cls(time_s, ref, size_wh, box_px or (0, 0, *size_wh), box_px is not None, data)
