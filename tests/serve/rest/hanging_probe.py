"""A stand-in for probing, in its own process, which imports no more than this: files of one owner hang it."""

from __future__ import annotations

import time

from vidagent.serve.core.worker import process

OWNER = "rival"
_PROBE = process.probe


def probe(channel, environment, folder, path, limit_s) -> None:
    """Probe a video, unless it is that owner's."""
    if path.parent.name == OWNER:
        time.sleep(600)
    _PROBE(channel, environment, folder, path, limit_s)
