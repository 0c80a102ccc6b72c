"""The decoding process on a kernel without Landlock and on a processor whose system calls are not listed."""

from __future__ import annotations

from typing import Any

import vidagent.video.process.worker as process
from vidagent.video.process import landlock, seccomp


def main(settings: dict[str, Any]) -> None:
    landlock.version = lambda _: 0
    seccomp.platform.machine = lambda: "riscv64"
    process.main(settings)
