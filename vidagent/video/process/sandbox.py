"""What the decoding process gives up before it reads the first byte of a video.

A crafted file may take the decoder over. It then finds no more than the process still has: the one file, the libraries
that decode it, and the pipes to the parent.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from pathlib import Path

import numpy as np

import vidagent
from vidagent.video.process import landlock, seccomp

PASSED_ON = (
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONHOME",
    "PYTHONUTF8",
    "VIRTUAL_ENV",
)
"""Variables of the environment that the process gets; all others, such as API keys, it never sees."""

_SYSTEM = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/proc/cpuinfo",
    "/sys/devices/system/cpu",
)
_OPEN_FILES = 128
_LOG_BYTES = 4 * 1024 * 1024
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION = 0x20080522
_READ_ANY_FILE = 1 << 2
"""CAP_DAC_READ_SEARCH: lets root read the videos of other users; which files, Landlock decides."""


def enter(video: Path, memory_bytes: int) -> list[str]:
    """Give up all that decoding does not need, for good; call it before any other thread is started.

    Args:
        video: The file that may still be read.
        memory_bytes: Limit on the address space.

    Returns:
        The protections that this system lacks.
    """
    _limit(memory_bytes)
    if sys.platform != "linux":
        return ["no_new_privs", "seccomp", "Landlock"]
    libc = ctypes.CDLL(None, use_errno=True)
    missing = []
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        missing.append("no_new_privs")
    if not landlock.restrict(libc, [video, *_libraries()]):
        missing.append("Landlock")
    _drop_capabilities(libc)
    if not seccomp.install(libc):
        missing.append("seccomp")
    return missing


def _libraries() -> list[Path]:
    """Return the folders of Python's modules, of installed packages and of shared libraries."""
    packages = Path(np.__file__).parent.parent
    return [Path(os.__file__).parent, packages, Path(vidagent.__file__).parent, *map(Path, _SYSTEM)]


def _limit(memory_bytes: int) -> None:
    _lower(resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, _LOG_BYTES)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)


def _lower(kind: int, value: int) -> None:
    """Set the soft and the hard limit, so that it cannot be raised again."""
    hard = resource.getrlimit(kind)[1]
    lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (lowered, lowered))


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Drop what root may do beyond an ordinary user, except to read files."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    held = ctypes.create_string_buffer(24)
    if libc.capget(header, held) == 0:
        _, permitted, *_ = struct.unpack("=6I", held.raw)
        kept = permitted & _READ_ANY_FILE
        libc.capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0))
