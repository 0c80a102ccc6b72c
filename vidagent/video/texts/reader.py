"""Text in an image: the lines that rapidocr reads, their boxes, and their grouping into paragraphs."""

from __future__ import annotations

import hashlib
import math
import re
import threading
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vidagent.types import Box
from vidagent.video.texts.presence import same_picture

if TYPE_CHECKING:
    from rapidocr import RapidOCR

_SETTINGS: Final[dict[str, Any]] = {
    "Global.log_level": "critical",
    "Global.use_cls": False,
    "Det.limit_type": "max",
    "Det.limit_side_len": 736,
    "Rec.rec_batch_num": 1,
    "Rec.rec_img_shape": [3, 48, 96],
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
}
"""Settings that differ from the defaults of rapidocr 3.10, measured on two 2.x GHz cores.

Detection scales *down* to 736 on the long side instead of *up* to 736 on the short one: 640x360 takes 145 ms instead
of 490, 1280x720 185 ms instead of 520, with equal accuracy: of words 9 to 130 px high over photographs at 1280x720,
80 of 90 against 79 (scaled down to 640: 74, to 480: 57); at 640x360 and 7 to 90 px, 117 of 126 against 112.
Recognition runs line by line, padded only to twice the height: the 37 lines of a file chooser take 390 ms in all
instead of 540. Box thresholds, dilation and the memory arena change nothing or lose lines. The angle classifier is only
for upside-down scans.

One thread costs the least CPU: on a busy machine seven frames of screens and roads take 5.2 s of CPU and 23 s with one
thread; with two 8.4 s of CPU and 37 s, as idle threads spin, and without spinning (`allow_spinning`) 6.1 and 28 s.
"""

_DETECTED_PIXELS: Final = 736 * 414
"""Detection scales a picture down to this size at most, so that a strip of a large picture keeps its small text."""
_SMALL_SIDE: Final = 320
"""Smaller images are enlarged to this side: of words 6 px high with a margin of 40 px, 13 of 18 are read instead of 8;
beyond 320 there is no gain and the time doubles."""
_MAX_ENLARGEMENT: Final = 4.0

_MAX_RECENT: Final = 8

_MIN_LONE_SCORE: Final = 0.9
"""A single character with a lower score is more often texture than text (table legs, window frames)."""

_DOTS = re.compile(r"\.{3,}")


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text as read.

    Args:
        text: The text, in Unicode NFKC form.
        box: Upright bounding box, in pixels of the image.
        score: OCR confidence, from 0.5 to 1.
    """

    text: str
    box: Box
    score: float

    @property
    def height(self) -> int:
        """Height of the box in pixels."""
        return self.box[3] - self.box[1]


class TextReader:
    """Reads text with the models in rapidocr's wheel: no download, no network.

    Thread-safe. Readings are cached by image content, and an image that looks the same as one of the last few reuses
    its reading.

    Args:
        remembered: Maximum number of cached readings.
    """

    def __init__(self, *, remembered: int = 1024) -> None:
        """Create an empty cache; the first reading loads the models (about 0.5 s)."""
        self._remembered = remembered
        self._readings: OrderedDict[bytes, tuple[TextLine, ...]] = OrderedDict()
        self._recent: deque[tuple[NDArray[np.uint8], tuple[TextLine, ...]]] = deque(maxlen=_MAX_RECENT)
        self._engine: RapidOCR | None = None
        self._memory_lock = threading.Lock()
        self._engine_lock = threading.Lock()

    def read(self, rgb: NDArray[np.uint8]) -> list[TextLine]:
        """Read all text of an image.

        Args:
            rgb: Image, `(H, W, 3)`.

        Returns:
            The lines in reading order: from top to bottom, within a row from left to right.
        """
        key = hashlib.blake2b(rgb.tobytes(), key=repr(rgb.shape).encode(), digest_size=16).digest()
        known = self._recall(key)
        if known is None:
            with self._engine_lock:
                known = self._recall(key)
                if known is None:
                    known = self._read_or_reuse(rgb)
                    self._remember(key, known)
        return list(known)

    def read_line(self, rgb: NDArray[np.uint8]) -> tuple[str, float]:
        """Read a picture that shows one line of text, `(H, W, 3)`; return the text and the score of the reading."""
        with self._engine_lock:
            if self._engine is None:
                self._engine = _load()
            result: Any = self._engine(np.ascontiguousarray(rgb[:, :, ::-1]), use_det=False)
        if not getattr(result, "txts", None):
            return "", 0.0
        return _clean(result.txts[0]), float(result.scores[0])

    def _read_or_reuse(self, rgb: NDArray[np.uint8]) -> tuple[TextLine, ...]:
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8)
        for seen, lines in reversed(self._recent):
            if same_picture(seen, grey):
                return lines
        lines = self._recognise(rgb)
        self._recent.append((grey, lines))
        return lines

    def _recognise(self, rgb: NDArray[np.uint8]) -> tuple[TextLine, ...]:
        if self._engine is None:
            self._engine = _load()
        picture, scale = _enlarged(rgb)
        height, width = picture.shape[:2]
        scale_down = min(1.0, math.sqrt(_DETECTED_PIXELS / (height * width)))
        detector: Any = self._engine.text_det
        detector.limit_side_len = max(32, round(scale_down * max(height, width)))
        result: Any = self._engine(np.ascontiguousarray(picture[:, :, ::-1]), use_det=True)
        if getattr(result, "boxes", None) is None or result.txts is None:
            return ()
        found = zip(result.boxes, result.txts, result.scores, strict=True)
        lines = (
            TextLine(_clean(text), _upright(quad, scale, rgb), float(score)) for quad, text, score in found
        )
        return tuple(line for line in lines if _is_text(line))

    def _recall(self, key: bytes) -> tuple[TextLine, ...] | None:
        with self._memory_lock:
            if key in self._readings:
                self._readings.move_to_end(key)
            return self._readings.get(key)

    def _remember(self, key: bytes, lines: tuple[TextLine, ...]) -> None:
        with self._memory_lock:
            self._readings[key] = lines
            while len(self._readings) > self._remembered:
                self._readings.popitem(last=False)


@cache
def shared_reader() -> TextReader:
    """Return the reader of this process, shared so that later questions reuse its cached readings."""
    return TextReader()


def paragraphs(lines: Sequence[TextLine]) -> list[list[TextLine]]:
    """Group lines that read on from one to the next.

    Two lines belong together if they have similar heights and are close below each other, or side by side in one row
    with little more than a space between them.

    Args:
        lines: Lines of one image.

    Returns:
        The groups, each in reading order; every line is in exactly one.
    """
    groups: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: line.box[1]):
        joined = [group for group in groups if any(_adjoin(member, line) for member in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([member for group in joined for member in group] + [line])
    return sorted((_in_reading_order(group) for group in groups), key=lambda group: group[0].box[1])


def _adjoin(a: TextLine, b: TextLine) -> bool:
    low, high = sorted((a.height, b.height))
    if high > 1.8 * max(low, 1):
        return False
    across = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    down = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    in_one_row = down > 0.5 * low and across > -1.2 * high
    stacked = across > 0 and -0.9 * low < down <= 0.5 * low
    return in_one_row or stacked


def _in_reading_order(group: list[TextLine]) -> list[TextLine]:
    rows: list[list[TextLine]] = []
    for line in sorted(group, key=lambda line: line.box[1] + line.box[3]):
        middle = (line.box[1] + line.box[3]) / 2
        if rows and rows[-1][0].box[1] < middle < rows[-1][0].box[3]:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.box[0])]


def _load() -> RapidOCR:
    from rapidocr import RapidOCR

    engine = RapidOCR(params=_SETTINGS)
    engine(np.zeros((32, 32, 3), np.uint8))  # loads the detector
    return engine


def _enlarged(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    scale = min(_MAX_ENLARGEMENT, _SMALL_SIDE / max(rgb.shape[:2]))
    if scale <= 1:
        return rgb, 1.0
    return cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).astype(np.uint8), scale


def _upright(quad: NDArray[np.float32], scale: float, rgb: NDArray[np.uint8]) -> Box:
    height, width = rgb.shape[:2]
    corners = np.asarray(quad, dtype=np.float64).reshape(4, 2) / scale
    left, top = np.floor(corners.min(axis=0)).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int)
    return max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom))


def _clean(text: str) -> str:
    return _DOTS.sub("...", unicodedata.normalize("NFKC", text)).strip()


def _is_text(line: TextLine) -> bool:
    letters = sum(character.isalnum() for character in line.text)
    return letters > 1 or (letters == 1 and line.score >= _MIN_LONE_SCORE)
