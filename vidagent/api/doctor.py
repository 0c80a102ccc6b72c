"""Check of an installation: decoders, sandbox, cache, disk, model and speech, with what to do about what is wrong."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vidagent import config
from vidagent.agents.server.connection import public_url
from vidagent.agents.server.model_choice import EMBEDDED, available
from vidagent.agents.speech.choice import ear_of
from vidagent.api.assemble import cache_folder
from vidagent.config import Settings
from vidagent.errors import ModelError, UsageError, VideoError
from vidagent.images import jpeg, mp4
from vidagent.video.decoders.base import DECODERS, DecoderName
from vidagent.video.video import Video

State = Literal["ok", "note", "fault"]
PACKAGES = (
    "vidagent",
    "av",
    "numpy",
    "opencv-python-headless",
    "langgraph",
    "decord",
    "torchcodec",
    "faster-whisper",
)
_FRAMES, _STEP_S = 5, 0.2
_LOW_DISK_BYTES = 1_000_000_000
_PROTECTIONS = {
    "no_new_privs": "Linux 3.5 or newer",
    "Landlock": "Linux 5.13 or newer with landlock among the security modules (boot option lsm=landlock,…)",
    "seccomp": "Linux with CONFIG_SECCOMP_FILTER, on x86-64 or 64-bit Arm",
}
"""What each protection of the decoding process needs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Args:
        name: What was checked, such as `"decoder pyav"`.
        state: `ok`, `note` for what vidagent works without, or `fault`.
        text: What was found.
        advice: What to do about it, or None.
        exit_code: Exit code of the command line for a fault, as that of the error it would cause.
    """

    name: str
    state: State
    text: str
    advice: str | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The results of all checks."""

    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """That of the first fault, or 0."""
        return next((finding.exit_code for finding in self.findings if finding.state == "fault"), 0)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"ok": self.exit_code == 0, "checks": [asdict(finding) for finding in self.findings]}

    def lines(self) -> list[str]:
        """Return human-readable lines."""
        lines = []
        for finding in self.findings:
            lines.append(f"{finding.state:<5} {finding.name}: {finding.text}")
            if finding.advice is not None:
                lines.append(f"      → {finding.advice}")
        return lines


def diagnose(*, base_url: str | None = None) -> Diagnosis:
    """Check whether and how well this installation can answer questions.

    Args:
        base_url: Server to look for models at; by default as in the settings.

    Raises:
        UsageError: If the settings are invalid.
    """
    settings = config.load(base_url=base_url)
    checks = (_cache(settings), _disk(settings), _model(settings), _speech(settings))
    return Diagnosis((_versions(), *_decoders(), *checks))


def _versions() -> Finding:
    found = [f"{name} {known}" for name in PACKAGES if (known := _version(name)) is not None]
    system = (
        f"Python {platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}"
    )
    return Finding("versions", "ok", f"{', '.join(found)}; {system}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _decoders() -> Iterator[Finding]:
    """Have each decoder read a clip, and say what protects its process."""
    with tempfile.TemporaryDirectory(prefix="vidagent-") as folder:
        clip = Path(folder) / "clip.mp4"
        pictures = [jpeg.encode(np.full((96, 160, 3), 40 * number, np.uint8)) for number in range(_FRAMES)]
        clip.write_bytes(mp4.encode(pictures, _STEP_S))
        for name in DECODERS:
            yield from _decoder(name, clip)


def _decoder(name: DecoderName, clip: Path) -> Iterator[Finding]:
    began = time.perf_counter()
    try:
        with Video.open(clip, decoder=name) as video:
            frames = video.frames_at([_STEP_S * number for number in range(_FRAMES)])
            unprotected = video.unprotected
    except UsageError as error:
        yield Finding(f"decoder {name}", "note", str(error), "nothing, unless you want this decoder")
        return
    except VideoError as error:
        yield Finding(
            f"decoder {name}",
            "fault",
            str(error),
            f"pip install --force-reinstall {name}",
            VideoError.exit_code,
        )
        return
    took_s = time.perf_counter() - began
    yield Finding(f"decoder {name}", "ok", f"read {len(frames)} frames of a test clip in {took_s:.2f} s")
    if name == "pyav":
        yield _sandbox(unprotected)


def _sandbox(unprotected: tuple[str, ...]) -> Finding:
    if not unprotected:
        return Finding("sandbox", "ok", f"decoders run under {', '.join(_PROTECTIONS)} and hard limits")
    needs = "; ".join(f"{name} needs {_PROTECTIONS.get(name, 'another system')}" for name in unprotected)
    return Finding(
        "sandbox",
        "note",
        f"decoders run without {' and '.join(unprotected)}: a crafted file that takes one over gets further",
        f"{needs}; until then, decode files of strangers in a container or as a user of their own",
    )


def _cache(settings: Settings) -> Finding:
    folder = cache_folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 16))
    except OSError as error:
        return Finding(
            "cache",
            "note",
            f"{folder} cannot be written ({error.strerror}): indexes are built anew for each question",
            "free or mount it, or set VIDAGENT_CACHE_DIR to another folder",
        )
    others = folder.stat().st_mode & 0o077
    if others and folder.stat().st_uid == os.getuid():
        return Finding(
            "cache", "note", f"{folder} is open to other users of this machine", f"chmod 700 {folder}"
        )
    return Finding("cache", "ok", f"{folder}, at most {settings.cache_mb:g} MB")


def _disk(settings: Settings) -> Finding:
    folder = cache_folder(settings)
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:.1f} GB free where the cache is"
    if free < _LOW_DISK_BYTES:
        return Finding(
            "disk", "note", text, "free some, or set cache_mb (VIDAGENT_CACHE_MB) to what there is"
        )
    return Finding("disk", "ok", text)


def _model(settings: Settings) -> Finding:
    try:
        found = available(settings)
    except ModelError as error:
        return Finding(
            "model",
            "fault",
            str(error),
            "start the server, or correct the base URL (--base-url, VIDAGENT_BASE_URL, vidagent.toml)",
            ModelError.exit_code,
        )
    chosen = next((model for model in found if model.chosen), found[0])
    where = f" at {chosen.where}" if chosen.where else ""
    if chosen.model == EMBEDDED:
        return Finding(
            "model",
            "note",
            f"{EMBEDDED}, the embedded one: it reads texts, codes, cuts, motion and colours, and nothing else",
            "start a server with a vision-language model, such as `vidagent vlm serve`, or give --base-url",
        )
    return Finding("model", "ok", f"{chosen.model}{where} would answer, one of {len(found)} within reach")


def _speech(settings: Settings) -> Finding:
    try:
        ear = ear_of(settings)
    except UsageError as error:
        advice = "correct that setting, or remove it to do without speech"
        return Finding("speech", "fault", str(error), advice, UsageError.exit_code)
    if ear is None:
        advice = "set VIDAGENT_SPEECH_MODEL=small, with pip install 'vidagent[speech]', or a transcribe_url"
        return Finding("speech", "note", "no speech model: what is said in videos is not known", advice)
    where = (
        "in this process" if settings.transcribe_url is None else f"at {public_url(settings.transcribe_url)}"
    )
    return Finding("speech", "ok", f"{ear.model} {where} would transcribe what is said")
