"""Pictures of a video as vectors: one for each 2 s of each shot, near those of texts that describe them.

Each part is cached as soon as it is there, so that a long video that is interrupted goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidagent.video.cache.entries import VideoEntries
from vidagent.video.index.transcript import Stop
from vidagent.video.video import Video

LOG = logging.getLogger(__name__)
Vectors = NDArray[np.float32]
"""Unit vectors of shape `(N, D)`."""

PIECE_S = 2.0
_SHORTEST_REST_S = 0.5
"""A piece may be longer by this much, so that no shot ends with a piece that is shorter."""
_SIDE_PX = 384
"""Longest side of a picture that is sent; models scale it to 224 to 448 pixels."""
_AT_ONCE = 64
_ALIKE = 0.995
"""Cosine of neighbours that count as one stretch: a slide that stands; what a person entering changes stays apart."""
_VERSION = 1


class Embedder(Protocol):
    """Model of pictures and texts; `vidagent.agents.server.embeddings` implements it with a server."""

    @property
    def model(self) -> str:
        """Name of the model."""

    def pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Return the unit vector of each picture, RGB of shape `(H, W, 3)`.

        Raises:
            ModelError: If the server cannot be reached, refuses, or sends nothing usable.
        """

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return the unit vector of each text; errors as `pictures`."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Stretches of a video and their vectors.

    Args:
        start_s: Start of each stretch, in order; float64 of shape `(N,)`.
        end_s: Their ends.
        vectors: Their unit vectors, float16 of shape `(N, D)`.
    """

    start_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    end_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    vectors: NDArray[np.float16] = field(default_factory=lambda: np.empty((0, 0), np.float16))

    def __len__(self) -> int:
        return len(self.start_s)

    def joined(self) -> Embedded:
        """Join neighbours that look alike into one stretch, which keeps the vector of its first piece."""
        firsts = [0] if len(self) else []
        vectors = self.vectors.astype(np.float32)
        for place in range(1, len(self)):
            if float(vectors[place] @ vectors[firsts[-1]]) < _ALIKE:
                firsts.append(place)
        ends = [*(place - 1 for place in firsts[1:]), len(self) - 1][: len(firsts)]
        return Embedded(self.start_s[firsts], self.end_s[ends], self.vectors[firsts])

    def ranked(self, query: Vectors) -> list[tuple[float, float]]:
        """Return the middle of each stretch and its cosine with a query of shape `(1, D)`, the nearest first."""
        cosines = self.vectors.astype(np.float32) @ query[0]
        middles = (self.start_s + self.end_s) / 2
        return [(float(middles[place]), float(cosines[place])) for place in np.argsort(-cosines)]


def pieces(duration_s: float, cuts_s: Sequence[float]) -> list[tuple[float, float]]:
    """Return the start and end of each piece: every shot, in parts of about `PIECE_S`."""
    bounds = [0.0, *(cut for cut in cuts_s if 0 < cut < duration_s), duration_s]
    found: list[tuple[float, float]] = []
    for start_s, end_s in pairwise(bounds):
        count = max(1, math.ceil((end_s - start_s - _SHORTEST_REST_S) / PIECE_S))
        edges = np.linspace(start_s, end_s, count + 1).tolist()
        found += pairwise(edges)
    return found


@dataclass(frozen=True, slots=True)
class PictureEmbedder:
    """Embeds the pictures of a video, and caches them.

    Args:
        video: The opened video.
        entries: Cache of the vectors.
        embedder: The model.
    """

    video: Video
    entries: VideoEntries
    embedder: Embedder

    def kept(self) -> Embedded:
        """Return what is embedded so far; nothing is sent."""
        arrays = self.entries.get_arrays(self._name)
        if arrays is None:
            return Embedded()
        return Embedded(*(np.asarray(arrays[name]) for name in ("start_s", "end_s", "vectors")))

    def embed(
        self,
        parts: Sequence[tuple[float, float]],
        stop: Stop,
        on_progress: Callable[[float], None] | None = None,
    ) -> Embedded:
        """Embed what is missing of these pieces, until all is done or `stop` says so.

        Raises:
            ModelError: If the server cannot be reached, refuses, or sends nothing usable; earlier pieces stay cached.
            VideoError: If the video cannot be decoded.
        """
        found = self.kept()
        while len(found) < len(parts):
            left_s = stop.left_s()
            if stop.closed() or (left_s is not None and left_s <= 0):
                break
            if on_progress is not None:
                on_progress(len(found) / len(parts))
            following = parts[len(found) : len(found) + _AT_ONCE]
            middles = [(start_s + end_s) / 2 for start_s, end_s in following]
            frames = self.video.frames_at(middles, max_side_px=_SIDE_PX)
            vectors = self.embedder.pictures([frame.rgb for frame in frames]).astype(np.float16)
            if len(found) and found.vectors.shape[1] != vectors.shape[1]:  # another model of the same name
                found = Embedded()
                continue
            found = _appended(found, following, vectors)
            arrays: dict[str, NDArray[Any]] = {
                "start_s": found.start_s,
                "end_s": found.end_s,
                "vectors": found.vectors,
            }
            self.entries.put_arrays(self._name, arrays)
        return found

    @property
    def _name(self) -> str:
        model = hashlib.sha256(self.embedder.model.encode()).hexdigest()[:32]
        return f"embedded-{_VERSION}-{model}"


def _appended(
    found: Embedded, parts: Sequence[tuple[float, float]], vectors: NDArray[np.float16]
) -> Embedded:
    start_s, end_s = np.array(parts, np.float64).T
    if not len(found):
        return Embedded(start_s, end_s, vectors)
    return Embedded(
        np.concatenate([found.start_s, start_s]),
        np.concatenate([found.end_s, end_s]),
        np.concatenate([found.vectors, vectors]),
    )
