"""The decoding process, `python -m vidagent.video.process.worker SETTINGS`; requests arrive on its standard streams.

It limits its own memory, exits when its parent does, and handles one request at a time. FFmpeg logs to standard
error, which the parent redirects to a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from av import logging
from numpy.typing import NDArray

from vidagent.errors import UsageError, VideoError
from vidagent.video.decoders import Decoder, open_decoder
from vidagent.video.decoders.probe import subtitle_cues
from vidagent.video.decoders.pyav import PyavDecoder
from vidagent.video.decoders.sound_reader import read_sound
from vidagent.video.index.scan import SCAN_WH, Scanner
from vidagent.video.process.pipe import HEADER_BYTES, ProtocolError, encode, receive

_LOG_BYTES = 4 * 1024 * 1024
_BEAT_S = 1.0
_WATCH_S = 1.0
_STDERR = 2
_EXTRA_BYTES = {"torchcodec": 24 << 30}
"""Address space in addition to the limit: torch maps its libraries and reserves ranges it does not use."""

Reply = tuple[dict[str, Any], list[NDArray[Any]]]


def main() -> None:
    """Handle requests until the parent closes the pipe or exits."""
    settings = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit(settings["memory_bytes"] + _EXTRA_BYTES.get(settings["decoder"], 0))
    out = os.dup(1)
    os.dup2(2, 1)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    worker = _Worker(settings, out)
    while True:
        worker.answer(requests.get())


class _Worker:
    """Handles requests about one opened video."""

    def __init__(self, settings: dict[str, Any], out: int) -> None:
        self._path = Path(settings["path"])
        self._name: str = settings["decoder"]
        self._max_pixels: int = settings["max_pixels"]
        self._out = out
        self._last_beat = time.monotonic()
        self._done: float | None = None
        self._decoder: Decoder | None = None
        self._counted = 0

    def answer(self, request: dict[str, Any]) -> None:
        """Handle one request and write its reply, which may be an error."""
        do: Callable[..., Reply] = getattr(self, f"_do_{request.pop('op')}")
        self._last_beat, self._done = time.monotonic(), None
        try:
            header, arrays = do(**request)
        except (UsageError, VideoError) as error:
            kind = "usage" if isinstance(error, UsageError) else "video"
            header, arrays = {"error": kind, "message": str(error)}, []
        except MemoryError:
            header, arrays = {"error": "memory"}, []
        total = self._decoder.frames_decoded if self._decoder else self._counted
        header["decoded"], self._counted = total - self._counted, total
        self._write(header, arrays)

    def _do_open(self) -> Reply:
        logging.restore_default_callback()
        logging.set_libav_level(logging.ERROR)
        start = os.fstat(_STDERR).st_size
        try:
            decoder = PyavDecoder(self._path, max_pixels=self._max_pixels, beat=self._beat)
            facts = decoder.facts()
            if self._name == "pyav":
                self._decoder = decoder
            else:
                decoder.close()
                self._decoder = open_decoder(
                    self._name, self._path, max_pixels=self._max_pixels, beat=self._beat
                )
        except VideoError as error:
            raise VideoError(f"{error}{_last_log(start)}") from None
        return {"info": facts}, []

    def _do_frames_at(self, times_s: list[float], snap: Any, max_side_px: Any, box_px: Any) -> Reply:  # noqa: ANN401
        frames = self._opened.frames_at(times_s, snap=snap, max_side_px=max_side_px, box_px=box_px)
        places = {id(frame): place for place, frame in enumerate(frames)}
        unique = sorted(set(places.values()))
        order = {place: index for index, place in enumerate(unique)}
        return {
            "times_s": [frames[place].time_s for place in unique],
            "damaged": [frames[place].damaged for place in unique],
            "order": [order[places[id(frame)]] for frame in frames],
        }, [frames[place].rgb for place in unique]

    def _do_frames_between(
        self, start_s: float, end_s: float, max_side_px: int | None, stride: int, max_bytes: int
    ) -> Reply:
        times: list[float] = []
        damaged: list[bool] = []
        pictures: list[NDArray[Any]] = []
        room = max_bytes
        for frame in self._opened.frames_between(start_s, end_s, max_side_px=max_side_px, stride=stride):
            if pictures and frame.rgb.nbytes > room:
                return {"times_s": times, "damaged": damaged, "next_s": frame.time_s}, pictures
            room -= frame.rgb.nbytes
            times.append(frame.time_s)
            damaged.append(frame.damaged)
            pictures.append(frame.rgb)
        return {"times_s": times, "damaged": damaged, "next_s": None}, pictures

    def _do_frame_times(self, start_s: float, end_s: float) -> Reply:
        return {}, [self._opened.frame_times(start_s, end_s)]

    def _do_packets(self) -> Reply:
        with self._pyav() as decoder:
            packets = decoder.packets()
        return {"exact_times": packets.exact_times}, [packets.times_s, packets.sizes, packets.keyframes]

    def _do_subtitles(self) -> Reply:
        return {"cues": subtitle_cues(self._path, self._beat)}, []

    def _do_sound(self, start_s: float, end_s: float) -> Reply:
        samples = read_sound(self._path, start_s, end_s, self._beat)
        return {}, [samples.astype("<i2").view("|u1")]

    def _do_scan(self, duration_s: float, all_frames: bool) -> Reply:
        with self._pyav() as decoder:
            all_frames |= not decoder.can_skip
            scanner = Scanner(exact=all_frames)
            for time_s, grey in decoder.greys(SCAN_WH, all_frames=all_frames):
                self._done = min(1.0, time_s / duration_s) if duration_s > 0 else None
                scanner.add(time_s, grey)
        scan = scanner.finish()
        moments = [[m.score, m.time_s, list(m.box)] for m in scan.moments]
        return {"moments": moments, "cuts_s": scan.cuts_s, "motion": scan.motion, "exact": scan.exact}, []

    @contextlib.contextmanager
    def _pyav(self) -> Iterator[PyavDecoder]:
        """Yield the open decoder if it is PyAV's, else a temporary PyAV decoder."""
        if isinstance(self._decoder, PyavDecoder):
            yield self._decoder
            return
        decoder = PyavDecoder(self._path, max_pixels=self._max_pixels, beat=self._beat)
        try:
            yield decoder
        finally:
            self._counted -= decoder.frames_decoded
            decoder.close()

    @property
    def _opened(self) -> Decoder:
        if self._decoder is None:
            raise VideoError("is not open")
        return self._decoder

    def _beat(self) -> None:
        """Report progress to the parent, at most once a second."""
        now = time.monotonic()
        if now - self._last_beat >= _BEAT_S:
            self._last_beat = now
            self._write({"progress": self._done}, [])

    def _write(self, header: dict[str, Any], arrays: list[NDArray[Any]]) -> None:
        for buffer in encode(header, arrays):
            rest = memoryview(buffer)
            while rest:
                rest = rest[os.write(self._out, rest) :]


def _last_log(start: int) -> str:
    """Return FFmpeg's last message since its log had size `start`, in parentheses, or an empty text."""
    size = os.fstat(_STDERR).st_size
    lines = os.pread(_STDERR, min(size - start, 4096), max(start, size - 4096)).decode("utf-8", "replace")
    logged = [re.sub(r"^(\[[^\]]*\] )+", "", line).strip() for line in lines.splitlines() if line.strip()]
    return f" (FFmpeg: {logged[-1][:160]})" if logged else ""


def _limit(memory_bytes: int) -> None:
    _lower(resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, _LOG_BYTES)


def _lower(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (soft, hard))


def _read_requests(requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Queue requests; exit at once when the parent is gone, whatever is being decoded."""
    parent = os.getppid()

    def fill(buffer: memoryview) -> None:
        while buffer:
            while not select.select([0], [], [], _WATCH_S)[0]:
                if os.getppid() != parent:
                    os._exit(0)
            count = os.readv(0, [buffer])
            if count == 0:
                os._exit(0)
            buffer = buffer[count:]

    while True:
        try:
            requests.put(receive(fill, max_bytes=HEADER_BYTES)[0])
        except ProtocolError:
            os._exit(2)


if __name__ == "__main__":
    main()
