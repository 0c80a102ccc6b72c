"""The decoding processes below this one."""

from __future__ import annotations

import psutil

TEMPLATE = "vidagent.video.process.template"


def decoding() -> set[psutil.Process]:
    """Return the decoding processes that run: the forks of the templates below this process."""
    below = {process.pid: process for process in psutil.Process().children(recursive=True)}
    return {process for process in below.values() if _is_fork(process) and process.ppid() in below}


def _is_fork(process: psutil.Process) -> bool:
    try:
        return TEMPLATE in process.cmdline() and TEMPLATE in process.parent().cmdline()
    except psutil.NoSuchProcess:
        return False
