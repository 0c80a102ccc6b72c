"""Clips at the frame rates of cameras and broadcasts, and what a container says of its frames' times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.media.code import SIZE_WH, Code, draw_code

RATES = {
    "23.976": Fraction(24000, 1001),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "60": Fraction(60),
}
SECONDS = 30
_OPTIONS = {"crf": "23", "preset": "ultrafast", "bf": "2", "g": "120"}
_SOUND_HZ = 48000
_SOUND_SAMPLES = 1024


def encode(path: Path, rate: Fraction, late_frames: int = 0) -> Path:
    """Encode 30 seconds of pictures at a constant rate.

    Args:
        path: File to write.
        rate: Pictures a second; their times are exact multiples of its inverse.
        late_frames: So many pictures' time after the sound they begin; with 0 there is no sound.
    """
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options=_OPTIONS)
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = 1 / rate
        sound = out.add_stream("aac", rate=_SOUND_HZ, layout="mono") if late_frames else None
        if sound is not None:
            _write_silence(out, sound)
        for number in range(int(SECONDS * rate)):
            rgb = draw_code(Code(number, round(1000 * number / rate)))
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = late_frames + number, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def shown_times(path: Path) -> tuple[float, ...]:
    """Return the time of every picture on the player's clock, in order: its PTS minus the container's start."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        ticks = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        start_s = Fraction(container.start_time or 0, av.time_base)
        return tuple(float(tick * stream.time_base - start_s) for tick in ticks)


def _write_silence(out, sound) -> None:
    wave = np.zeros((1, _SOUND_SAMPLES), np.float32)
    for first in range(0, SECONDS * _SOUND_HZ, _SOUND_SAMPLES):
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _SOUND_HZ, first, Fraction(1, _SOUND_HZ)
        out.mux(sound.encode(frame))
    out.mux(sound.encode())
