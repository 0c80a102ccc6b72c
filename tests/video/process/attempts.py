"""A decoding process that was taken over: instead of decoding, it tries what it must not be able to do.

It is started as the real one is, and reads what to try it on from the "video", a JSON file. With UNPROTECTED set, it
does not enter the sandbox, which shows that each attempt would succeed.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import vidagent.video.process.worker as process

LIBC = ctypes.CDLL(None, use_errno=True)
SHARED = ctypes.create_string_buffer(b"12345678")
"""Stands at the same address in the template, of which this process is a fork."""
ATTEMPTS: dict[str, Callable[[Target], object]] = {}


class Target:
    """What to try it on."""

    def __init__(self, video: Path) -> None:
        self.video = video
        fields = json.loads(video.read_bytes())
        self.parent, self.template = int(fields["parent"]), os.getppid()
        self.secret, self.folder = Path(fields["secret"]), Path(fields["folder"])
        self.port, self.victim = int(fields["port"]), int(fields["victim"])
        self.address, self.inherited = int(fields["address"]), tuple(fields["inherited"])


def attempt(work: Callable[[Target], object]) -> Callable[[Target], object]:
    ATTEMPTS[work.__name__] = work
    return work


def call(name: str, *arguments: Any) -> int:
    result = getattr(LIBC, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def syscall(number: int, *arguments: Any) -> int:
    return call("syscall", number, *arguments)


@attempt
def read_an_api_key(target: Target) -> None:
    assert os.environ["VIDAGENT_API_KEY"]


@attempt
def read_the_parents_environment(target: Target) -> None:
    assert Path(f"/proc/{target.parent}/environ").read_bytes()


@attempt
def read_own_environment_in_proc(target: Target) -> None:
    Path("/proc/self/environ").read_bytes()


@attempt
def read_a_secret(target: Target) -> None:
    target.secret.read_text()


@attempt
def read_the_users(target: Target) -> None:
    Path("/etc/passwd").read_text()


@attempt
def list_a_folder(target: Target) -> None:
    list(target.folder.iterdir())


@attempt
def list_processes(target: Target) -> None:
    list(Path("/proc").iterdir())


@attempt
def read_a_command_line(target: Target) -> None:
    Path(f"/proc/{target.victim}/cmdline").read_bytes()


@attempt
def read_the_parents_open_files(target: Target) -> None:
    list(Path(f"/proc/{target.parent}/fd").iterdir())


@attempt
def use_an_inherited_file(target: Target) -> None:
    handle, inode = target.inherited
    assert os.fstat(handle).st_ino == inode


@attempt
def create_a_file(target: Target) -> None:
    (target.folder / "created").write_text("x")


@attempt
def create_a_folder(target: Target) -> None:
    (target.folder / "made").mkdir()


@attempt
def create_shared_memory(target: Target) -> None:
    path = Path(f"/dev/shm/vidagent-test-{os.getpid()}")
    path.write_text("x")
    path.unlink()


@attempt
def open_the_video_for_writing(target: Target) -> None:
    os.close(os.open(target.video, os.O_RDWR))


@attempt
def truncate_the_secret(target: Target) -> None:
    os.truncate(target.secret, 2)


@attempt
def rename_the_secret(target: Target) -> None:
    target.secret.rename(target.folder / "renamed")
    (target.folder / "renamed").rename(target.secret)


@attempt
def link_to_the_secret(target: Target) -> None:
    os.link(target.secret, target.folder / "linked")


@attempt
def change_a_mode(target: Target) -> None:
    target.video.chmod(0o600)


@attempt
def delete_a_file(target: Target) -> None:
    (target.folder / "doomed").unlink()


@attempt
def watch_a_folder(target: Target) -> None:
    call("inotify_add_watch", call("inotify_init"), os.fsencode(target.folder), 2)


@attempt
def connect_by_tcp(target: Target) -> None:
    socket.create_connection(("127.0.0.1", target.port), 2).close()


@attempt
def listen_on_tcp(target: Target) -> None:
    socket.create_server(("127.0.0.1", 0)).close()


@attempt
def send_a_datagram(target: Target) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", target.port))


@attempt
def open_a_unix_socket(target: Target) -> None:
    socket.socket(socket.AF_UNIX).close()


@attempt
def run_a_shell(target: Target) -> None:
    subprocess.run(["/bin/sh", "-c", "true"], check=True, timeout=10)


@attempt
def fork(target: Target) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


@attempt
def spawn(target: Target) -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


@attempt
def replace_itself(target: Target) -> None:
    """Not found where it is allowed to try."""
    try:
        os.execv("/does/not/exist", ["x"])
    except FileNotFoundError:
        return


@attempt
def run_code_from_memory(target: Target) -> None:
    os.close(os.memfd_create("x"))


@attempt
def trace_a_process(target: Target) -> None:
    call("ptrace", 16, target.victim, None, None)  # PTRACE_ATTACH
    os.waitpid(target.victim, 0)
    call("ptrace", 17, target.victim, None, None)


@attempt
def read_the_parents_memory(target: Target) -> None:
    move_memory("process_vm_readv", target.parent, target.address)


@attempt
def write_the_parents_memory(target: Target) -> None:
    move_memory("process_vm_writev", target.parent, target.address)


def move_memory(name: str, pid: int, address: int) -> None:
    own = ctypes.create_string_buffer(b"12345678")
    here, there = (ctypes.c_size_t * 2)(ctypes.addressof(own), 8), (ctypes.c_size_t * 2)(address, 8)
    call(name, pid, here, 1, there, 1, 0)


@attempt
def write_the_templates_memory(target: Target) -> None:
    move_memory("process_vm_writev", target.template, ctypes.addressof(SHARED))


@attempt
def read_the_templates_open_files(target: Target) -> None:
    list(Path(f"/proc/{target.template}/fd").iterdir())


@attempt
def signal_the_template(target: Target) -> None:
    os.kill(target.template, 0)


@attempt
def open_the_parents_memory(target: Target) -> None:
    os.close(os.open(f"/proc/{target.parent}/mem", os.O_RDWR))


@attempt
def signal_the_parent(target: Target) -> None:
    os.kill(target.parent, 0)


@attempt
def signal_by_thread_id(target: Target) -> None:
    syscall(234, target.parent, target.parent, signal.SIGCONT)


@attempt
def signal_by_handle(target: Target) -> None:
    signal.pidfd_send_signal(os.pidfd_open(target.parent), 0)


@attempt
def signal_by_a_files_owner(target: Target) -> None:
    import fcntl

    fcntl.fcntl(0, 8, target.parent)  # F_SETOWN
    fcntl.fcntl(0, 8, 0)


@attempt
def raise_the_limit_on_memory(target: Target) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))


@attempt
def raise_the_limit_on_files(target: Target) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40))


@attempt
def dump_core(target: Target) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30))


@attempt
def set_the_parents_limits(target: Target) -> None:
    resource.prlimit(target.parent, resource.RLIMIT_NOFILE)


@attempt
def slow_the_parent(target: Target) -> None:
    os.setpriority(os.PRIO_PROCESS, target.parent, os.getpriority(os.PRIO_PROCESS, target.parent))


@attempt
def pin_the_parent(target: Target) -> None:
    os.sched_setaffinity(target.parent, os.sched_getaffinity(0))


@attempt
def become_dumpable(target: Target) -> None:
    call("prctl", 4, 1, 0, 0, 0)


@attempt
def enter_namespaces(target: Target) -> None:
    call("unshare", 0x40000000)  # CLONE_NEWNET


@attempt
def change_the_root(target: Target) -> None:
    os.chroot("/")


@attempt
def open_the_terminal_device(target: Target) -> None:
    os.close(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))


@attempt
def submit_io_by_ring(target: Target) -> None:
    os.close(syscall(425, 1, ctypes.create_string_buffer(256)))  # io_uring_setup


@attempt
def keep_a_key(target: Target) -> None:
    syscall(248, b"user", b"vidagent-test", b"x", 1, -2)  # add_key, x86-64


@attempt
def load_a_kernel_program(target: Target) -> None:
    syscall(321, 0, ctypes.create_string_buffer(struct_of_a_map()), 72)  # bpf(BPF_MAP_CREATE), x86-64


def struct_of_a_map() -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in (2, 4, 4, 1)) + bytes(56)


@attempt
def read_the_kernels_messages(target: Target) -> None:
    call("klogctl", 10, None, 0)


class TakenOver:
    """Stands where the decoder does."""

    frames_decoded = 0

    def __init__(self, path: Path, **_: object) -> None:
        self._target = Target(path)

    def facts(self) -> dict[str, str]:
        """Return each attempt's outcome: an empty text if it succeeded, else the error."""
        return {name: outcome(work, self._target) for name, work in ATTEMPTS.items()}


def outcome(work: Callable[[Target], object], target: Target) -> str:
    try:
        work(target)
    except Exception as error:  # noqa: BLE001 - every failure is an outcome
        return repr(error)
    return ""


def main(settings: dict[str, Any]) -> None:
    process.PyavDecoder = TakenOver
    if "UNPROTECTED" in os.environ:
        process.sandbox.enter = lambda *_: []
    assert threading.active_count() == 1
    process.main(settings)
