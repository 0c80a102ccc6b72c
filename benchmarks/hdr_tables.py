"""Write the tables by which HDR10 and HLG are mapped to standard range, with libswscale's own mapping.

    python -m benchmarks.hdr_tables vidagent/video/decoders/hdr

libswscale maps a picture by the peak of its mastering display. It takes 4 s of a core to make its table, for each size
of picture, so that the package brings one for each kind, which FFmpeg's `lut3d` applies. The peak of HDR10 is 300 nits:
at 1,000, that of most mastering displays, a white of 203 nits (ITU-R BT.2408), which most of a film stays below, would
become a dark grey; at 203 all that is brighter would be lost. HLG, whose signal is relative, has libswscale's default.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy.typing import NDArray

POINTS = 25
DISPLAY = ":master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(3000000,1)"
"""BT.2020 primaries in units of 0.00002, D65, and a peak of 300 nits in units of 0.0001 (SMPTE ST 2086)."""
KINDS = {
    "pq": ("smpte2084", ColorTrc.SMPTE2084, DISPLAY),
    "hlg": ("arib-std-b67", ColorTrc.ARIB_STD_B67, ""),
}


def identity() -> NDArray[np.uint16]:
    """Return a picture of all colours of the table, red changing fastest, `(POINTS**2, POINTS, 3)` of 10 bits."""
    levels = np.round(np.linspace(0, 1023, POINTS)).astype(np.uint16)
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")
    return np.stack([red, green, blue], -1).reshape(POINTS * POINTS, POINTS, 3)


def tagged(picture: NDArray[np.uint16], transfer: str, display: str) -> av.VideoFrame:
    """Return a picture as a frame with the tags of a mastering display, which only a decoder can attach."""
    buffer, coded = io.BytesIO(), "lossless=1:repeat-headers=1:log-level=none"
    params = f"{coded}:colorprim=bt2020:transfer={transfer}:colormatrix=gbr:range=full{display}"
    height, width = 640, 64
    padded = np.zeros((height, width, 3), np.uint16)
    padded[: picture.shape[0], : picture.shape[1]] = picture
    with av.open(buffer, "w", format="matroska") as out:
        stream = out.add_stream("libx265", rate=25, options={"x265-params": params, "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "gbrp10le"
        frame = av.VideoFrame(width, height, "gbrp10le")
        for plane, channel in zip(frame.planes, (1, 2, 0), strict=True):
            rows = np.zeros((height, plane.line_size // 2), "<u2")
            rows[:, :width] = padded[:, :, channel]
            plane.update(rows.tobytes())
        out.mux([*stream.encode(frame), *stream.encode(None)])
    buffer.seek(0)
    with av.open(buffer) as given:
        return next(given.decode(video=0))


def main() -> None:
    """Write a `.cube` file for each kind into the folder named on the command line."""
    for name, (transfer, code, display) in KINDS.items():
        frame = tagged(identity(), transfer, display)
        frame.color_trc, frame.color_primaries = code, ColorPrimaries.BT2020
        mapped = frame.reformat(
            format="gbrp16le", dst_color_trc=ColorTrc.BT709, dst_color_primaries=ColorPrimaries.BT709
        )
        planes = [np.frombuffer(plane, "<u2").reshape(frame.height, -1) for plane in mapped.planes]
        rgb = np.stack([planes[2], planes[0], planes[1]], -1)[: POINTS * POINTS, :POINTS].reshape(-1, 3)
        lines = (" ".join(f"{value / 65535:.4g}" for value in row) for row in rgb)
        text = "\n".join([f"LUT_3D_SIZE {POINTS}", *lines, ""])
        (Path(sys.argv[1]) / f"{name}.cube").write_text(text)


if __name__ == "__main__":
    main()
