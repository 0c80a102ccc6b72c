"""Speech of espeak-ng with the time at which each word begins, as its library reports them."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.int16]
_RETRIEVAL, _CHARACTERS, _UTF8 = 1, 1, 1
_RATE_PARAMETER = 1
_END, _WORD = 0, 1
"""Of `espeak_EVENT_TYPE` in speak_lib.h."""


class _Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Said:
    """Speech of one text.

    Args:
        samples: The sound, `(samples,)`.
        rate: Samples in a second.
        words: Each word with the second at which it begins.
    """

    samples: Sound
    rate: int
    words: tuple[tuple[float, str], ...]

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Talk:
    """Texts spoken one after the other, with silence around them: sound from -1 to 1 and the words, as in `Said`."""

    samples: NDArray[np.float32]
    rate: int
    words: tuple[tuple[float, str], ...]


def is_here() -> bool:
    """Tell whether the library of espeak-ng is installed."""
    return ctypes.util.find_library("espeak-ng") is not None


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL(ctypes.util.find_library("espeak-ng"))
    return library, library.espeak_Initialize(_RETRIEVAL, 0, None, 0)


def say(text: str, voice: str = "en-us", words_a_minute: int = 150) -> Said:
    """Speak a text."""
    library, rate = _library()
    parts: list[Sound] = []
    words: list[tuple[float, str]] = []
    data = text.encode()

    def take(wav: object, count: int, events: object) -> int:
        if wav:
            parts.append(np.ctypeslib.as_array(wav, (count,)).copy())
        for event in _until_end(events):
            if event.type == _WORD:
                first = event.text_position - 1
                words.append((event.audio_position / 1000, text[first : first + event.length]))
        return 0

    callback = _CALLBACK(take)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(voice.encode())
    library.espeak_SetParameter(_RATE_PARAMETER, words_a_minute, 0)
    library.espeak_Synth(data, len(data) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    return Said(np.concatenate(parts), rate, tuple(words))


def _until_end(events: object) -> Iterator[_Event]:
    place = 0
    while events[place].type != _END:
        yield events[place]
        place += 1


def talk(
    texts: Sequence[str],
    *,
    voice: str = "en-us",
    words_a_minute: int = 150,
    lead_s: float = 1.5,
    gap_s: float = 1.0,
) -> Talk:
    """Speak texts: the first after `lead_s`, each followed by a silence of `gap_s`."""
    parts, words, at_s = [], [], lead_s
    for text in texts:
        said = say(text, voice, words_a_minute)
        parts += [said.samples, np.zeros(round(gap_s * said.rate), np.int16)]
        words += [(at_s + time_s, word) for time_s, word in said.words]
        at_s += said.seconds + gap_s
    samples = np.concatenate([np.zeros(round(lead_s * said.rate), np.int16), *parts])
    return Talk((samples / 32768).astype(np.float32), said.rate, tuple(words))
