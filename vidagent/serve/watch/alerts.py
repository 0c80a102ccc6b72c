"""What is told of a stream, as JSON lines: alerts, their ends, what was skipped, and a summary."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from vidagent.text import counted

_TRIES = 3
_TIMEOUT_S = 10.0
_MAX_WAITING = 100
_LAST_CHANCE_S = 10.0

Tell = Callable[[str], None]


class Outlet:
    """Prints lines on stdout and posts them to a webhook; stdout never waits for the webhook."""

    def __init__(self, webhook: str | None, tell: Tell) -> None:
        """Open it; `tell` is called with what went wrong."""
        self._webhook, self._tell = webhook, tell
        self._pool = ThreadPoolExecutor(1, "webhook") if webhook else None
        self._sent: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    def put(self, line: Mapping[str, Any]) -> None:
        """Print and post a line; called by the threads that read and that ask."""
        text = json.dumps(line, ensure_ascii=False)
        with self._lock:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
            if self._pool is None:
                return
            while self._sent and self._sent[0].done():
                self._sent.popleft()
            if len(self._sent) < _MAX_WAITING:
                self._sent.append(self._pool.submit(self._post, text))
                return
        self._tell(f"lost      a line for the webhook: {_MAX_WAITING} wait for it already")

    def close(self) -> None:
        """Give the webhook a last chance."""
        if self._pool is None:
            return
        left = wait(self._sent, _LAST_CHANCE_S).not_done
        self._pool.shutdown(wait=False, cancel_futures=True)
        if left:
            self._tell(
                f"lost      {counted(len(left), 'line')} for the webhook, not taken within {_LAST_CHANCE_S:g} s"
            )

    def _post(self, text: str) -> None:
        reason = ""
        for _ in range(_TRIES):
            try:
                headers = {"Content-Type": "application/json", "User-Agent": "vidagent"}
                reply = httpx.post(
                    str(self._webhook), content=text.encode(), headers=headers, timeout=_TIMEOUT_S
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = str(error) or type(error).__name__
                continue
            if reply.is_success:
                return
            reason = f"it answered {reply.status_code}"
            if reply.is_client_error:
                break
        self._tell(f"lost      a line for the webhook: {reason}")


class ClipFolder:
    """Clips and frames of alerts; the oldest are deleted when they take too much room."""

    def __init__(self, folder: Path, max_bytes: int, tell: Tell) -> None:
        """Use a folder, whose other files are left alone."""
        self._folder, self._max_bytes, self._tell = folder, max_bytes, tell
        self._kept: deque[list[Path]] = deque()

    def keep(self, name: str, clip: Path, frames: Mapping[str, Path]) -> tuple[Path | None, dict[str, Path]]:
        """Copy the clip and the frames of an alert; return the new paths, of the frames by the same names.

        A clip that cannot be written is told, and None.
        """
        kept = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            kept = self._new_file(name)
            shutil.copyfile(clip, kept)
        except OSError as error:
            with suppress(OSError):
                if kept is not None:
                    kept.unlink()
            self._tell(f"lost      the clip of an alert: {error}")
            return None, {}
        copies = {}
        for number, (ref, frame) in enumerate(frames.items(), 1):
            with suppress(OSError):
                copies[ref] = Path(shutil.copyfile(frame, self._folder / f"{kept.stem}-{number}.jpg"))
        self._kept.append([kept, *copies.values()])
        self._make_room()
        return kept, copies

    def _new_file(self, name: str) -> Path:
        """Make an empty file for a clip; where another watch has the name, a number is added to it."""
        path, number = self._folder / f"{name}.mkv", 1
        while True:
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                number += 1
                path = self._folder / f"{name}.{number}.mkv"
            else:
                return path

    def _make_room(self) -> None:
        deleted = 0
        while len(self._kept) > 1 and self._size() > self._max_bytes:
            for path in self._kept.popleft():
                path.unlink(missing_ok=True)
            deleted += 1
        if deleted:
            self._tell(f"deleted   the clips of {counted(deleted, 'older alert')}, to make room")

    def _size(self) -> int:
        return sum(path.stat().st_size for paths in self._kept for path in paths if path.exists())
