"""What may be asked: the keywords that the doors share, and their check."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, TypeVar, get_args, get_type_hints

from vidagent import config
from vidagent.config import Settings
from vidagent.graphs.events import Listener
from vidagent.types import Budget, Overview, Question

TDoor = TypeVar("TDoor", bound=Callable[..., object])


class Asking(TypedDict, total=False):
    """What may be said beside the video and the question; `analyze_video` says what each means."""

    options: Sequence[str] | None
    model: str | None
    base_url: str | None
    engine: str | None
    api_key: str | None
    budget: Budget | None
    fps: float | None
    num_frames: int | None
    decoder: str | None


class Running(Asking, total=False):
    """What may be said of a run, too."""

    save_frames: str | Path | None
    report: str | Path | None
    export: str | Path | Sequence[str | Path] | None
    resume: str | None
    session: str | None


class Hearing(Running, total=False):
    """What may be said where the caller is called back."""

    on_event: Listener | None
    stream: bool


@dataclass(frozen=True, slots=True)
class Brief:
    """What is asked, checked.

    Args:
        question: The question and its options.
        overview: How finely the whole video is looked at first.
        settings: The model and the decoder, and all that was not said.
        budget: What it may cost, where that was said.
    """

    question: Question
    overview: Overview
    settings: Settings
    budget: Budget | None


def check(
    question: str,
    *,
    options: Sequence[str] | None = None,
    model: str | None = None,
    base_url: str | None = None,
    engine: str | None = None,
    api_key: str | None = None,
    budget: Budget | None = None,
    fps: float | None = None,
    num_frames: int | None = None,
    decoder: str | None = None,
) -> Brief:
    """Return what is asked, with the settings of whoever asks.

    Raises:
        UsageError: If an argument is out of range.
    """
    asked = Question(question, None if options is None else tuple(options))
    overview = Overview(fps, num_frames)
    settings = config.load(model=model, base_url=base_url, engine=engine, api_key=api_key, decoder=decoder)
    return Brief(asked, overview, settings, budget)


def listed(door: TDoor) -> TDoor:
    """Name the keywords behind `**asking` one by one in the signature that `help()` and editors show."""
    signature = inspect.signature(door, eval_str=True)
    *named, asking = signature.parameters.values()
    keywords = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False if kind is bool else None, annotation=kind
        )
        for name, kind in get_type_hints(get_args(asking.annotation)[0]).items()
    ]
    door.__signature__ = signature.replace(parameters=[*named, *keywords])  # type: ignore[attr-defined]  # PEP 362
    return door
