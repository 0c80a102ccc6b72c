"""A whole watch: the stream is read, each segment asked about, and the end told, however it comes."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from vidagent.agents.server.model_choice import choose, describe
from vidagent.errors import UsageError, VideoError
from vidagent.runs.request import AgentArguments, Request, make_request
from vidagent.serve.watch.alerts import ClipFolder, Outlet
from vidagent.serve.watch.intake import Intake
from vidagent.serve.watch.source import check_source, is_http_url, is_network
from vidagent.serve.watch.spool import Spool
from vidagent.serve.watch.watcher import Watcher
from vidagent.text import shown_address

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a stream is watched.

    Args:
        folder: Gets the clips and frames of alerts.
        every_s: Length of a segment, which ends at the next keyframe.
        keep_mb: Room on the disk: a half for segments that wait, a half for the clips of alerts.
        webhook: Every line is posted to this URL, too.
        for_s: End after so many seconds.
        idle_s: End when nothing new has come for so many seconds.
        each: Whether people are told of each segment, not of the first one only.

    Raises:
        UsageError: If a number is out of range, or the webhook is no URL.
    """

    folder: Path
    every_s: float = 10.0
    keep_mb: int = 1000
    webhook: str | None = None
    for_s: float | None = None
    idle_s: float | None = None
    each: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        for flag, value in (("--every", self.every_s), ("--for", self.for_s), ("--idle", self.idle_s)):
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{flag} must be more than 0 seconds, and finite, got {value:g}")
        if self.keep_mb < 1:
            raise UsageError(f"--keep-mb must be 1 or more, got {self.keep_mb}")
        if self.webhook is not None and not is_http_url(self.webhook):
            raise UsageError(
                f"--webhook must be an http or https URL with a host, got {shown_address(self.webhook)!r}"
            )


def watch(
    source: str,
    question: str,
    options: WatchOptions,
    tell: Callable[[str], None],
    **arguments: Unpack[AgentArguments],
) -> None:
    """Watch a stream until it ends, its time is over, or Ctrl-C.

    Args:
        source: A growing file, or an address.
        question: The standing question.
        options: How it is watched.
        tell: Called with lines for people.
        arguments: Those of `make_request`.

    Raises:
        VideoError: If the source is none, or nothing could be read from it.
        ModelError: If the model's server cannot be reached.
        UsageError: If an argument is out of range, or the folder cannot be written.
    """
    check_source(source)
    shown = shown_address(source) if is_network(source) else source
    request = make_request(question, **arguments)
    client = choose(request.settings)
    outlet = Outlet(options.webhook, tell)
    room = options.keep_mb * _MB // 2
    with _scratch(options.folder) as scratch, _termination_as_interrupt():
        own = request.settings.model_copy(update={"cache_dir": scratch / "cache"})
        request = Request(request.question, request.overview, own, request.budget)
        watcher = Watcher(
            shown, request, client, outlet, ClipFolder(options.folder, room, tell), tell, options.each
        )
        spool = Spool(scratch, room, watcher.skip)
        intake = Intake(source, options.every_s, options.idle_s, spool, watcher.skip, tell)
        tell(f"model     {describe(client).removeprefix('model ')}")
        tell(f"watching  {shown}; Ctrl-C ends it")
        timer = threading.Timer(options.for_s or 0, intake.end)
        timer.daemon = True
        intake.start()
        if options.for_s is not None:
            timer.start()
        try:
            watcher.run(spool)
        finally:
            timer.cancel()
            intake.stop()
            watcher.end(spool)
            outlet.close()
    if intake.error is not None:
        raise VideoError(f"{shown}: {intake.error}")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Make a folder for segments within the folder of the clips, and delete it after the block."""
    was_there = folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".segments-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise UsageError(f"clips cannot be written to {folder}: {error}") from error
    with scratch as path:
        yield Path(path)
    if not was_there:
        with suppress(OSError):  # only an empty one goes
            folder.rmdir()


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end a watch as Ctrl-C does; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
