"""Values shared by all layers: questions, budgets, and answers with their parts.

Times are float seconds on the player's clock (PTS minus the container's start time); ranges are half-open
`[start_s, end_s)`; boxes are `xyxy` in source pixels after rotation; sizes are `(width, height)`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Literal, Protocol, get_args

from vidagent import notebook
from vidagent.errors import BudgetError, UsageError
from vidagent.keywords import did_you_mean
from vidagent.text import repair_surrogates

Status = Literal["answered", "not_found", "cannot_judge", "partial"]
NO_CLAIMS: frozenset[Status] = frozenset(("not_found", "cannot_judge"))
"""Statuses of answers that claim nothing."""
Verdict = Literal["supported", "partial", "unsupported"]
Step = Literal["survey", "route", "propose", "plan", "look", "verify", "compose"]
BudgetName = Literal[
    "seconds",
    "steps",
    "model_calls",
    "prompt_tokens",
    "computed_tokens",
    "completion_tokens",
    "thinking_tokens",
    "frames",
]
Limit = BudgetName | Literal["context"]
"""What may end a run early: a budget, or the model's context, too small for the shortest form of a request."""
_CLOCK = r"\d+:\d\d(?::\d\d)?(?:\.\d)?"
_PART_LINE = re.compile(rf"{_CLOCK}(?:-{_CLOCK})? ")
"""The time at the beginning of a part's line."""
SEEN_WITHIN_S = 0.5
"""How far from a frame that was looked at a moment still counts as covered."""
Box = tuple[int, int, int, int]
"""`(x0, y0, x1, y1)` in source pixels, right and bottom edges exclusive."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range `[start_s, end_s)` of the video, in seconds; `video` is its index where there are several.

    Raises:
        UsageError: If a bound is not finite, negative, or the end lies before the start.
    """

    start_s: float
    end_s: float
    video: int | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that no video has."""
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s)):
            raise UsageError(f"a span needs finite bounds, got [{self.start_s}, {self.end_s})")
        if not 0 <= self.start_s <= self.end_s:
            raise UsageError(f"a span needs 0 <= start_s <= end_s, got [{self.start_s}, {self.end_s})")

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the options to choose from.

    Args:
        text: The question.
        options: At least two different answers, or None.

    Raises:
        UsageError: If the text is empty or too long, or the options are fewer than two, empty or repeated.
    """

    text: str
    options: tuple[str, ...] | None = None

    MAX_CHARACTERS: ClassVar[int] = 20_000

    def __post_init__(self) -> None:
        """Check the text and the options, and replace lone surrogates."""
        object.__setattr__(self, "text", repair_surrogates(self.text))
        if self.options is not None:
            object.__setattr__(self, "options", tuple(map(repair_surrogates, self.options)))
        length = len(self.text) if self.text.strip() else 0
        if not 1 <= length <= self.MAX_CHARACTERS:
            raise UsageError(f"a question needs 1 to {self.MAX_CHARACTERS:,} characters, got {length:,}")
        if self.options is None:
            return
        if len(self.options) < 2:
            raise UsageError(f"at least 2 options are needed to choose from, got {len(self.options)}")
        for number, option in enumerate(self.options, 1):
            if not option.strip():
                raise UsageError(f"option {number} is empty; an option needs at least 1 character")
            if self.options.index(option) != number - 1:
                raise UsageError(f"option {option!r} is given more than once; options must differ")


@dataclass(frozen=True, slots=True)
class Overview:
    """How densely the first overview samples the video; by default, as the model's profile says.

    Args:
        fps: Frames per second.
        num_frames: Frames in all.

    Raises:
        UsageError: If both are given, or one is not a positive number.
    """

    fps: float | None = None
    num_frames: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that are not positive."""
        for name, value in (("fps", self.fps), ("num_frames", self.num_frames)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name} must be more than 0, got {value}")
        if self.fps is not None and self.num_frames is not None:
            raise UsageError(
                f"give either fps or num_frames, not both; got fps {self.fps:g} and num_frames {self.num_frames}"
            )


@dataclass(frozen=True, slots=True)
class Budget:
    """What one question may cost; `None` means unlimited.

    Args:
        seconds: Wall-clock seconds of the whole run.
        steps: Turns of the planner.
        model_calls: Requests to the model.
        prompt_tokens: Prompt tokens over all requests.
        completion_tokens: Generated tokens over all requests, thinking included.
        thinking_tokens: Reasoning tokens over all requests; 0 turns thinking off.
        frames: Frames shown to the model over all requests.
        computed_tokens: Prompt tokens that the server had to compute: all but those that it reports as cached.

    Raises:
        BudgetError: If a field is zero or negative (`thinking_tokens` may be 0) or not a number.
    """

    seconds: float | None = None
    steps: int | None = None
    model_calls: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    thinking_tokens: int | None = None
    frames: int | None = None
    computed_tokens: int | None = None

    def __post_init__(self) -> None:
        """Refuse limits that would end a run before it starts."""
        for name in get_args(BudgetName):
            self._check(name, getattr(self, name))

    @classmethod
    def of(cls, limits: Budget | Mapping[str, Any]) -> Budget:
        """Return a budget as it is, or that of a mapping such as `{"seconds": 30, "frames": 200}`.

        Raises:
            BudgetError: If it is neither, a key is no limit, or a value is out of range.
        """
        if isinstance(limits, Budget):
            return limits
        names = get_args(BudgetName)
        if not isinstance(limits, Mapping):
            raise BudgetError(
                f'a budget is a Budget or a mapping such as {{"seconds": 30}}; got {limits!r} '
                f"(the limits are {', '.join(names)})"
            )
        for name in limits:
            if name not in names:
                hint = did_you_mean(str(name), names)
                raise BudgetError(f"a budget has no limit {name!r}{hint} (the limits are {', '.join(names)})")
        return cls(**limits)

    @staticmethod
    def _check(name: str, value: float | None) -> None:
        if value is None:
            return
        kinds = (int, float) if name == "seconds" else (int,)
        least = "0 or more" if name == "thinking_tokens" else "more than 0"
        number = isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
        if not number or value < 0 or (value == 0 and name != "thinking_tokens"):
            what = "a number" if name == "seconds" else "a whole number"
            raise BudgetError(f"budget {name} must be {what}, {least}; got {value!r}")

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the limits by name."""
        return dataclasses.asdict(self)


class Hashed(Protocol):
    """What knows the SHA-256 of a file, or is finding it out."""

    @property
    def sha256(self) -> str:
        """Hex digest of the file's bytes; may wait until the file is read."""


@dataclass(frozen=True, slots=True)
class KnownHash:
    """A hash that is known already."""

    sha256: str


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts of a video from its container, as a player shows it: cropped, with square pixels, upright.

    Args:
        path: Path as given by the caller.
        duration_s: Seconds from the first displayed instant to the end of the last frame.
        fps: Average frame rate of the video stream.
        width: Displayed width in square pixels, after rotation.
        height: Displayed height in square pixels.
        fingerprint: Hex digest of the file's size and of samples of its bytes; it tells files apart without reading
            them whole.
        content: Knows the hash of all bytes.
        codec: Codec name as FFmpeg spells it, such as `"h264"`.
        container: FFmpeg demuxer name, such as `"mov,mp4,m4a,3gp,3g2,mj2"`.
        rotation_deg: Clockwise rotation of the coded picture by a player: 0, 90, 180 or 270.
        audio: Audio codec name, or None.
        subtitles: Names of the text subtitle tracks and sidecar files, such as `"eng"` or `"talk.srt"`.
        frame_count: Number of frames that the container lists, or None.
        pixel_aspect: Width of a coded pixel divided by its height.
        cropped: Whether the container has the player crop the coded pictures.
        hdr: `"HDR10 (PQ)"` or `"HLG"` for high dynamic range, of which the frames are mapped to standard range.
        interlaced: Whether the frames are of two fields, of which the second is drawn from the first.
        stream: Number of the video stream among all streams of the file.
        other_streams: A line about each of the other video streams, which begins with its number.
        clock_jumps: How often the time stamps jump; the times given here go on.
    """

    path: str
    duration_s: float
    fps: Fraction
    width: int
    height: int
    fingerprint: str
    content: Hashed = field(compare=False, repr=False)
    codec: str
    container: str
    rotation_deg: int = 0
    audio: str | None = None
    subtitles: tuple[str, ...] = ()
    frame_count: int | None = None
    pixel_aspect: Fraction = Fraction(1)
    cropped: bool = False
    hdr: str | None = None
    interlaced: bool = False
    stream: int = 0
    other_streams: tuple[str, ...] = ()
    clock_jumps: int = 0

    @property
    def sha256(self) -> str:
        """Hex digest of the file's bytes; for a large file opened for the first time, waits until it is read.

        Raises:
            VideoError: If the file can no longer be read.
        """
        return self.content.sha256

    def wait(self) -> None:
        """Wait until the hash is known; errors as of `sha256`."""
        _ = self.sha256

    @property
    def frame_s(self) -> float:
        """Mean time between frames, in seconds."""
        return float(1 / self.fps)

    def to_dict(self) -> dict[str, Any]:
        """Return the `video` object of the answer's JSON."""
        return {**self.shape(), "sha256": self.sha256}

    def shape(self) -> dict[str, Any]:
        """Return that object without the hash, which may have to be waited for."""
        return {
            "path": self.path,
            "duration_s": round(self.duration_s, 6),
            "fps": f"{self.fps.numerator}/{self.fps.denominator}",
            "width": self.width,
            "height": self.height,
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """One claim of the answer, the time that shows it, and the verdict of its check.

    `frame` is the path of the saved frame, `box_px` where in it the claim is visible, `video` the index of the video if
    there are several, and `line` what was said, or stands on screen or in the file, by which it was checked, if it was.
    """

    time_s: float
    claim: str
    verdict: Verdict
    frame: str | None = None
    box_px: Box | None = None
    video: int | None = None
    line: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an answer in parts: what is to be seen from `start_s` until `end_s`, and the verdict of its check.

    `video` is the index of the video if there are several.
    """

    start_s: float
    end_s: float
    text: str
    verdict: Verdict
    video: int | None = None


def share_seen(fraction: float) -> str:
    """Return a fraction that was looked at in words, rounded down: `frames within 0.5 s of 42%`."""
    percent = 100 * fraction
    shown = f"{int(percent)}" if percent >= 10 else f"{percent:.1f}"
    return f"frames within {SEEN_WITHIN_S:g} s of {shown}%"


@dataclass(frozen=True, slots=True)
class VideoCoverage:
    """How much of one of several videos was looked at; nothing of one that was not asked about.

    Args:
        video: Its index.
        seconds_seen: Seconds of the video.
        fraction: The same as a fraction of its duration.
    """

    video: int
    seconds_seen: float = 0.0
    fraction: float = 0.0


@dataclass(frozen=True, slots=True)
class UnreadVideo:
    """A video of a folder, a pattern or the library that nobody was asked about, as it cannot be read.

    Args:
        path: The file.
        error: Why.
    """

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class DataField:
    """One value of the data of an answer, and what proves it; a value that is not proved is null.

    Args:
        path: Its JSON Pointer, such as `/goals/0/minute`.
        verdict: The verdict of its check; None if there was nothing to check.
        time_s: The time of the frame or line that it was checked by.
        frame: Path of that frame.
        line: What was said, or stands on screen or in the file, by which it was checked.
        reason: Why the value is null; None for a proved one.
    """

    path: str
    verdict: Verdict | None = None
    time_s: float | None = None
    frame: str | None = None
    line: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the video lies within `SEEN_WITHIN_S` of a frame that was looked at.

    It says where frames were taken, not that every moment was seen: what is shown between two of them may be missed.

    Args:
        seconds_seen: Seconds of the video.
        fraction: The same as a fraction of the duration.
        spans: Where they are.
        videos: The same of each of several videos, in their order; empty for one.
    """

    seconds_seen: float = 0.0
    fraction: float = 0.0
    spans: tuple[Span, ...] = ()
    videos: tuple[VideoCoverage, ...] = ()

    @property
    def share(self) -> str:
        """The fraction in words, rounded down: `frames within 0.5 s of 42%`."""
        return share_seen(self.fraction)


@dataclass(frozen=True, slots=True)
class StepUsage:
    """Cost of one step; `prompt_tokens` are those sent: the cached and the computed ones."""

    step: Step
    seconds: float = 0.0
    model_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thinking_tokens: int = 0
    cached_tokens: int = 0
    frames_decoded: int = 0
    frames_sent: int = 0
    computed_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Cost of a run: the sums, and each step in order.

    `rounds` is the longest chain of model calls of which each began after the one before it had ended.
    """

    seconds: float = 0.0
    steps: int = 0
    model_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thinking_tokens: int = 0
    cached_tokens: int = 0
    frames_decoded: int = 0
    frames_sent: int = 0
    computed_tokens: int = 0
    rounds: int = 0
    by_step: tuple[StepUsage, ...] = ()

    @classmethod
    def total(cls, by_step: tuple[StepUsage, ...], *, seconds: float, rounds: int = 0) -> Usage:
        """Add the steps up; `seconds` and `rounds` are those of the run, as steps may overlap."""
        names = [f.name for f in dataclasses.fields(StepUsage) if f.name not in {"step", "seconds"}]
        sums = {name: sum(getattr(step, name) for step in by_step) for name in names}
        plans = sum(step.step == "plan" and step.model_calls > 0 for step in by_step)
        return cls(seconds=seconds, steps=plans, rounds=rounds, by_step=by_step, **sums)


def limit_title(name: str) -> str:
    """Return what ended a run in words, such as `frames budget`."""
    return "model's context" if name == "context" else f"{name} budget"


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """The limits of a run, and which of them, or whether the model's context, ended it."""

    limit: Budget = field(default_factory=Budget)
    ended_by: Limit | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question, with its evidence and its cost.

    Args:
        status: `answered`, `not_found` (looked for, and not there), `cannot_judge` (the model cannot tell, and claims
            nothing), or `partial` when a budget, or the model's context, ended the run.
        answer: The answer in words.
        choice: Index into the options, when options were given and one fits.
        confidence: From 0 to 1.
        spans: Where in the video the answer is; empty if nowhere, several for "every time".
        parts: The parts of a summary, a story, a list of steps or of places, in order of time; empty for other answers.
            `answer` holds them too, one line each.
        count: The number asked for, for counting questions.
        evidence: The checked claims that the answer rests on.
        coverage: What was looked at.
        usage: What it cost.
        budget: The limits, and which one ended the run.
        videos: All videos, if several were asked about.
        unread: Those that were found in a folder, by a pattern or in the library, and cannot be read.
        video: The video; of several, the first that the answer names, else the first.
        data: What was asked for by a schema, with null for each value that is not proved.
        fields: For each value of the data, what proves it, or why it is null; None without a schema.
        model: Name of the model that answered.
        run_id: Id of the run, for `--resume`.
    """

    status: Status
    answer: str
    confidence: float
    video: VideoInfo
    model: str
    run_id: str
    choice: int | None = None
    spans: tuple[Span, ...] = ()
    parts: tuple[Part, ...] = ()
    count: int | None = None
    evidence: tuple[Evidence, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)
    usage: Usage = field(default_factory=Usage)
    budget: BudgetReport = field(default_factory=BudgetReport)
    videos: tuple[VideoInfo, ...] = ()
    unread: tuple[UnreadVideo, ...] = ()
    data: Any = None
    fields: tuple[DataField, ...] | None = None

    @property
    def headline(self) -> str:
        """The answer without the lines of its parts, and without what follows the last of them."""
        return self._around_parts[0]

    @property
    def closing(self) -> str:
        """What the answer says after the lines of its parts, such as how many were left out."""
        return self._around_parts[1]

    @property
    def _around_parts(self) -> tuple[str, str]:
        if not self.parts:
            return self.answer, ""
        lines = self.answer.splitlines()
        told = [place for place, line in enumerate(lines) if _PART_LINE.match(line)]
        last = told[-1] if told else len(lines)
        headline = (line for place, line in enumerate(lines) if place < last and place not in told)
        return "\n".join(headline).strip(), "\n".join(lines[last + 1 :]).strip()

    def _fields(self) -> list[dict[str, Any]]:
        return [dataclasses.asdict(one) for one in self.fields or ()]

    def _repr_html_(self) -> str:
        """Return the answer as a notebook shows it, with the frames of its evidence."""
        return notebook.page(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON, whose keys and types are stable.

        For several videos it has `videos`, `unread` if some could not be read, and each span, part and claim has its
        index into `videos`, `video`. With a schema it has `data` and `fields`.
        """
        usage = dataclasses.asdict(self.usage)
        usage["seconds"] = round(self.usage.seconds, 3)
        usage["by_step"] = [
            {**dataclasses.asdict(step), "seconds": round(step.seconds, 3)} for step in self.usage.by_step
        ]
        return {
            "status": self.status,
            "answer": self.answer,
            "choice": self.choice,
            "confidence": round(self.confidence, 3),
            "spans": [_span(span) for span in self.spans],
            "parts": [_part(part) for part in self.parts],
            "count": self.count,
            **({} if self.fields is None else {"data": self.data, "fields": self._fields()}),
            "evidence": [_evidence(item) for item in self.evidence],
            "coverage": _coverage(self.coverage),
            "usage": usage,
            "budget": {"limit": self.budget.limit.to_dict(), "ended_by": self.budget.ended_by},
            "video": self.video.to_dict(),
            **({"videos": [info.to_dict() for info in self.videos]} if self.videos else {}),
            **({"unread": [dataclasses.asdict(one) for one in self.unread]} if self.unread else {}),
            "model": self.model,
            "run_id": self.run_id,
        }


def _coverage(coverage: Coverage) -> dict[str, Any]:
    videos = [_share(one) | {"video": one.video} for one in coverage.videos]
    spans = [_span(span) for span in coverage.spans]
    return {**_share(coverage), "spans": spans, **({"videos": videos} if videos else {})}


def _share(seen: Coverage | VideoCoverage) -> dict[str, float | int]:
    return {"seconds_seen": round(seen.seconds_seen, 3), "fraction": round(seen.fraction, 4)}


def _span(span: Span) -> dict[str, float | int]:
    return {"start_s": round(span.start_s, 6), "end_s": round(span.end_s, 6), **_index(span.video)}


def _part(part: Part) -> dict[str, Any]:
    fields = dataclasses.asdict(part) | {"start_s": round(part.start_s, 6), "end_s": round(part.end_s, 6)}
    del fields["video"]
    return fields | _index(part.video)


def _evidence(item: Evidence) -> dict[str, Any]:
    fields = dataclasses.asdict(item) | {"time_s": round(item.time_s, 6), "box_px": _box(item.box_px)}
    for name in ("video", "line"):
        if fields[name] is None:
            del fields[name]
    return fields


def _index(video: int | None) -> dict[str, int]:
    """Return the index into several videos; empty for a single video."""
    return {} if video is None else {"video": video}


def _box(box: Box | None) -> list[int] | None:
    return None if box is None else list(box)
