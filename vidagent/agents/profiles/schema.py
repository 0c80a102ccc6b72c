"""Schema of a model profile: the tables and keys of its TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from vidagent.images.box_forms import BoxForm
from vidagent.types import Step

Count = Annotated[int, Field(ge=1)]
Tokens = Annotated[int, Field(ge=0)]
_STRICT = ConfigDict(extra="forbid")

Form = Literal["images", "frames", "mp4"]
"""How frames are sent: one image each with its time as text, a list of JPEGs in a `video_url` with their times as
metadata, or a `video_url` with an mp4 made of them."""

OverviewForm = Literal["frames", "grid", "text", "none"]
"""How the planner gets the overview: one picture a frame, grids of small frames with their times, a description that
the model made of it without the question, kept with the video's index for later questions, or not at all."""

Shown = Literal["plan", "overview", "look", "verify"]
"""What frames are shown for: the planner, a look over the whole video, another look, a check."""

TimeLabel = Literal["<12.3 seconds>", "12.3 seconds", "12.3", "00:12", "Frame 1 sampled at 12.30 seconds:"]
"""Forms of the time that a family of models was trained to find beside each frame of a video, by example."""

AgentPart = Literal[
    "index",
    "survey",
    "overview",
    "search",
    "clip",
    "resample",
    "crop",
    "route",
    "shapes",
    "verify",
    "boundaries",
    "wording",
]
"""Parts of the agent that a profile may leave out: a planner tool, the video's index, what the planner is told of the
index before it has looked, the question's classification, the searches that code makes for a kind, the check of claims,
the looks that refine the edges of places to the frame, or the check of the answer's words."""

_NEEDS = {"search": "index", "survey": "index", "shapes": "route"}
"""Parts that depend on another one."""


@dataclass(frozen=True, slots=True, config=_STRICT)
class Thinking:
    """Whether and how a model reasons before it replies.

    Args:
        can: Whether it reasons at all.
        steps: The steps in which thinking helps; in the others it is switched off.
        tokens: Reasoning tokens of one request, by step; what a request does not use carries over to later ones.
        on_prompt: Text put before the system prompt to switch it on, such as `/think`.
        off_prompt: The same to switch it off.
        on_body: Fields merged into the request to switch it on.
        off_body: The same to switch it off.
        budget_field: The request field by which the server itself caps reasoning tokens; None or empty for none.
        two_phase: Whether, without such a field, a separate request may generate the thought, cut at its budget and
            closed, and a second request continue the same message (vLLM's `continue_final_message`).
        opening: Mark before a thought in the model's own text.
        closing: Mark after it.
        with_video: Whether it may reason when the messages contain a video.
    """

    can: bool = False
    steps: tuple[Step, ...] = ("plan", "verify")
    tokens: Mapping[Step, Tokens] = field(default_factory=dict)
    on_prompt: str | None = None
    off_prompt: str | None = None
    on_body: Mapping[str, Any] = field(default_factory=dict)
    off_body: Mapping[str, Any] = field(default_factory=dict)
    budget_field: str | None = None
    two_phase: bool = True
    opening: str = "<think>\n"
    closing: str = "\n</think>\n\n"
    with_video: bool = True

    def __post_init__(self) -> None:
        """Read an empty field, by which a profile of a server takes back that of the model, as none."""
        if self.budget_field == "":
            object.__setattr__(self, "budget_field", None)

    @property
    def allotted(self) -> dict[Step, int]:
        """Reasoning tokens of one request, for the steps that think, if they can be capped."""
        capped = self.can and (self.budget_field is not None or self.two_phase)
        return {step: self.tokens[step] for step in self.steps if capped and step in self.tokens}


@dataclass(frozen=True, slots=True, config=_STRICT)
class Media:
    """How pictures and videos are sent.

    Args:
        forms: How frames are sent, by what they are shown for; `images` by default.
        image_ids: Whether each picture is named by the hash of its bytes, for the server's cache (vLLM's `uuid`).
        per_request: Whether a request may carry `media_io_kwargs` and `mm_processor_kwargs` (vLLM needs
            `--trust-request-mm-kwargs`).
        sampling: Options sent with a video that the server samples: `both` fps and num_frames (vLLM, where one alone
            resets the server's default of the other), or only the `one` requested (NIM).
        video_fps: Default rate, in frames per second, at which the server samples a video.
        video_frames: Most frames of one video.
        never_above_own: Whether requesting more frames or a higher rate than the video has is an error (NIM).
        processor: Fields of `mm_processor_kwargs` for images, such as `max_num_tiles`.
        video_processor: The same for messages that hold a video.
    """

    forms: Mapping[Shown, Form] = field(default_factory=dict)
    image_ids: bool = False
    per_request: bool = False
    sampling: Literal["both", "one"] = "both"
    video_fps: Annotated[float, Field(gt=0)] = 2.0
    video_frames: Count = 128
    never_above_own: bool = False
    processor: Mapping[str, Any] = field(default_factory=dict)
    video_processor: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, config=_STRICT)
class Variant:
    """Another precision or size of the same model.

    Args:
        model: Its name on the model hub.
        flags: Flags of the server that differ from the profile's.
        env: Environment variables of the server that differ.
    """

    model: str
    flags: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, config=_STRICT)
class Serving:
    """How the model is served.

    Args:
        runner: `vllm` for `vllm serve`, `docker` for a container such as NIM's.
        flags: Flags of `vllm serve` without their dashes: true for a bare flag, false to leave one out, a table for
            JSON, a list for several values.
        env: Environment variables of the server; empty for one that a container inherits from the caller.
        image: The container's image.
        container: Arguments of `docker run`, written like flags; the shell expands what begins with `$`.
        variants: Precisions or sizes by name; the first is served by default.
    """

    runner: Literal["vllm", "docker"] = "vllm"
    flags: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    container: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Variant] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, config=_STRICT)
class Profile:
    """How to use one model well.

    Args:
        name: The profile's name, its file's name without `.toml`.
        matches: Patterns of model ids it is for (`*` and `?`, case ignored), such as `*qwen3-vl*`.
        hosts: Patterns of `host` or `host:port` of base URLs: those of a profile for a server, laid over the model's.
        owners: The `owned_by` by which such a server's models are known.
        frames_per_call: Most frames in one look.
        overview_frames: Frames of the overview of the whole video.
        frame_side_px: Longest side of a frame sent whole.
        crop_side_px: Longest side of a crop sent enlarged.
        tiles: Most tiles the model cuts one picture into; 1 if it does not tile.
        context_tokens: Longest prompt and reply together.
        frame_tokens: Approximate prompt tokens of one frame; used if the server reports no usage.
        time_label: The form of the label that stands beside the exact time of a frame; None for the exact time alone.
        boxes: The form of boxes; what a model writes is read as thousandths of the picture.
        structured: How to request a typed reply: by a JSON schema, by a forced function call, or in words.
        tool_calls: Whether the server parses function calls (`native`), the turn is bound to a JSON schema of calls
            (`schema`, for planners that are weak at them), or calls are written in the `text`.
        tool_choice: The planner's tool choice constraint.
        templated: Whether a chat template puts its prompts into one string, so that control tokens in data are marked.
        control_tokens: Tokens of its template that do not look like one, as those in `<…>` do; marked in data, too.
        strict_tools: Whether tool arguments are constrained to their schema during generation.
        planner: `free` chooses among all tools; `phased` is offered fewer as the run goes on.
        plan_sees_overview: Whether the planner is shown the overview frames.
        overview_form: How it gets them in its first turn.
        overview_again: How it gets them in later turns.
        without: Parts left out. A tool is not offered to the planner. Without `index` the planner gets none of its data
            (shots, activity, subtitles) and there is no `search`. Without `route` the question is not classified.
            Without `shapes` the planner makes all looks itself, even for kinds that code can search. Without `verify`
            claims are passed on unchecked, with the verdict `partial`, and the answer repeats them verbatim. Without
            `boundaries` places stay as the planner drafted them. Without `wording` only the claims are checked, and an
            answer may use any words without a new number or quote, as where rules write it.
        look_concurrency: Most parallel looks.
        timeout_s: Longest wait for one reply.
        completion_tokens: Most tokens of one reply, by step, thinking included.
        sampling: Request fields such as `temperature`.
        thinking_sampling: The same, over `sampling`, while the model thinks.
        body: Further fields merged into every request.
        thinking: Whether and how it reasons.
        media: How pictures and videos are sent.
        serve: How it is served.
    """

    name: str
    matches: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    frames_per_call: Count = 32
    overview_frames: Count = 32
    frame_side_px: Count = 768
    crop_side_px: Count = 1024
    tiles: Count = 1
    context_tokens: Count = 32768
    frame_tokens: Annotated[int, Field(ge=0)] = 256
    time_label: TimeLabel | None = None
    boxes: BoxForm = "x_first"
    structured: Literal["json_schema", "tool", "prompt"] = "json_schema"
    tool_calls: Literal["native", "schema", "text"] = "native"
    tool_choice: Literal["auto", "required"] = "auto"
    templated: bool = True
    control_tokens: tuple[str, ...] = ()
    strict_tools: bool = False
    planner: Literal["free", "phased"] = "phased"
    plan_sees_overview: bool = True
    overview_form: Literal["frames", "grid"] = "frames"
    overview_again: OverviewForm = "grid"
    without: tuple[AgentPart, ...] = ()
    look_concurrency: Count = 4
    reading_cpu_s: Annotated[float, Field(ge=0)] = 0.0
    timeout_s: Annotated[float, Field(gt=0)] = 300.0
    completion_tokens: Mapping[Step, Count] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    thinking_sampling: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    thinking: Thinking = field(default_factory=Thinking)
    media: Media = field(default_factory=Media)
    serve: Serving = field(default_factory=Serving)

    @property
    def direct_thinking(self) -> Thinking:
        """How it reasons about a direct question, which is a step of its own (`compose`)."""
        return replace(self.thinking, steps=("compose",))

    def lacks(self, part: str) -> bool:
        """Tell whether a part is left out; `search` and `survey` go with the index, `shapes` with the route."""
        return part in self.without or _NEEDS.get(part) in self.without
