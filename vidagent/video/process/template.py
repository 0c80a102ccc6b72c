"""Template of the decoding processes, `python -m vidagent.video.process.template WORKER`: it has loaded the libraries.

Each decoding process is a fork of it, which starts within milliseconds; a new interpreter takes 0.2 s of CPU. It is no
fork of the program itself, whose memory and open files it would have. The template never reads a video.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any

MOST_BYTES = 1 << 16
"""Most bytes of a message; a path has at most 4096."""
STREAMS = 4
"""Files sent with a message: standard input, output and error, and a pipe for the exit code."""


class Template:
    """Forks processes that run a function, and reports how each ended.

    Args:
        work: What they run, with the settings sent to it.
        channel: Where settings and streams come from; closing it ends the template.
    """

    def __init__(self, work: Callable[[dict[str, Any]], None], channel: socket.socket) -> None:
        """Store the arguments."""
        self._work, self._channel = work, channel
        self._reports: dict[int, int] = {}
        self._woken, self._wake = os.pipe()

    def run(self) -> None:
        """Fork until the channel is closed."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake)  # a signal that comes just before the wait ends it, too
        gc.freeze()
        asked = self._channel.fileno()
        while True:
            ready, *_ = select.select([self._woken, asked], [], [])
            if self._woken in ready:
                os.read(self._woken, MOST_BYTES)
                self._report()
            if asked in ready:
                data, streams, *_ = socket.recv_fds(self._channel, MOST_BYTES, STREAMS)
                if not data:
                    return
                self._channel.send(str(self._fork(json.loads(data), streams)).encode())

    def _fork(self, settings: dict[str, Any], streams: list[int]) -> int:
        pid = os.fork()
        *standard, report = streams
        if pid == 0:
            os.close(report)
            self._become(settings, standard)
        self._reports[pid] = report
        for stream in standard:
            os.close(stream)
        return pid

    def _become(self, settings: dict[str, Any], standard: list[int]) -> None:
        """Run the work in this fork, which has these standard streams; never return."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._channel.close()
            for pipe in (self._woken, self._wake, *self._reports.values()):
                os.close(pipe)
            os.setpgid(0, 0)  # protects it from Ctrl-C; in a new session, niceness would have no effect
            for number, stream in enumerate(standard):
                os.dup2(stream, number)
                os.close(stream)
            self._work(settings)
        except BaseException:  # noqa: BLE001 - whatever it was, this fork may not go on as a template
            traceback.print_exc()
        finally:
            os._exit(1)

    def _report(self) -> None:
        """Write the exit codes of the processes that have ended."""
        for pid, report in list(self._reports.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._reports[pid]
                with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
                    os.write(report, str(os.waitstatus_to_exitcode(status)).encode())
                os.close(report)


def main() -> None:
    """Load the module of the work and become its template; standard input is the channel."""
    worker = importlib.import_module(sys.argv[1])
    with socket.socket(fileno=os.dup(0)) as channel:
        Template(worker.main, channel).run()


if __name__ == "__main__":
    main()
