"""A recorded run, to be looked at and to be replayed."""

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
from vidagent.agents.recording.replay import ReplayedChat, ReplayedEndpoint, Replies
from vidagent.errors import UsageError
from vidagent.graphs.budget import Meter
from vidagent.graphs.state import Run
from vidagent.runs.folder import Record, read_lines
from vidagent.types import Answer, Budget, StepUsage, VideoInfo
from vidagent.video.cache.video_cache import FoundText
from vidagent.video.index.transcript import Stop, Transcriber, Transcript
from vidagent.video.index.video_index import Index


@dataclass(frozen=True)
class _KeptEar:
    """Stands for the server that wrote speech down; it hears nothing, as a replay sends nothing."""

    model: str

    def hear(self, sound: bytes, seconds: float, stop: Stop) -> None:
        """Hear nothing."""


@dataclass
class _PastIndex(Index):
    """The index as it was when a run began: what has been learnt of the video since is not told.

    Args:
        was_scanned: Whether the scan was at hand.
        read: The texts read so far.
        heard_s: Up to where speech was written down.
    """

    was_scanned: bool = False
    read: list[FoundText] = field(default_factory=list)
    heard_s: float = 0.0

    def scanned(self) -> bool:
        """Say whether the scan was at hand then, or has been asked for since."""
        return self.was_scanned or self._scan is not None

    def spoken(self, *, listen: bool = False) -> Transcript | None:
        """Return the speech written down then, or all of it once it has been asked for since."""
        if self.ear is None:
            return None
        self.heard_s = math.inf if listen else self.heard_s
        return Transcriber(self.video, self.cache, self.ear).kept(self.heard_s)

    def texts(self) -> list[FoundText]:
        """Return the texts read before the run, and in it."""
        return sorted(
            self.read, key=lambda found: (found.time_s, ",".join(map(str, found.box_px or ())), found.text)
        )

    def note_texts(self, found: Sequence[FoundText]) -> None:
        """Keep texts for this run only."""
        self.read += [text for text in dict.fromkeys(found) if text not in self.read]


@dataclass(frozen=True)
class Past:
    """A run that is kept.

    Args:
        record: Its folder.

    Raises:
        UsageError: If it was not recorded.
    """

    record: Record

    def __post_init__(self) -> None:
        """Refuse a run of before runs were recorded."""
        if self.record.read("run") is None:
            raise UsageError(f"run {self.record.run_id} has no record of what was asked (run.json)")

    @cached_property
    def told(self) -> dict[str, Any]:
        """What was asked, as `run.json` has it."""
        return self.record.read("run") or {}

    @cached_property
    def answer(self) -> dict[str, Any] | None:
        """The answer, as `answer.json` has it; None where the run did not get to it."""
        return self.record.read("answer")

    @property
    def several(self) -> bool:
        """Whether it was about several videos."""
        return "videos" in self.told

    @cached_property
    def each(self) -> list[Past]:
        """The runs about each of several videos, as far as they have begun; empty where there is one."""
        records = [self.record.part(number) for number, _ in enumerate(self.told.get("videos", ()), 1)]
        return [Past(record) for record in records if record.read("run") is not None]

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """The trace, without what a run that was killed did in vain: steps that it did again when it went on."""
        lines = list(read_lines(self.record.trace))
        last: dict[str, int] = {}
        for line in lines:
            if line["task"] is not None:
                last[line["task"]] = max(line["part"], last.get(line["task"], 0))
        return [line for line in lines if line["task"] is None or line["part"] == last[line["task"]]]

    def check_replay(self) -> dict[str, Any]:
        """Return the answer that a replay has to give.

        Raises:
            UsageError: If the run cannot be replayed.
        """
        name = self.record.run_id
        if self.answer is None:
            raise UsageError(
                f"run {name} has no answer to replay: it is {self.told['status']}; "
                f"`vidagent runs resume {name}` goes on with it"
            )
        if any(part["budget"] != self.told["parts"][0]["budget"] for part in self.told["parts"]):
            raise UsageError(
                f"run {name} went on under another budget, and only runs with one can be replayed"
            )
        return self.answer

    def check_video(self, info: VideoInfo, sha256: str | None = None) -> None:
        """Refuse another video than that of the run; `sha256` says which one where it has several.

        Raises:
            UsageError: If its bytes differ.
        """
        wanted = sha256 or self.told["video"]["sha256"]
        if info.sha256 != wanted:
            raise UsageError(
                f"run {self.record.run_id} was about a video with sha256 {wanted[:12]}…, "
                f"and {info.path} has {info.sha256[:12]}…"
            )

    @property
    def budget(self) -> Budget:
        """What the run might cost."""
        return Budget(**self.told["parts"][-1]["budget"])

    def client(self) -> ModelClient:
        """Return a client whose model gives the recorded replies and asks nobody."""
        requests = sorted(
            (line for line in self.lines if line["kind"] == "request"),
            key=lambda line: (line["part"], line["n"]),
        )
        answer = self.answer or {"budget": {"ended_by": None}}
        out_of_time = answer["budget"]["ended_by"] == "seconds"
        where, name = self.told["base_url"], self.told["model"]
        chat = ReplayedChat(
            replies=Replies(self.record.run_id, requests, out_of_time=out_of_time),
            model_name=name,
            openai_api_base=where,
        )
        counted = [line for line in self.lines if line["kind"] == "tokens"]
        endpoint = None if where is None else ReplayedEndpoint(where, counted)
        profile = TypeAdapter(Profile).validate_python(self.told["profile"])
        return ModelClient(chat, profile, endpoint)

    def again(self, run: Run) -> Run:
        """Put a new run into the place of this one: what the index held then, and no clock that ends it."""
        kept = self.record.read("index") or {"scanned": False, "texts": []}
        texts = [
            FoundText(time_s, text, None if box is None else (box[0], box[1], box[2], box[3]))
            for time_s, text, box in kept["texts"]
        ]
        profile, speech = run.client.profile, kept.get("speech")
        return dataclasses.replace(
            run,
            index=_PastIndex(
                run.video,
                run.index.cache,
                ear=_KeptEar(speech["model"]) if speech else None,
                was_scanned=kept["scanned"],
                read=texts,
                heard_s=speech["done_s"] if speech else 0.0,
            ),
            meter=Meter(
                dataclasses.replace(run.budget, seconds=None), profile.frame_tokens, profile.thinking.allotted
            ),
        )

    def frame_path(self, ref: str) -> Path:
        """Return where the run kept a picture."""
        return Path(self.told["folder"]) / "frames" / ref[:2] / f"{ref}.jpg"

    def as_told(self, answer: Answer) -> Answer:
        """Return an answer of a replay with what only the recorded run could know.

        That is what the machine did, seconds and frames decoded, and where the video lay.
        """
        told = self.check_replay()
        usage = told["usage"]
        steps = tuple(
            _cost_of(step, then) for step, then in zip(answer.usage.by_step, usage["by_step"], strict=False)
        )
        cost = dataclasses.replace(
            answer.usage,
            seconds=usage["seconds"],
            frames_decoded=usage["frames_decoded"],
            by_step=(*steps, *answer.usage.by_step[len(steps) :]),
        )
        video = dataclasses.replace(answer.video, path=told["video"]["path"])
        videos = tuple(
            dataclasses.replace(info, path=then["path"])
            for info, then in zip(answer.videos, told.get("videos", ()), strict=True)
        )
        return dataclasses.replace(answer, usage=cost, video=video, videos=videos)

    def differences(self, answer: Answer) -> list[str]:
        """Return the names of the answer's fields that are not as recorded."""
        told, then = answer.to_dict(), self.answer or {}
        return [name for name in told if told[name] != then.get(name)]


def _cost_of(step: StepUsage, then: dict[str, Any]) -> StepUsage:
    return dataclasses.replace(step, seconds=then["seconds"], frames_decoded=then["frames_decoded"])
