"""Pictures as a short mp4 with a constant frame rate, for servers that take a video and choose frames themselves.

Such a server counts frames and divides by the frame rate, so that its times are right at a constant rate. Every
picture is a keyframe of high quality: details are not smoothed away between neighbours.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.images import jpeg

_QUALITY = {"crf": "14", "preset": "veryfast", "g": "1", "bf": "0"}
_TICKS = 90_000
"""Ticks a second of most video clocks; a step is a whole number of them, or a simpler fraction."""
_PIXELS = "yuv420p"
"""Colour at half resolution, as in the JPEGs. Full resolution would be closer to them (43.8 to 49.8 dB over four real
videos instead of 40.3 to 44.3), but hardware decoders refuse such H.264."""
_BT601, _LIMITED = 6, 1
"""SMPTE 170M and limited range, which decoders assume for files without the tags."""
_CACHED = 2


def encode(frames: Sequence[bytes], step_s: float) -> bytes:
    """Return an mp4 of JPEG pictures, the first at 0 s.

    Odd sizes are made even by repeating the last row or column. The same pictures give the same bytes, so that a
    server's cache recognises them.

    Args:
        frames: The pictures, all of one size.
        step_s: Seconds from one to the next.

    Raises:
        ValueError: If there is no picture, one is unreadable or of another size, or the step is not above 0.
    """
    if not frames:
        raise ValueError("a video has one picture or more, got none")
    step = Fraction(step_s).limit_denominator(_TICKS) if step_s > 0 else Fraction(0)
    if step <= 0:
        raise ValueError(f"the step from picture to picture is above 0 s, got {step_s}")
    return _encoded(tuple(frames), step)


@lru_cache(_CACHED)
def _encoded(frames: tuple[bytes, ...], step: Fraction) -> bytes:
    """Encode; the last two results are cached, as the planner is shown the same video in each of its turns."""
    pictures = [_even(jpeg.decode(frame)) for frame in frames]
    height, width, _ = pictures[0].shape
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=1 / step, options=_QUALITY)
        stream.width, stream.height, stream.pix_fmt = width, height, _PIXELS
        stream.codec_context.time_base = step
        stream.codec_context.colorspace, stream.codec_context.color_range = _BT601, _LIMITED
        for number, picture in enumerate(pictures):
            if picture.shape != pictures[0].shape:
                raise ValueError(
                    f"pictures of a video are of one size, got {picture.shape} and {pictures[0].shape}"
                )
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format=_PIXELS, dst_colorspace="ITU601", dst_color_range="MPEG")
            frame.pts, frame.time_base = number, step
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width, _ = picture.shape
    if height % 2 == width % 2 == 0:
        return picture
    wider = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.asarray(wider, np.uint8)
