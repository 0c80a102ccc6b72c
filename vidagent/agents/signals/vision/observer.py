"""The embedded observer and judge: classical vision on the images of one message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidagent.agents.prompting.replies import Judgement, Observation, Sighting
from vidagent.agents.signals.language import wording
from vidagent.agents.signals.language.intent import Intent, understand
from vidagent.agents.signals.language.matching import find
from vidagent.agents.signals.vision.codes import read_codes
from vidagent.agents.signals.vision.colours import background_of, dominant
from vidagent.agents.signals.vision.cuts import CUT, cut_scores
from vidagent.agents.signals.vision.motion import motion, still
from vidagent.text import counted
from vidagent.types import Box
from vidagent.video.texts.reader import TextLine, TextReader

_MIN_FILL = 0.6
_BACKGROUND_DIFFERENCE = 60
_CUT_STEP_S = 0.25

Rgb = NDArray[np.uint8]


class StoppedError(Exception):
    """The caller no longer waits for the reply."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One image of a message: its time and its pixels `(H, W, 3)`."""

    time_s: float
    rgb: Rgb

    def box_1000(self, box: Box) -> tuple[float, float, float, float]:
        """Convert a box from pixels to thousandths of the image size."""
        height, width = self.rgb.shape[:2]
        x0, y0, x1, y1 = box
        return (1000 * x0 / width, 1000 * y0 / height, 1000 * x1 / width, 1000 * y1 / height)


@dataclass(frozen=True, slots=True)
class Looker:
    """Examines images until it is done or stopped.

    Args:
        reader: The OCR reader.
        stop: Set when the caller no longer waits.
    """

    reader: TextReader
    stop: threading.Event

    def observe(self, question: str, pictures: Sequence[Picture]) -> Observation:
        """Answer a sub-question about some images.

        Raises:
            StoppedError: If `stop` is set.
        """
        intent = understand(question)
        look = self._detectors().get(intent.signal)
        if look is None or (intent.signal == "colour" and intent.colour is None and intent.ask == "count"):
            return Observation(found=None, what=wording.CANNOT_JUDGE, confidence=0.0)
        sightings = list(look(intent, pictures))
        return _observation(sightings, len(pictures))

    def judge(self, claim: str, pictures: Sequence[Picture]) -> Judgement:
        """Check a claim against the images at the time it names.

        Raises:
            StoppedError: If `stop` is set.
        """
        time_s = wording.time_in(claim)
        denied = wording.denied(claim)
        seen = self.observe(denied or claim, pictures)
        if seen.found is None:
            return Judgement(verdict="unsupported", why=seen.what, confidence=0.0)
        times = [s.time_s for s in seen.sightings if time_s is None or abs(s.time_s - time_s) < 2e-3]
        why = f"seen at {times[0]:.3f} s" if times else seen.what
        right = bool(times) == (denied is None)
        return Judgement(verdict="supported" if right else "unsupported", why=why, confidence=seen.confidence)

    def _detectors(self) -> dict[str, Callable[[Intent, Sequence[Picture]], Iterator[Sighting]]]:
        return {
            "text": self._find_text,
            "reading": self._read_text,
            "code": self._read_codes,
            "shots": self._find_cuts,
            "motion": self._find_motion,
            "still": self._find_stillness,
            "colour": self._find_fill,
        }

    def _each(self, pictures: Sequence[Picture]) -> Iterator[Picture]:
        for picture in pictures:
            if self.stop.is_set():
                raise StoppedError
            yield picture

    def _find_text(self, intent: Intent, pictures: Sequence[Picture]) -> Iterator[Sighting]:
        for picture in self._each(pictures):
            match = find(intent.text or "", self.reader.read(picture.rgb))
            if match is not None:
                yield Sighting(time_s=picture.time_s, text=match.text, box=picture.box_1000(match.box))

    def _read_text(self, intent: Intent, pictures: Sequence[Picture]) -> Iterator[Sighting]:
        for picture in self._each(pictures):
            lines = self.reader.read(picture.rgb)
            if "highlighted" in intent.question:
                lines = _highlighted(picture.rgb, lines)
            elif intent.colour is not None:
                lines = [line for line in lines if background_of(picture.rgb, line.box) == intent.colour]
            for line in lines:
                yield Sighting(time_s=picture.time_s, text=line.text, box=picture.box_1000(line.box))

    def _read_codes(self, intent: Intent, pictures: Sequence[Picture]) -> Iterator[Sighting]:
        for picture in self._each(pictures):
            for code in read_codes(picture.rgb):
                matches = intent.text is None or intent.text == wording.quotable(code.text)
                if matches and ("qr" not in intent.question or "bar" in intent.question or "QR" in code.kind):
                    yield Sighting(time_s=picture.time_s, text=code.text, box=picture.box_1000(code.box))

    def _find_cuts(self, _intent: Intent, pictures: Sequence[Picture]) -> Iterator[Sighting]:
        list(self._each(pictures[:1]))
        scores = cut_scores([picture.rgb for picture in pictures])
        for picture, score in zip(pictures[1:], scores, strict=True):
            if score >= CUT:
                yield Sighting(time_s=picture.time_s)

    def _find_motion(self, _intent: Intent, pictures: Sequence[Picture]) -> Iterator[Sighting]:
        cuts = _cuts(pictures)
        for before, after in zip(pictures, self._each(pictures[1:]), strict=False):
            moved = motion(before.rgb, after.rgb)
            if moved is not None and after.time_s not in cuts:
                yield Sighting(time_s=after.time_s, text=moved.where, box=after.box_1000(moved.box))

    def _find_stillness(self, _intent: Intent, pictures: Sequence[Picture]) -> Iterator[Sighting]:
        cuts = _cuts(pictures)
        for before, after in zip(pictures, self._each(pictures[1:]), strict=False):
            if still(before.rgb, after.rgb) and after.time_s not in cuts:
                yield Sighting(time_s=after.time_s)

    def _find_fill(self, intent: Intent, pictures: Sequence[Picture]) -> Iterator[Sighting]:
        for picture in self._each(pictures):
            fill = dominant(picture.rgb)
            if fill.fraction >= _MIN_FILL and intent.colour in {None, fill.name}:
                yield Sighting(time_s=picture.time_s, text=fill.name)


def _cuts(pictures: Sequence[Picture]) -> set[float]:
    """Return the times of cuts, which are neither movement nor stillness; frames far apart show none."""
    scores = cut_scores([picture.rgb for picture in pictures])
    return {
        after.time_s
        for before, after, score in zip(pictures, pictures[1:], scores, strict=False)
        if score >= CUT and after.time_s - before.time_s <= _CUT_STEP_S
    }


def _highlighted(rgb: Rgb, lines: Sequence[TextLine]) -> list[TextLine]:
    """Return the lines whose background differs clearly from that of most lines."""
    if not lines:
        return []
    backgrounds = np.array([_background(rgb, line.box) for line in lines])
    usual = np.median(backgrounds, axis=0)
    apart = np.abs(backgrounds - usual).max(axis=1)
    return [line for line, far in zip(lines, apart, strict=True) if far > _BACKGROUND_DIFFERENCE]


def _background(rgb: Rgb, box: Box) -> NDArray[np.float64]:
    """Return the background of a line: the median of its box, as letters cover less than half of it."""
    x0, y0, x1, y1 = box
    return np.asarray(np.median(rgb[y0:y1, x0:x1].reshape(-1, 3), axis=0), np.float64)


def _observation(sightings: Sequence[Sighting], pictures: int) -> Observation:
    times = sorted({sighting.time_s for sighting in sightings})
    if not times:
        what = (
            "Not in the 1 frame checked."
            if pictures == 1
            else f"Not in any of the {pictures} frames checked."
        )
        return Observation(found=False, what=what, sightings=[], confidence=0.8)
    texts = list(dict.fromkeys(sighting.text for sighting in sightings if sighting.text))
    quoted = (
        ": " + "; ".join(f'"{text}"' for text in texts[:6]) + (" …" if len(texts) > 6 else "")
        if texts
        else ""
    )
    span = f"at {times[0]:.3f} s" if len(times) == 1 else f"from {times[0]:.3f} s to {times[-1]:.3f} s"
    what = f"In {len(times)} of {counted(pictures, 'frame')}, {span}{quoted}."
    return Observation(found=True, what=what, sightings=list(sightings), confidence=0.9)
