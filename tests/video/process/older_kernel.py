"""The decoding process on a kernel without Landlock and on a processor whose system calls are not listed."""

from __future__ import annotations

import sys

import vidagent.video.process.worker as process
from vidagent.video.process import landlock, seccomp

if __name__ == "__main__":
    landlock.version = lambda _: 0
    seccomp.platform.machine = lambda: "riscv64"
    sys.exit(process.main())
