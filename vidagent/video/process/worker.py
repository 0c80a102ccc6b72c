"""The decoding process, a fork of its template; requests arrive on its standard streams.

It enters its sandbox, exits when the pipe is closed or its template ends, and handles one request at a time. FFmpeg
logs to standard error, which the parent redirects to a file.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import queue
import re
import select
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from av import logging
from numpy.typing import NDArray

from vidagent.errors import UsageError, VideoError
from vidagent.video.container.probe import subtitle_cues
from vidagent.video.container.sound_reader import read_sound
from vidagent.video.decoders import Decoder, open_decoder
from vidagent.video.decoders.pyav import PyavDecoder
from vidagent.video.index.scan import SCAN_WH, Scanner, to_json
from vidagent.video.process import sandbox
from vidagent.video.process.pipe import HEADER_BYTES, ProtocolError, encode, receive
from vidagent.video.texts.candidate_finder import CandidateFinder

_BEAT_S = 1.0
_WATCH_S = 1.0
_STDERR = 2
_EXTRA_BYTES = {"torchcodec": 24 << 30}
"""Address space in addition to the limit: torch maps its libraries and reserves ranges it does not use."""

Reply = tuple[dict[str, Any], list[NDArray[Any]]]


def main(settings: dict[str, Any]) -> None:
    """Handle requests until the parent closes the pipe or exits."""
    _import_library(settings["decoder"])
    out = os.dup(1)
    os.dup2(2, 1)
    room = settings["memory_bytes"] + _EXTRA_BYTES.get(settings["decoder"], 0)
    missing = sandbox.enter(Path(settings["path"]), room)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    worker = _Worker(settings, out, missing)
    while True:
        worker.answer(requests.get())


class _Worker:
    """Handles requests about one opened video."""

    def __init__(self, settings: dict[str, Any], out: int, missing: list[str]) -> None:
        self._path = Path(settings["path"])
        self._name: str = settings["decoder"]
        self._max_pixels: int = settings["max_pixels"]
        self._stream: int | None = settings["stream"]
        self._out = out
        self._missing = missing
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
            decoder = self._open_pyav()
            facts = decoder.facts()
            if self._name == "pyav":
                self._decoder = decoder
            else:
                decoder.close()
                _check_plain(self._name, facts)
                self._decoder = open_decoder(
                    self._name,
                    self._path,
                    max_pixels=self._max_pixels,
                    beat=self._beat,
                    stream=facts["stream"],
                )
        except VideoError as error:
            raise VideoError(f"{error}{_last_log(start)}") from None
        return {"info": facts, "missing": self._missing}, []

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

    def _do_scan(self, duration_s: float, all_frames: bool, texts: bool) -> Reply:
        with self._pyav() as decoder:
            all_frames |= not decoder.can_skip
            scanner = Scanner(exact=all_frames)
            finder = CandidateFinder(decoder.shown_wh) if texts else None
            for shown in decoder.shown(all_frames=all_frames):
                self._done = min(1.0, shown.time_s / duration_s) if duration_s > 0 else None
                strokes = scanner.add(shown.time_s, shown.grey(SCAN_WH))
                if finder is not None:
                    finder.add(shown.time_s, shown.grey(finder.grey_wh), strokes, shown.part)
        if finder is None:
            return to_json(scanner.finish()), []
        head, pictures = finder.finish().packed()
        return {**to_json(scanner.finish()), "texts": head}, [pictures]

    @contextlib.contextmanager
    def _pyav(self) -> Iterator[PyavDecoder]:
        """Yield the open decoder if it is PyAV's, else a temporary PyAV decoder."""
        if isinstance(self._decoder, PyavDecoder):
            yield self._decoder
            return
        decoder = self._open_pyav()
        try:
            yield decoder
        finally:
            self._counted -= decoder.frames_decoded
            decoder.close()

    def _open_pyav(self) -> PyavDecoder:
        return PyavDecoder(self._path, max_pixels=self._max_pixels, beat=self._beat, stream=self._stream)

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


def _check_plain(decoder: str, facts: dict[str, Any]) -> None:
    """Refuse a video of which only PyAV's pictures are changed to what a player shows.

    Raises:
        VideoError: If it is of such a kind.
    """
    kinds = {
        "pixels that are not square": facts["pixel_aspect"] != "1/1",
        "pictures that the player crops": facts["cropped"],
        "high dynamic range": facts["hdr"] is not None,
        "interlaced pictures": facts["interlaced"],
    }
    found = " and ".join(kind for kind, has in kinds.items() if has)
    if found:
        raise VideoError(f"has {found}, which {decoder} does not show as a player does; use the pyav decoder")


def _last_log(start: int) -> str:
    """Return FFmpeg's last message since its log had size `start`, in parentheses, or an empty text."""
    size = os.fstat(_STDERR).st_size
    lines = os.pread(_STDERR, min(size - start, 4096), max(start, size - 4096)).decode("utf-8", "replace")
    logged = [re.sub(r"^(\[[^\]]*\] )+", "", line).strip() for line in lines.splitlines() if line.strip()]
    return f" (FFmpeg: {logged[-1][:160]})" if logged else ""


def _import_library(decoder: str) -> None:
    """Import the library of a decoder while all of its files are in reach; opening the video reports a failure."""
    with contextlib.suppress(ImportError, OSError, RuntimeError):
        importlib.import_module({"pyav": "av"}.get(decoder, decoder))


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
