"""Starting a real vLLM server of a tiny model on this machine, and ending it with all its children."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.live.server import Server
from vidagent.agents.profiles.loader import load
from vidagent.serve.vlm.command import flag_words

START_S = 1800.0
"""Longest wait for a server to be healthy; it takes half a minute on an idle core, and more than ten where cores are
shared with much else."""

_STOP_S = 30.0
_LONGEST_RUN_S = 1800.0
_POLL_S = 0.5
_LOG_LINES = 30
_SHIM = Path(__file__).with_name("shim")
ENGINE_ENVIRONMENT = {
    "TORCHDYNAMO_DISABLE": "1",  # for what is compiled in spite of --enforce-eager: minutes of a C++ compiler
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "OMP_NUM_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16",
}
_MEDIA = {"video": {"fps": 2, "num_frames": 128, "video_backend": "opencv"}}
_PER_PROMPT = {"image": 64, "video": 4}
_STRUCTURED = {"backend": "xgrammar", "disable_any_whitespace": True}
_COMMON = (
    "--max-num-seqs=8",
    "--enforce-eager",
    "--skip-mm-profiling",
    "--enable-prompt-tokens-details",
    "--trust-request-mm-kwargs",
    f"--structured-outputs-config={json.dumps(_STRUCTURED)}",
)


@dataclass(frozen=True)
class Shape:
    """A tiny model and how it is served.

    Args:
        name: The name that the server gives it.
        folder: Its folder among the models.
        flags: Flags of its own.
    """

    name: str
    folder: str
    flags: tuple[str, ...]


QWEN = Shape(
    "tiny",
    "qwen3-vl",
    (
        "--dtype=float32",
        "--max-model-len=16384",
        "--enable-auto-tool-choice",
        "--tool-call-parser=hermes",
        "--reasoning-parser=qwen3",
        f"--limit-mm-per-prompt={json.dumps(_PER_PROMPT)}",
        f"--media-io-kwargs={json.dumps(_MEDIA)}",
    ),
)
NEMOTRON = Shape(
    "tiny-nemotron-vl",
    "nemotron-vl",
    (
        "--dtype=bfloat16",
        "--load-format=dummy",
        "--trust-remote-code",
        "--no-enable-prefix-caching",
        "--max-model-len=16384",
        f"--limit-mm-per-prompt={json.dumps(_PER_PROMPT)}",
        '--media-io-kwargs={"video": {"fps": 2, "num_frames": 128}}',
    ),
)
LLAVA = Shape(
    "tiny-llava-next-video",
    "llava-next-video",
    (
        "--dtype=float32",
        "--load-format=dummy",
        "--max-model-len=8192",
        f"--limit-mm-per-prompt={json.dumps({**_PER_PROMPT, 'image': 4})}",
        '--media-io-kwargs={"video": {"num_frames": 16}}',
    ),
)


def served_by(profile: str, folder: str, *flags: str) -> Shape:
    """Return a tiny model served with the flags of the profile of its family, as far as a CPU goes.

    Args:
        profile: The profile's name; the model's name leads to it.
        folder: Its folder among the models.
        flags: Flags in the place of the profile's.
    """
    words = [word for line in flag_words(load(profile).serve.flags) for word in line]
    small = (
        "--max-model-len=8192",
        "--max-num-seqs=8",
        f"--limit-mm-per-prompt={json.dumps(_PER_PROMPT)}",
        "--load-format=dummy",
    )
    return Shape(f"tiny-{profile}", folder, (*words, *small, *flags))


QWEN_3_5 = served_by("qwen3.5", "qwen3.5", "--dtype=bfloat16")  # linear attention on a CPU takes nothing else
GEMMA = served_by("gemma-4", "gemma-4", "--dtype=float32")
GLM = served_by("glm-4.6v", "glm-4v", "--dtype=float32")
NANO = served_by("nemotron-nano-12b-v2-vl", "nemotron-vl", "--dtype=bfloat16", "--no-enable-prefix-caching")


class NotServedError(Exception):
    """A server did not come up; the text ends with the last lines of its log."""


@dataclass(frozen=True)
class Kitchen:
    """Where servers are made.

    Args:
        environment: The virtual environment with vLLM and the tiny models, as `make test-vllm` leaves it.
        logs: The folder for the servers' logs.
        media: The folder from which servers may read files.
    """

    environment: Path
    logs: Path
    media: Path

    @contextmanager
    def serve(self, shape: Shape, *flags: str) -> Iterator[Server]:
        """Start a server, wait until it is healthy, and end it after use.

        Args:
            shape: The model.
            flags: Further flags of `vllm serve`; a repeated one counts.

        Raises:
            NotServedError: If it ends before it is healthy, or takes too long.
        """
        port = _free_port()
        number = len(list(self.logs.glob("*.log")))
        log = self.logs / f"{number}-{shape.name}.log"
        with ExitStack() as stack:
            process = stack.enter_context(_running(self._command(shape, port, flags), log))
            _wait(f"http://127.0.0.1:{port}/health", process, log)
            yield Server(f"http://127.0.0.1:{port}", shape.name)

    @contextmanager
    def serve_llama_cpp(self, context: int = 8192) -> Iterator[Server]:
        """Start llama.cpp's server of its tiny model with a context of this many tokens, and end it after use.

        Raises:
            NotServedError: If it does not come up.
        """
        files = [
            str(self.environment / "models" / "llama-cpp" / name) for name in ("text.gguf", "vision.gguf")
        ]
        log = self.logs / "llama-cpp.log"
        command = [self.environment / "bin" / "python", "-m", "tests.live.llama_server", *files, str(context)]
        with (
            log.open("wb") as out,
            subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True
            ) as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise NotServedError(f"llama.cpp's server ended:\n{_end_of(log)}")
            try:
                yield Server(address, "tiny-gguf")
            finally:
                process.stdin.close()

    def run(self, *arguments: str, newer: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python in this environment, with vidagent's own packages behind its.

        Args:
            arguments: Those of Python.
            newer: Folder of the environment with another vLLM's source, to be imported in the place of its own.
            environment: Further variables.
        """
        paths = [str(_SHIM), *([str(self.environment / newer)] if newer else []), str(ROOT)]
        given = {
            **os.environ,
            **ENGINE_ENVIRONMENT,
            "PYTHONPATH": os.pathsep.join(paths),
            "VIDAGENT_TEST_LAST_PATH": sysconfig.get_paths()["purelib"],
            **environment,
        }
        return subprocess.run(
            [self.environment / "bin" / "python", *arguments],
            env=given,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=_LONGEST_RUN_S,
            check=False,
        )

    def _command(self, shape: Shape, port: int, flags: Sequence[str]) -> list[str]:
        model = str(self.environment / "models" / shape.folder)
        where = ["--host=127.0.0.1", f"--port={port}", f"--served-model-name={shape.name}"]
        media = f"--allowed-local-media-path={self.media}"
        vllm = str(self.environment / "bin" / "vllm")
        return [vllm, "serve", model, *where, media, *_COMMON, *shape.flags, *flags]


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a process group of its own, and end the whole group."""
    environment = {**os.environ, **ENGINE_ENVIRONMENT, "PYTHONPATH": str(_SHIM)}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise NotServedError(f"vLLM ended with {process.returncode}:\n{_end_of(log)}")
        with suppress(urllib.error.URLError, OSError), closing(urllib.request.urlopen(url, timeout=5)):
            return
        time.sleep(_POLL_S)
    raise NotServedError(f"vLLM was not healthy after {START_S:g} s:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:])


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
