"""A recorded run: what was asked, its trace and its answer, and what a replay of it needs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from vidagent.agents.client.client import ModelClient
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.recording.replay import RecordedReplies, ReplayedChat, ReplayedEndpoint
from vidagent.agents.server.facts import ServerFacts
from vidagent.agents.server.known_servers import ServerMemory
from vidagent.errors import UsageError
from vidagent.graphs.budget import Meter
from vidagent.graphs.state import Run
from vidagent.runs.folder import RunFolder, read_lines
from vidagent.runs.request import Request, recorded_request
from vidagent.types import Answer, Budget, VideoInfo
from vidagent.video.cache.video_cache import FoundText
from vidagent.video.index.transcript import NOBODY, Stop, Transcriber, Transcript, Voices
from vidagent.video.index.video_index import Index
from vidagent.video.sound import Samples


@dataclass(frozen=True)
class _OfflineSpeech:
    """Stands for the speech model of the recorded run; it transcribes nothing, as a replay sends nothing."""

    model: str
    identity: str
    piece_s: float = math.inf

    def hear(self, sound: Samples, stop: Stop, voices: Voices = NOBODY) -> None:
        """Transcribe nothing."""


@dataclass
class _IndexSnapshot(Index):
    """The index as it was when a run began, without what has been added to it since.

    Args:
        was_scanned: Whether the video was scanned.
        were_read: Whether all texts on screen were read.
        read: The texts read so far.
        heard_s: Up to where speech was transcribed, in seconds.
        described: How the model had described the overview.
    """

    was_scanned: bool = False
    were_read: bool = False
    read: list[FoundText] = field(default_factory=list)
    heard_s: float = 0.0
    described: list[dict[str, Any]] | None = None

    def description(self, model: str) -> list[dict[str, Any]] | None:
        """Return how the model had described the overview before the run."""
        return self.described

    def keep_description(self, model: str, scenes: list[dict[str, Any]]) -> None:
        """Keep nothing: the index has what the run described."""

    def scanned(self) -> bool:
        """Tell whether the video was scanned then, or has been in the replay."""
        return self.was_scanned or self._scan is not None

    def texts_known(self) -> bool:
        """Tell whether all texts on screen were read then."""
        return self.were_read

    def spoken(self, *, listen: bool = False) -> Transcript | None:
        """Return the speech transcribed then, or all of it once the replay has asked for it."""
        if self.ear is None:
            return None
        self.heard_s = math.inf if listen else self.heard_s
        return Transcriber(self.video, self._entries, self.ear).kept(self.heard_s)

    def texts(self) -> list[FoundText]:
        """Return the texts read before the run and in it."""
        return sorted(
            self.read, key=lambda found: (found.time_s, ",".join(map(str, found.box_px or ())), found.text)
        )

    def note_texts(self, found: Sequence[FoundText]) -> None:
        """Add texts for this replay only."""
        self.read += [text for text in dict.fromkeys(found) if text not in self.read]


@dataclass(frozen=True)
class RecordedRun:
    """A run in its folder.

    Raises:
        UsageError: If it has no `run.json`.
    """

    folder: RunFolder

    def __post_init__(self) -> None:
        """Refuse a folder without a record."""
        if self.folder.read("run") is None:
            raise UsageError(f"run {self.run_id} has no record of what was asked (run.json)")

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.folder.run_id

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Content of `run.json`: what was asked of which model, about which videos."""
        return self.folder.read("run") or {}

    @cached_property
    def request(self) -> Request:
        """What was asked."""
        return recorded_request(self.metadata)

    @cached_property
    def answer(self) -> dict[str, Any] | None:
        """Content of `answer.json`; None if the run has no answer."""
        return self.folder.read("answer")

    @property
    def is_multi_video(self) -> bool:
        """Whether it was about several videos."""
        return "videos" in self.metadata

    @cached_property
    def video_runs(self) -> list[RecordedRun]:
        """The runs about each of several videos that have begun; empty for a run about one video."""
        folders = [self.folder.part(number) for number, _ in enumerate(self.metadata.get("videos", ()), 1)]
        return [RecordedRun(folder) for folder in folders if folder.read("run") is not None]

    @cached_property
    def trace(self) -> list[dict[str, Any]]:
        """The lines of the trace, without steps that a kill cut off and that were repeated after the resume."""
        lines = list(read_lines(self.folder.trace))
        last: dict[str, int] = {}
        for line in lines:
            if line["task"] is not None:
                last[line["task"]] = max(line["part"], last.get(line["task"], 0))
        return [line for line in lines if line["task"] is None or line["part"] == last[line["task"]]]

    def check_replay(self) -> dict[str, Any]:
        """Return the recorded answer, which a replay has to repeat.

        Raises:
            UsageError: If the run cannot be replayed.
        """
        if self.answer is None:
            raise UsageError(
                f"run {self.run_id} has no answer to replay: it is {self.metadata['status']}; "
                f"`vidagent runs resume {self.run_id}` resumes it"
            )
        if any(part["budget"] != self.metadata["parts"][0]["budget"] for part in self.metadata["parts"]):
            raise UsageError(
                f"run {self.run_id} was resumed under another budget, and only runs with one budget can be replayed"
            )
        return self.answer

    def check_video(self, info: VideoInfo, sha256: str | None = None) -> None:
        """Refuse another video than that of the run, which has ended.

        `sha256` is the expected one where it has several.

        Raises:
            UsageError: If its bytes differ.
        """
        expected = sha256 or self.metadata["video"]["sha256"]
        if info.sha256 != expected:
            raise UsageError(
                f"run {self.run_id} was about a video with sha256 {expected[:12]}…, "
                f"and {info.path} has {info.sha256[:12]}…"
            )

    @property
    def budget(self) -> Budget:
        """The limits of the run."""
        return Budget(**self.metadata["parts"][-1]["budget"])

    def client(self) -> ModelClient:
        """Return an offline client that replays the recorded replies."""
        requests = sorted(
            (line for line in self.trace if line["kind"] == "request"),
            key=lambda line: (line["part"], line["n"]),
        )
        answer = self.answer or {"budget": {"ended_by": None}}
        out_of_time = answer["budget"]["ended_by"] == "seconds"
        base_url = self.metadata["base_url"]
        chat = ReplayedChat(
            replies=RecordedReplies(self.run_id, requests, out_of_time=out_of_time),
            model_name=self.metadata["model"],
            openai_api_base=base_url,
        )
        counted = [line for line in self.trace if line["kind"] == "tokens"]
        endpoint = None if base_url is None else ReplayedEndpoint(base_url, counted)
        profile = TypeAdapter(Profile).validate_python(self.metadata["profile"])
        facts = ServerFacts.from_dict(self.metadata.get("server", {}))
        return ModelClient(chat, profile, endpoint, ServerMemory(facts))

    def restore(self, run: Run) -> Run:
        """Return a new run with the index as it was recorded, and without a time limit."""
        index = self.folder.read("index") or {"scanned": False, "texts": []}
        texts = [
            FoundText(time_s, text, None if box is None else (box[0], box[1], box[2], box[3]))
            for time_s, text, box in index["texts"]
        ]
        profile, speech = run.client.profile, index.get("speech")
        return dataclasses.replace(
            run,
            index=_IndexSnapshot(
                run.video,
                run.index.cache,
                ear=_OfflineSpeech(speech["model"], speech.get("identity", speech["model"]))
                if speech
                else None,
                was_scanned=index["scanned"],
                were_read=index.get("read", False),
                read=texts,
                heard_s=speech["done_s"] if speech else 0.0,
                described=index.get("described"),
            ),
            meter=Meter(
                dataclasses.replace(run.budget, seconds=None), profile.frame_tokens, profile.thinking.allotted
            ),
        )

    def frame_path(self, ref: str) -> Path:
        """Return the path of a frame in the run's folder."""
        return Path(self.metadata["folder"]) / "frames" / ref[:2] / f"{ref}.jpg"

    def with_recorded_costs(self, answer: Answer) -> Answer:
        """Return a replay's answer with the recorded seconds, decoded frames and paths of the videos."""
        recorded = self.check_replay()
        usage = recorded["usage"]
        steps = tuple(
            dataclasses.replace(step, seconds=then["seconds"], frames_decoded=then["frames_decoded"])
            for step, then in zip(answer.usage.by_step, usage["by_step"], strict=False)
        )
        cost = dataclasses.replace(
            answer.usage,
            seconds=usage["seconds"],
            rounds=usage["rounds"],
            frames_decoded=usage["frames_decoded"],
            by_step=(*steps, *answer.usage.by_step[len(steps) :]),
        )
        video = dataclasses.replace(answer.video, path=recorded["video"]["path"])
        videos = tuple(
            dataclasses.replace(info, path=then["path"])
            for info, then in zip(answer.videos, recorded.get("videos", ()), strict=True)
        )
        return dataclasses.replace(answer, usage=cost, video=video, videos=videos)

    def differences(self, answer: Answer) -> list[str]:
        """Return the names of the answer's fields that differ from the recorded answer."""
        recorded = self.answer or {}
        return [name for name, value in answer.to_dict().items() if value != recorded.get(name)]
