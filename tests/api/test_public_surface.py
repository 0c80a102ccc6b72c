"""What `vidagent` exports: everything that its public functions take or yield, imported on first use."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest

import vidagent
from vidagent import api

FUNCTIONS = sorted(
    {function for name in api.__all__ if inspect.isfunction(function := getattr(api, name))},
    key=lambda function: function.__name__,
)
PASSED_ON = [vidagent.Answer, vidagent.Event]


def named_in(annotation: Any) -> Iterator[type]:
    """Yield the classes of this package that an annotation names."""
    for part in get_args(annotation):
        yield from named_in(part)
        if isinstance(part, list):  # the arguments of a Callable
            yield from (one for argument in part for one in named_in(argument))
    if inspect.isclass(annotation) and annotation.__module__.split(".")[0] == "vidagent":
        yield annotation


def in_signature(function: Any) -> set[str]:
    """Return the names of this package's classes in a signature as `help()` shows it."""
    signature = inspect.signature(function, eval_str=True)
    annotations = [parameter.annotation for parameter in signature.parameters.values()]
    return {one.__name__ for each in (*annotations, signature.return_annotation) for one in named_in(each)}


def test_the_walk_finds_the_classes_in_a_signature():
    assert in_signature(vidagent.analyze_video) == {"Answer", "Budget", "Event"}
    assert in_signature(vidagent.astream_video) == {"Budget", "Event"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_what_a_public_function_takes_or_yields_is_exported(function):
    assert in_signature(function) <= set(vidagent.__all__)


@pytest.mark.parametrize("kind", PASSED_ON, ids=lambda kind: kind.__name__)
def test_what_an_answer_and_an_event_hold_is_exported(kind):
    hints = get_type_hints(kind)
    held = {one for each in dataclasses.fields(kind) for one in named_in(hints[each.name])}
    assert {one.__name__ for one in held} <= set(vidagent.__all__)


def test_every_name_is_there_and_listed():
    assert sorted(set(vidagent.__all__)) == sorted(vidagent.__all__)
    assert set(vidagent.__all__) <= set(dir(vidagent))
    for name in vidagent.__all__:
        assert getattr(vidagent, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vidagent.nothing  # noqa: B018 - the access is what is tested


def test_importing_it_is_light():
    heavy = "{'langgraph', 'langchain_core', 'cv2', 'av', 'numpy', 'pydantic', 'openai'}"
    code = f"import sys, vidagent; print(sorted({heavy} & {{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_docstring_names_every_argument(function):
    if "see `analyze_video`" in function.__doc__ or "those of `analyze_video`" in function.__doc__:
        function = api.analyze_video
    for name in inspect.signature(function).parameters:
        assert f"{name}:" in function.__doc__ or len(inspect.signature(function).parameters) <= 2, name
