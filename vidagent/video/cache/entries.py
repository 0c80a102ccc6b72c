"""Entries of one video in the cache; those of a file that is still being read wait in memory for its hash."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from vidagent.types import Box
from vidagent.video.cache.video_cache import FoundText, VideoCache
from vidagent.video.video import Video


class VideoEntries:
    """Values, arrays and texts of one video by key, and their protection from eviction until it is closed.

    No file like one that is still being read was ever hashed, so that nothing of it can be in the cache. What is stored
    meanwhile is kept here, and goes to the cache once the hash is known; if the run ends before, it is lost.

    Args:
        cache: The cache.
        video: The opened video; a stream that the caller chose has entries of its own.
    """

    def __init__(self, cache: VideoCache, video: Video) -> None:
        """Hold the entries now, or once the hash is known."""
        self._cache, self._video = cache, video
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Any, Callable[[str], None]]] | None = None
        self._texts: set[FoundText] = set()
        if video.content.pending:
            self._waiting = {}
        video.content.when_hashed(self._store)

    def get_json(self, key: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value stored under the key, or None."""
        with self._lock:
            if self._waiting is not None:
                return self._waiting.get(key, (None, None))[0]
        return self._cache.get_json(self._name, key)

    def put_json(self, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Store a JSON value under the key, replacing an earlier one."""
        self._put(key, value, lambda name: self._cache.put_json(name, key, value))

    def get_arrays(self, key: str) -> Mapping[str, NDArray[Any]] | None:
        """Return the arrays stored under the key, or None."""
        with self._lock:
            if self._waiting is not None:
                return self._waiting.get(f"{key} arrays", (None, None))[0]
        return self._cache.get_arrays(self._name, key)

    def put_arrays(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store named arrays of booleans or numbers under the key, replacing earlier ones."""
        self._put(f"{key} arrays", arrays, lambda name: self._cache.put_arrays(name, key, arrays))

    def texts(self) -> list[FoundText]:
        """Return every text found so far, in order of time."""
        with self._lock:
            if self._waiting is not None:
                return sorted(self._texts, key=lambda found: (found.time_s, str(found.box_px), found.text))
        return self._cache.texts(self._name)

    def put_texts(self, found: Iterable[tuple[float, str, Box | None]]) -> None:
        """Add texts as `(time_s, text, box_px)`, without duplicates."""
        with self._lock:
            if self._waiting is not None:
                self._texts |= {FoundText(*one) for one in found}
                return
        self._cache.put_texts(self._name, found)

    @property
    def _name(self) -> str:
        sha256, stream = self._video.content.sha256, self._video.stream
        return sha256 if stream is None else hashlib.sha256(f"{sha256} stream {stream}".encode()).hexdigest()

    def _put(self, key: str, value: Any, store: Callable[[str], None]) -> None:  # noqa: ANN401 - JSON or arrays
        with self._lock:
            if self._waiting is not None:
                self._waiting[key] = value, store
                return
        store(self._name)

    def _store(self) -> None:
        """Move what waits to the cache."""
        if not self._video.closed:
            self._video.on_close(self._cache.hold(self._name))
        with self._lock:
            waiting, self._waiting = self._waiting or {}, None
            for _, store in waiting.values():
                store(self._name)
            if self._texts:
                self._cache.put_texts(self._name, self._texts)
