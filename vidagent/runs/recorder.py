"""Records a run while it goes on: what was asked, every event and request, and the answer.

`run.json` holds the request, the model and the videos, `trace.jsonl` one line per event and request as they happen,
`index.json` what the video's index held at the start, `answer.json` the answer. None of them holds a key. If the disk
is full or the folder cannot be written, recording stops and the run goes on.

A trace takes at most 64 MiB: from 32 MiB on, requests are written without their bodies.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.config import get_config
from pydantic import TypeAdapter

from vidagent import tracing
from vidagent.agents.client.client import ModelClient
from vidagent.agents.profiles.schema import Profile
from vidagent.graphs.events import Event, Listener
from vidagent.graphs.state import Run, State
from vidagent.runs.folder import RunFolder
from vidagent.runs.request import Request
from vidagent.types import Answer, Budget, VideoInfo

MAX_BODIES_BYTES = 32 << 20
MAX_BYTES = 64 << 20
_MIN_KEY_CHARS = 8
_TRANSIENT = frozenset({"thought", "token", "progress"})
"""Events whose content a later event or a reply repeats."""
_PACKAGES = ("vidagent", "langgraph", "langchain-core", "langchain-openai", "av")
_log = logging.getLogger(__name__)


class Trace:
    """A file of JSON lines, each appended whole, from any thread; `part` counts the starts and resumes of the run."""

    def __init__(self, path: Path, part: int, secret: str | None) -> None:
        """Open the file, and end a line that a kill cut off; `secret` is written as `***`."""
        self._part, self._lock = part, threading.Lock()
        self._secret = json.dumps(secret)[1:-1] if secret and len(secret) >= _MIN_KEY_CHARS else None
        self._bytes = path.stat().st_size if path.exists() else 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(self._file, fcntl.LOCK_SH)  # whoever clears the cache sees that the run goes on
        if self._bytes:
            os.write(self._file, b"\n")

    def write(self, line: dict[str, Any]) -> None:
        """Write a line, with the step of the graph that it comes from."""
        entry = {"at": round(time.time(), 3), "part": self._part, "task": _task(), **line}
        if self._bytes > MAX_BODIES_BYTES:
            entry.pop("request", None)
        text = json.dumps(entry, ensure_ascii=True, default=str)
        if self._secret is not None:
            text = text.replace(self._secret, "***")
        with self._lock:
            if self._file < 0 or self._bytes + len(text) >= MAX_BYTES:
                return
            try:
                self._bytes += os.write(self._file, f"{text}\n".encode("ascii"))
            except OSError as error:
                self._stop(f"the run is no longer recorded: {error}")

    def write_event(self, event: Event) -> None:
        """Write an event, unless it is transient."""
        if event.kind not in _TRANSIENT:
            fields = {"step": event.step, "text": event.text, "data": event.data}
            self.write({"kind": "event", "event": event.kind, **fields})

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._stop()

    def _stop(self, why: str = "") -> None:
        if why:
            _log.warning("%s", why)
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


class Saver(AsyncSqliteSaver):
    """Saves checkpoints, and notes in the trace which steps are saved: those never run again."""

    trace: Trace | None = None

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a step changed."""
        await super().aput_writes(config, writes, task_id, task_path)
        if self.trace is not None and not any(channel.startswith("__error") for channel, _ in writes):
            self.trace.write({"kind": "kept", "task": task_id})


class Recorder:
    """Writes the record of one run, and the attributes of its tracing span."""

    def __init__(self, folder: RunFolder, request: Request, span: tracing.Span) -> None:
        """Continue the record of an earlier run, or begin one."""
        self._run = folder.read("run") or {"run_id": folder.run_id, "began_s": time.time(), "parts": []}
        self._folder, self._request, self._span = folder, request, span
        key = request.settings.api_key
        secret = None if key is None else key.get_secret_value()
        self.trace = Trace(folder.trace, len(self._run["parts"]) + 1, secret)

    def client(self, client: ModelClient) -> ModelClient:
        """Return the client, with every request recorded."""
        return client.recorded(self.trace.write)

    def asked(self) -> State:
        """Return what was asked in a run that was killed before its first checkpoint; empty if nothing was recorded."""
        run = self._run
        if not run["parts"]:
            return {}
        return State(
            question=run["question"],
            options=run["options"],
            schema=run.get("schema"),
            fingerprint=run["video"].get("fingerprint", ""),
        )

    def begin(self, run: Run, opening: Sequence[dict[str, Any]] = ()) -> None:
        """Write what is asked, of which model, about which video, what the index holds, and what was spent before."""
        if not self._run["parts"]:
            self._run["opening"] = list(opening)
            texts = [list(found) for found in run.index.texts()]
            ear, transcript = run.index.ear, run.index.spoken()
            speech = None
            if ear is not None and transcript is not None:
                speech = {"model": ear.model, "identity": ear.identity, "done_s": transcript.done_s}
            described = run.index.description(run.client.name)
            scanned = run.index.scanned()
            held = {
                "scanned": scanned,
                "read": run.index.texts_known(),
                "texts": texts,
                "speech": speech,
                "described": described,
            }
            self._write("index", held)
        self.write_request(run.client, run.budget, [run.video.info], stream=run.stream)

    def write_request(
        self, client: ModelClient, budget: Budget, videos: Sequence[VideoInfo], *, stream: bool
    ) -> None:
        """Write what is asked, of which model, about which videos."""
        request, first = self._request, not self._run["parts"]
        self._run["parts"].append({"started": _now(), "budget": budget.to_dict()})
        self._run |= {
            "status": "running",
            "error": None,
            "ended": None,
            "question": request.question.text,
            "options": request.options,
            "length": request.length,
            "schema": request.schema,
            "model": client.name,
            "base_url": client.where,
            "engine": request.settings.engine,
            "profile": TypeAdapter(Profile).dump_python(client.own_profile, mode="json"),
        }
        if first:
            located = [_located(info) for info in videos]
            self._run |= {
                "started": self._run["parts"][0]["started"],
                "server": client.memory.facts.to_dict(),
                "video": located[0],
                **({"videos": located} if len(located) > 1 else {}),
                "folder": str(self._folder.path),
                "overview": {"fps": request.overview.fps, "num_frames": request.overview.num_frames},
                "decoder": request.settings.decoder,
                "video_stream": request.settings.video_stream,
                "stream": stream,
                "versions": _versions(),
            }
        self._write("run", self._run)
        self._span.set(_request_attributes(client, budget, videos))

    def listener(self, forward_to: Listener | None) -> Listener:
        """Return a listener that records events and forwards them."""

        def listen(event: Event) -> None:
            self.trace.write_event(event)
            if forward_to is not None:
                forward_to(event)

        return listen

    def end(self, answer: Answer) -> None:
        """Write the answer, whose frames are in the run's own folder, and the hashes of its videos."""
        self._write("answer", answer.to_dict())
        located = [self._run["video"], *self._run.get("videos", ())[1:]]
        for kept, info in zip(located, answer.videos or [answer.video], strict=True):
            kept["sha256"] = info.sha256
        self._span.set(_answer_attributes(answer))
        self._close(answer.status)

    def fail(self, error: BaseException) -> None:
        """Write why there is no answer."""
        if not self._run["parts"]:
            return
        interrupted = not isinstance(error, Exception)
        self._close("interrupted" if interrupted else "failed", f"{type(error).__name__}: {error}"[:1000])

    def _close(self, status: str, error: str | None = None) -> None:
        self._write("run", {**self._run, "status": status, "error": error, "ended": _now()})

    def _write(self, name: str, value: dict[str, Any]) -> None:
        try:
            self._folder.write(name, value)
        except OSError as error:
            _log.warning("%s.json of run %s is not written: %s", name, self._folder.run_id, error)


@contextmanager
def record_run(folder: RunFolder, request: Request) -> Iterator[Recorder]:
    """Record a run up to its end, also if that is an error."""
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "vidagent",
        "vidagent.run_id": folder.run_id,
    }
    with tracing.span("vidagent.ask", attributes) as span:
        recorder = Recorder(folder, request, span)
        try:
            yield recorder
        except BaseException as error:
            recorder.fail(error)
            raise
        finally:
            recorder.trace.close()


def _located(info: VideoInfo) -> dict[str, Any]:
    """Return the facts of a video of which the hash need not be known yet, and where the file is."""
    return {
        **info.shape(),
        "fingerprint": info.fingerprint,
        "absolute": str(Path(info.path).absolute()),
    }


def _request_attributes(client: ModelClient, budget: Budget, videos: Sequence[VideoInfo]) -> dict[str, Any]:
    """Return a span's attributes of what is asked of which model; never the question itself."""
    return {
        "gen_ai.request.model": client.name,
        **{f"vidagent.budget.{name}": limit for name, limit in budget.to_dict().items()},
        "vidagent.video.duration_s": [info.duration_s for info in videos],
    }


def _answer_attributes(answer: Answer) -> dict[str, Any]:
    """Return a span's attributes of how the run ended and what it cost."""
    spent = answer.to_dict()["usage"]
    return {
        "vidagent.status": answer.status,
        "vidagent.ended_by": answer.budget.ended_by,
        "vidagent.video.sha256": [info.sha256 for info in answer.videos or [answer.video]],
        "gen_ai.usage.input_tokens": spent["prompt_tokens"],
        "gen_ai.usage.output_tokens": spent["completion_tokens"],
        **{f"vidagent.usage.{name}": value for name, value in spent.items() if name != "by_step"},
    }


def _task() -> str | None:
    """Return the id of the graph's step that runs here, which stays the same when it is resumed."""
    try:
        place = (get_config().get("metadata") or {}).get("langgraph_checkpoint_ns")
    except RuntimeError:
        return None
    return None if place is None else str(place).rpartition(":")[2]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
