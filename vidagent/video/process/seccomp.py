"""System calls that the decoding process may make, as a seccomp filter (Linux, x86-64 and 64-bit Arm).

Every other call fails with ENOSYS, which the C library and Python answer with an older call or an error. See seccomp(2)
and the kernel's `Documentation/userspace-api/seccomp_filter.rst`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "lseek": (8, 62),
    "close": (3, 57),
    "dup": (32, 23),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "stat": (4, None),
    "fstat": (5, 80),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "membarrier": (324, 283),
    "get_mempolicy": (239, 236),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getcpu": (309, 168),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrlimit": (97, 163),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "times": (100, 153),
    "getrusage": (98, 165),
    "getrandom": (318, 278),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "restart_syscall": (219, 128),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
}
"""Numbers on x86-64 (`asm/unistd_64.h`) and on Arm (`asm-generic/unistd.h`; None where there is no such call)."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A call that is allowed for some values of one argument, of which the low 32 bits are compared."""

    numbers: tuple[int | None, int | None]
    argument: int
    values: tuple[int, ...] = ()
    required: int = 0
    forbidden: int = 0


_THREAD = 0x10000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_GET_OWN_SETTINGS = (0, 1, 2, 3, 4, 1030)
"""`fcntl`: F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC; others send signals or lock files."""
_IS_TERMINAL, _CLOSE_ON_EXEC = 0x5401, 0x5451
_SET_NAME, _GET_NAME, _NAME_MEMORY = 15, 16, 0x53564D41

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of `_CALLS`, and `AUDIT_ARCH_*` of `linux/audit.h`."""

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.ENOSYS
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install(libc: ctypes.CDLL) -> bool:
    """Filter the calls of this thread and of those that it will start; return False if this system cannot.

    The process must have set `no_new_privs`.
    """
    known = _ARCHITECTURES.get(platform.machine())
    if known is None:
        return False
    instructions = b"".join(_instructions(*known))
    program = _Program(len(instructions) // 8, instructions)
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _rules() -> tuple[_Rule, ...]:
    return (
        _Rule((2, None), 1, forbidden=_WRITING),  # open
        _Rule((257, 56), 2, forbidden=_WRITING),  # openat
        _Rule((56, 220), 0, required=_THREAD),  # clone
        _Rule((72, 25), 1, values=_GET_OWN_SETTINGS),  # fcntl
        _Rule((16, 29), 1, values=(_IS_TERMINAL, _CLOSE_ON_EXEC)),  # ioctl
        _Rule((157, 167), 0, values=(_SET_NAME, _GET_NAME, _NAME_MEMORY)),  # prctl
        _Rule((302, 261), 0, values=(0,)),  # prlimit64, of this process
        _Rule((234, 131), 0, values=(os.getpid(),)),  # tgkill, as abort() does
    )


def _instructions(column: int, architecture: int) -> Iterator[bytes]:
    yield _instruction(_LOAD, _ARCHITECTURE_AT)
    yield _instruction(_EQUAL, architecture, if_true=1)
    yield _instruction(_RETURN, _KILL)
    yield _instruction(_LOAD, _NUMBER_AT)
    for numbers in _CALLS.values():
        number = numbers[column]
        if number is not None:
            yield _instruction(_EQUAL, number, if_false=1)
            yield _instruction(_RETURN, _ALLOW)
    for rule in _rules():
        number = rule.numbers[column]
        if number is not None:
            body = [*_conditional(rule), _instruction(_RETURN, _REFUSE)]
            yield _instruction(_EQUAL, number, if_false=len(body))
            yield from body
    yield _instruction(_RETURN, _REFUSE)


def _conditional(rule: _Rule) -> Iterator[bytes]:
    yield _instruction(_LOAD, _ARGUMENTS_AT + 8 * rule.argument)
    for value in rule.values:
        yield _instruction(_EQUAL, value, if_false=1)
        yield _instruction(_RETURN, _ALLOW)
    if rule.required:
        yield _instruction(_ANY_BIT, rule.required, if_false=1)
        yield _instruction(_RETURN, _ALLOW)
    if rule.forbidden:
        yield _instruction(_ANY_BIT, rule.forbidden, if_true=1)
        yield _instruction(_RETURN, _ALLOW)


def _instruction(code: int, operand: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
