"""The request: one question with its options, settings and budget, checked once and carried to the graph's start."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, TypeVar, get_args, get_type_hints

from vidagent import config
from vidagent.config import Settings
from vidagent.errors import UsageError
from vidagent.graphs.events import Listener
from vidagent.keywords import check_keywords
from vidagent.summary import QUESTIONS, Length
from vidagent.tools.data_schema import Schema, SchemaLike, read_schema
from vidagent.types import Budget, Overview, Question

F = TypeVar("F", bound=Callable[..., object])


class AgentArguments(TypedDict, total=False):
    """Keywords that hold for any question: the model, the limits, how the video is read."""

    model: str | None
    base_url: str | None
    engine: str | None
    api_key: str | None
    budget: Budget | Mapping[str, float | int | None] | None
    fps: float | None
    num_frames: int | None
    decoder: str | None
    video_stream: int | None


class RequestArguments(AgentArguments, total=False):
    """Keywords of every question; `analyze_video` documents each."""

    options: Sequence[str] | None
    schema: SchemaLike | None


class OutputArguments(TypedDict, total=False):
    """The keywords of what a run writes beside its answer."""

    save_frames: str | Path | None
    report: str | Path | None
    export: str | Path | Sequence[str | Path] | None


class RunArguments(RequestArguments, OutputArguments, total=False):
    """Those two, and the keywords of a run that is recorded."""

    resume: str | None
    session: str | None


class EventArguments(RunArguments, total=False):
    """Those, and the keywords of a run that reports its events to a callback."""

    on_event: Listener | None
    stream: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A question as it was asked.

    Args:
        question: The question and its options.
        overview: How densely the first overview samples the video.
        settings: The model, the decoder and the configured defaults.
        budget: The limits asked for; None uses those of the settings, or of the run that is resumed.
        length: How long a summary is wanted, if one is; the question is then `QUESTIONS[length]`.
        schema: What the data of the answer follows, if data is wanted.
    """

    question: Question
    overview: Overview
    settings: Settings
    budget: Budget | None
    length: Length | None = None
    schema: Schema | None = None

    @property
    def options(self) -> list[str] | None:
        """The options as JSON."""
        return None if self.question.options is None else list(self.question.options)

    def limits(self, earlier: Mapping[str, Any] | None = None) -> Budget:
        """Return the budget asked for, else that of the resumed run's state, else the configured one."""
        if self.budget is not None and self.budget != Budget():
            return self.budget
        return Budget(**earlier["budget"]) if earlier and "budget" in earlier else self.settings.budget()

    def check_resumed(self, earlier: Mapping[str, Any], run_id: str) -> None:
        """Refuse to resume a run that asked something else.

        Raises:
            UsageError: If the question or the options differ.
        """
        if earlier.get("question") != self.question.text:
            raise UsageError(f"run {run_id} asked {earlier.get('question')!r}, not {self.question.text!r}")
        if (earlier.get("options") or None) != self.options:
            raise UsageError(f"run {run_id} had other options: {earlier.get('options')!r}")
        if earlier.get("schema") != self.schema:
            raise UsageError(f"run {run_id} had {'another' if earlier.get('schema') else 'no'} schema")


def make_request(
    question: str,
    *,
    options: Sequence[str] | None = None,
    model: str | None = None,
    base_url: str | None = None,
    engine: str | None = None,
    api_key: str | None = None,
    budget: Budget | Mapping[str, float | int | None] | None = None,
    fps: float | None = None,
    num_frames: int | None = None,
    decoder: str | None = None,
    video_stream: int | None = None,
    schema: SchemaLike | None = None,
) -> Request:
    """Check what is asked and load the settings.

    Raises:
        UsageError: If an argument is out of range.
    """
    asked = Question(question, None if options is None else tuple(options))
    overview = Overview(fps, num_frames)
    settings = config.load(
        model=model,
        base_url=base_url,
        engine=engine,
        api_key=api_key,
        decoder=decoder,
        video_stream=video_stream,
    )
    limits = None if budget is None else Budget.of(budget)
    wanted = None if schema is None else read_schema(schema)
    return Request(asked, overview, settings, limits, schema=wanted)


def summary_request(length: Length, **arguments: Any) -> Request:  # noqa: ANN401 - those of `make_request`
    """Return the request for a summary; the arguments are those of `make_request`.

    Raises:
        UsageError: If the length, or an argument, is out of range.
    """
    if length not in QUESTIONS:
        raise UsageError(f"the length of a summary is one of {', '.join(QUESTIONS)}; got {length!r}")
    for name in ("options", "schema"):
        if arguments.get(name) is not None:
            raise UsageError(f"a summary has no {name}")
    return replace(make_request(QUESTIONS[length], **arguments), length=length)


def recorded_request(run: Mapping[str, Any]) -> Request:
    """Return the request of a recorded run from its `run.json`; a replay needs neither its model nor its server."""
    request = make_request(
        run["question"],
        options=run["options"],
        **run["overview"],
        decoder=run["decoder"],
        video_stream=run.get("video_stream"),
        budget=Budget(**run["parts"][-1]["budget"]),
        schema=run.get("schema"),
    )
    return replace(request, length=run.get("length"))


def check_listed(function: Callable[..., object], given: Mapping[str, object]) -> None:
    """Refuse arguments that a function `with_listed_keywords` does not list.

    Raises:
        TypeError: If one is unknown; the message names the function and the nearest legal keyword.
    """
    check_keywords(function.__name__, given, inspect.signature(function).parameters)


def with_listed_keywords(function: F) -> F:
    """Replace `**arguments` by its keywords in the signature that `help()` and editors show."""
    signature = inspect.signature(function, eval_str=True)
    *named, arguments = signature.parameters.values()
    keywords = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False if kind is bool else None, annotation=kind
        )
        for name, kind in get_type_hints(get_args(arguments.annotation)[0]).items()
    ]
    function.__signature__ = signature.replace(parameters=[*named, *keywords])  # type: ignore[attr-defined]  # PEP 362
    return function
