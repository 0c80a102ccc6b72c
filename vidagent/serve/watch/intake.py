"""Reads a stream into the spool in threads of its own, and connects again when it breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vidagent.errors import VideoError
from vidagent.serve.watch.source import (
    StreamEndError,
    bytes_of,
    is_network,
    is_opened_by_libav,
    is_playlist,
)
from vidagent.serve.watch.spool import Skip, Spool
from vidagent.video.stream.client import StreamProcess

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


class Intake:
    """Reads one source until it ends.

    Args:
        source: A file or an address.
        seconds: Length of a segment; it ends at the next keyframe.
        idle_s: Give up when nothing new has come for so long; None: never.
        spool: Gets the segments.
        skip: Told of the gaps.
        tell: Called with lines about connections, for people.

    Attributes:
        error: Why nothing could be read at all, if so.
    """

    def __init__(
        self,
        source: str,
        seconds: float,
        idle_s: float | None,
        spool: Spool,
        skip: Skip,
        tell: Callable[[str], None],
    ) -> None:
        """Start nothing yet."""
        self._source, self._seconds, self._idle_s = source, seconds, idle_s
        self._spool, self._skip, self._tell = spool, skip, tell
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._process: StreamProcess | None = None
        self._by_libav = is_opened_by_libav(source)
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._last_s = time.monotonic()
        self._lost_s: float | None = None
        self._heard_s: float | None = None
        self._end_s = 0.0
        self._pieces = 0
        self._is_over = False
        self.error: VideoError | None = None

    def start(self) -> None:
        """Begin to read."""
        self._last_s = time.monotonic()
        self._thread.start()

    def end(self) -> None:
        """Read no further; the segment that was begun is finished. Nothing read at all is an error."""
        self._is_over = True
        if (process := self._last_process()) is not None:
            process.end()

    def stop(self) -> None:
        """End reading at once; whole segments stay in the spool."""
        if (process := self._last_process()) is not None:
            process.kill()
        self._thread.join(10)

    def _last_process(self) -> StreamProcess | None:
        """Return the process that reads; no other one is started after it."""
        with self._starting:
            self._stop.set()
            return self._process

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        try:
            while not self._stop.is_set():
                before = self._pieces
                error = self._read_once()
                if self._is_over and not self._pieces:
                    self.error = (self._heard_s and error) or VideoError("no picture came within its time")
                if error is None or self._stop.is_set():
                    return
                if not self._pieces:  # probably a wrong address
                    self.error = error
                    return
                if self._is_idle():
                    self._tell(f"ended     nothing came for {self._idle_s:g} s: {error}")
                    return
                pause_s = _FIRST_PAUSE_S if self._pieces > before else min(2 * pause_s, _LONGEST_PAUSE_S)
                if self._pieces > before:
                    self._lost_s = self._last_s
                self._tell(f"lost      {error}; reading again in {pause_s:g} s")
                self._stop.wait(pause_s if self._idle_s is None else min(pause_s, self._idle_s))
        except OSError as error:
            self.error = VideoError(f"its segments cannot be written: {error}")
        finally:
            self._spool.close()

    def _is_idle(self) -> bool:
        return self._idle_s is not None and time.monotonic() - self._last_s >= self._idle_s

    def _read_once(self) -> VideoError | None:
        """Read until the stream ends (None) or breaks."""
        with self._starting:
            if self._stop.is_set():
                return None
            process = self._process = StreamProcess(self._seconds, self._source if self._by_libav else None)
        self._heard_s = None
        sent: list[VideoError] = []
        cut: VideoError | None = None
        feeder = threading.Thread(target=self._feed, args=(process, sent), daemon=True)
        if not self._by_libav:
            feeder.start()
        try:
            self._collect(process)
        except VideoError as error:
            cut = error
        finally:
            process.kill()
            if not self._by_libav:
                feeder.join(1)
            process.close()
        if self._by_libav and cut is None and not is_playlist(self._source):
            return VideoError("the stream ended")
        if sent and not (cut and isinstance(sent[0], StreamEndError)):  # a page is no stream that ends
            return sent[0]
        return cut

    def _feed(self, process: StreamProcess, failure: list[VideoError]) -> None:
        """Send the bytes to a process; one that is not the last any more takes none."""
        try:
            for data in bytes_of(self._source, self._stop, self._idle_s):
                if process is not self._process:
                    return
                self._last_s = time.monotonic()
                self._heard_s = self._heard_s or self._last_s
                if not process.feed(data):
                    return
        except VideoError as error:
            failure.append(error)
        finally:
            process.finish()

    def _collect(self, process: StreamProcess) -> None:
        """Put the pieces into the spool, each where it belongs on the clock of the whole watch."""
        offset_s: float | None = None
        for piece in process:
            length_s = piece.end_s - piece.start_s
            if offset_s is None or piece.jumped:
                start_s = self._end_s + (0.0 if offset_s is not None else self._gap_s(length_s))
                if start_s > self._end_s:
                    self._skip(self._end_s, start_s, "no signal")
                offset_s = start_s - piece.start_s
            self._spool.add(piece, piece.start_s + offset_s)
            self._end_s = piece.end_s + offset_s
            self._pieces += 1
            if self._by_libav:  # else the bytes are heard of as they come
                self._last_s = time.monotonic()

    def _gap_s(self, length_s: float) -> float:
        """Return for how long a stream was lost before it came again; a file has lost nothing."""
        if self._lost_s is None or not is_network(self._source):
            return 0.0
        heard_s = self._heard_s or time.monotonic() - length_s
        return max(0.0, heard_s - self._lost_s)
