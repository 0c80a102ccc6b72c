"""A picture shown to a model: when it is, which part of the frame it shows, and where its bytes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidagent.types import Box


@dataclass(frozen=True, slots=True)
class Still:
    """One picture, without its pixels.

    Args:
        time_s: Time of the frame on the player's clock.
        ref: Reference of the JPEG in the frame store.
        size_wh: Size of the JPEG.
        box_px: The part of the source picture it shows; the whole source for an uncropped frame.
    """

    time_s: float
    ref: str
    size_wh: tuple[int, int]
    box_px: Box

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values that `from_dict` reads back."""
        return {
            "time_s": self.time_s,
            "ref": self.ref,
            "size_wh": list(self.size_wh),
            "box_px": list(self.box_px),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Still:
        """Read what `to_dict` gave, also after a turn through JSON."""
        width, height = data["size_wh"]
        x0, y0, x1, y1 = data["box_px"]
        return cls(float(data["time_s"]), str(data["ref"]), (width, height), (x0, y0, x1, y1))
