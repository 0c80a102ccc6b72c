"""Sound on the clock of a video's pictures, 16 kHz mono: what is done with samples once they are decoded."""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
MOST_S = 900.0
"""Longest stretch read at once: 29 MB of samples."""
_HUSH_S = 0.1
Samples = NDArray[np.int16]


def quietest(samples: Samples, first: int) -> int:
    """Return the sample in the middle of the quietest tenth of a second from sample `first` on."""
    step = round(_HUSH_S * RATE)
    count = (len(samples) - first) // step
    if count < 1:
        return len(samples)
    parts = samples[first : first + count * step].astype(np.float32).reshape(count, step)
    return first + int(np.argmin((parts**2).mean(axis=1))) * step + step // 2


def wav(samples: Samples) -> bytes:
    """Return samples as a WAV file."""
    held = io.BytesIO()
    with wave.open(held, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())
    return held.getvalue()
