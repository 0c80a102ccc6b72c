"""Decoded sound of a video, 16 kHz mono, on the player's clock."""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
MOST_S = 900.0
"""Longest range read at once: 29 MB of samples."""
_WINDOW_S = 0.1
Samples = NDArray[np.int16]


def quietest(samples: Samples, first: int) -> int:
    """Return the index of the middle of the quietest tenth of a second from sample `first` on."""
    step = round(_WINDOW_S * RATE)
    count = (len(samples) - first) // step
    if count < 1:
        return len(samples)
    parts = samples[first : first + count * step].astype(np.float32).reshape(count, step)
    return first + int(np.argmin((parts**2).mean(axis=1))) * step + step // 2


def wav(samples: Samples) -> bytes:
    """Encode samples as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()
