"""What is kept of a run while it goes on: what was asked, every event and request, and the answer.

`run.json` says what was asked of which model, `trace.jsonl` what happened, line by line as it happens, `index.json`
what the video's index held at the start, `answer.json` how it ended. No key is ever in them. A disk that is full, or
a folder that cannot be written, ends the recording and not the run.

A trace takes 64 MiB at most: from 32 MiB on requests stand in it without their bodies, from 64 MiB on nothing does.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.config import get_config
from pydantic import TypeAdapter

from vidagent import tracing
from vidagent.agents.client.client import ModelClient
from vidagent.agents.profiles.schema import Profile
from vidagent.graphs.events import Event, Listener
from vidagent.graphs.state import Run, State
from vidagent.runs.folder import Record
from vidagent.runs.request import Brief
from vidagent.types import Answer, Budget, VideoInfo

BODIES_BYTES = 32 << 20
MOST_BYTES = 64 << 20
_LEAST_KEY = 8
_WORDS = frozenset({"thought", "token", "progress"})
"""Events that a later one, or a reply, says again."""
_PACKAGES = ("vidagent", "langgraph", "langchain-core", "langchain-openai", "av")
_log = logging.getLogger(__name__)


class Trace:
    """A file of JSON lines, each written at once and whole, from any thread.

    Args:
        path: The file; what it holds already stays.
        part: How often the run has been begun or gone on with, this time included.
        secret: A text that is never written.
    """

    def __init__(self, path: Path, part: int, secret: str | None) -> None:
        """Open the file; a line that a kill cut off is ended."""
        self._part, self._lock = part, threading.Lock()
        self._secret = json.dumps(secret)[1:-1] if secret and len(secret) >= _LEAST_KEY else None
        self._bytes = path.stat().st_size if path.exists() else 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if self._bytes:
            os.write(self._file, b"\n")

    def write(self, line: dict[str, Any]) -> None:
        """Write a line; the step of the graph that it comes from is written with it."""
        told = {"at": round(time.time(), 3), "part": self._part, "task": _task(), **line}
        if self._bytes > BODIES_BYTES:
            told.pop("request", None)
        text = json.dumps(told, ensure_ascii=True, default=str)
        if self._secret is not None:
            text = text.replace(self._secret, "***")
        with self._lock:
            if self._file < 0 or self._bytes + len(text) >= MOST_BYTES:
                return
            try:
                self._bytes += os.write(self._file, f"{text}\n".encode("ascii"))
            except OSError as error:
                self._stop(f"the run is not recorded any more: {error}")

    def hear(self, event: Event) -> None:
        """Write an event."""
        if event.kind not in _WORDS:
            self.write(
                {
                    "kind": "event",
                    "event": event.kind,
                    "step": event.step,
                    "text": event.text,
                    "data": event.data,
                }
            )

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
    """Keeps checkpoints, and tells the trace which steps are done and kept: those never run again."""

    trace: Trace | None = None

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a step changed."""
        await super().aput_writes(config, writes, task_id, task_path)
        if self.trace is not None and not any(channel.startswith("__error") for channel, _ in writes):
            self.trace.write({"kind": "kept", "task": task_id})


class Recording:
    """The record of one run, while it goes on.

    Args:
        record: Its folder.
        brief: What is asked.
        span: The run's, where it is traced.
    """

    def __init__(self, record: Record, brief: Brief, span: tracing.Span) -> None:
        """Go on with what is kept of the run, or begin."""
        self.told = record.read("run") or {"run_id": record.run_id, "began_s": time.time(), "parts": []}
        self._record = record
        key = brief.settings.api_key
        secret = None if key is None else key.get_secret_value()
        self.trace = Trace(record.trace, len(self.told["parts"]) + 1, secret)
        self._brief, self._span = brief, span

    def client(self, client: ModelClient) -> ModelClient:
        """Return the client, with every request recorded."""
        return client.recorded(self.trace.write)

    def asked(self) -> State:
        """Return what was asked of a run that was killed before it kept a step; empty where even that is not kept."""
        if not self.told["parts"]:
            return {}
        told = self.told
        return State(question=told["question"], options=told["options"], video_sha256=told["video"]["sha256"])

    def begin(self, run: Run) -> Self:
        """Write what is asked, of which model, about which video, and what the video's index holds."""
        if not self.told["parts"]:
            texts = [list(found) for found in run.index.texts()]
            said = run.index.spoken()
            speech = None if said is None else {"model": said.model, "done_s": said.done_s}
            self._write("index", {"scanned": run.index.scanned(), "texts": texts, "speech": speech})
        return self.ask(run.client, run.budget, [run.video.info], stream=run.stream)

    def ask(self, client: ModelClient, budget: Budget, videos: Sequence[VideoInfo], *, stream: bool) -> Self:
        """Write what is asked, of which model, about which videos."""
        brief, first = self._brief, not self.told["parts"]
        self.told["parts"].append({"started": _now(), "budget": budget.to_dict()})
        self.told |= {
            "status": "running",
            "error": None,
            "ended": None,
            "question": brief.question.text,
            "options": None if brief.question.options is None else list(brief.question.options),
            "model": client.name,
            "base_url": client.where,
            "engine": brief.settings.engine,
            "profile": TypeAdapter(Profile).dump_python(client.profile, mode="json"),
        }
        if first:
            placed = [{**info.to_dict(), "absolute": str(Path(info.path).absolute())} for info in videos]
            self.told |= {
                "started": self.told["parts"][0]["started"],
                "video": placed[0],
                **({"videos": placed} if len(placed) > 1 else {}),
                "folder": str(self._record.folder),
                "overview": {"fps": brief.overview.fps, "num_frames": brief.overview.num_frames},
                "decoder": brief.settings.decoder,
                "stream": stream,
                "versions": _versions(),
            }
        self._write("run", self.told)
        self._span.set(_asked_of(client, budget, videos))
        return self

    def hear(self, listener: Listener | None) -> Listener:
        """Return what records events and hands them on."""

        def hear(event: Event) -> None:
            self.trace.hear(event)
            if listener is not None:
                listener(event)

        return hear

    def end(self, answer: Answer) -> None:
        """Write the answer as the run gave it, its frames in the run's own folder."""
        self._write("answer", answer.to_dict())
        self._span.set(_came_of(answer))
        self._over(answer.status)

    def fail(self, error: BaseException) -> None:
        """Write why there is no answer."""
        if not self.told["parts"]:
            return
        interrupted = not isinstance(error, Exception)
        self._over("interrupted" if interrupted else "failed", f"{type(error).__name__}: {error}"[:1000])

    def _over(self, status: str, error: str | None = None) -> None:
        self._write("run", {**self.told, "status": status, "error": error, "ended": _now()})

    def _write(self, name: str, value: dict[str, Any]) -> None:
        try:
            self._record.write(name, value)
        except OSError as error:
            _log.warning("%s.json of run %s is not kept: %s", name, self._record.run_id, error)


@contextmanager
def recording(record: Record, brief: Brief) -> Iterator[Recording]:
    """Keep the record of a run up to its end, also when that is an error."""
    about = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "vidagent",
        "vidagent.run_id": record.run_id,
    }
    with tracing.span("vidagent.ask", about) as span:
        kept = Recording(record, brief, span)
        try:
            yield kept
        except BaseException as error:
            kept.fail(error)
            raise
        finally:
            kept.trace.close()


def _asked_of(client: ModelClient, budget: Budget, videos: Sequence[VideoInfo]) -> dict[str, Any]:
    """Say in a span what is asked of whom; never the question."""
    return {
        "gen_ai.request.model": client.name,
        **{f"vidagent.budget.{name}": limit for name, limit in budget.to_dict().items()},
        "vidagent.video.duration_s": [info.duration_s for info in videos],
        "vidagent.video.sha256": [info.sha256 for info in videos],
    }


def _came_of(answer: Answer) -> dict[str, Any]:
    """Say in a span how it ended and what it cost."""
    spent = answer.to_dict()["usage"]
    return {
        "vidagent.status": answer.status,
        "vidagent.ended_by": answer.budget.ended_by,
        "gen_ai.usage.input_tokens": spent["prompt_tokens"],
        "gen_ai.usage.output_tokens": spent["completion_tokens"],
        **{f"vidagent.usage.{name}": value for name, value in spent.items() if name != "by_step"},
    }


def _task() -> str | None:
    """Return the id of the step of the graph that is going on here, the same when it is gone on with."""
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
