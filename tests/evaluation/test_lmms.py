"""The model `vidagent` of lmms-eval, with stand-ins for the few names of lmms-eval that it uses."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import ModuleType
from unittest.mock import MagicMock

import pytest

from vidagent.errors import UsageError

PROMPT = """Select the best answer to the question. Respond with only the letter (A or B) of the correct option.
What does the sign say?
A. {a}
B. {b}

Answer with the option's letter from the given choices directly."""
OPEN = "When does the text 'PIER 9' appear?"


@dataclass(frozen=True)
class ModelManifest:
    model_id: str
    simple_class_path: str


@dataclass(frozen=True)
class Instance:
    args: tuple


class Lmms:
    def __init__(self):
        self.task_dict = {}


@pytest.fixture(autouse=True)
def _lmms_eval(monkeypatch):
    """Put stand-ins in the place of lmms-eval, and forget afterwards what imported them."""
    stand_ins = {
        "lmms_eval.models.registry_v2": {"ModelManifest": ModelManifest},
        "lmms_eval.api.instance": {"Instance": Instance},
        "lmms_eval.api.model": {"lmms": Lmms},
        "loguru": {"logger": MagicMock()},
        "tqdm": {"tqdm": MagicMock()},
    }
    for name, held in stand_ins.items():
        module = ModuleType(name)
        vars(module).update(held)
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("lmms_eval", "lmms_eval.models", "lmms_eval.api"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    yield
    for name in ("manifest", "model"):
        sys.modules.pop(f"vidagent.evaluation.lmms.{name}", None)


def model(**arguments):
    """Return the model as lmms-eval makes it: found by the entry point, imported by its class path."""
    (point,) = entry_points(group="lmms_eval.models", name="vidagent")
    module, _, name = point.load()().simple_class_path.rpartition(".")
    return getattr(importlib.import_module(module), name)(
        **arguments, batch_size=1, max_batch_size=None, device=None
    )


def requests(of, *prompts, shown):
    of.task_dict["task"] = {"test": ["doc"]}
    return [Instance((prompt, {}, lambda _: shown, 0, "task", "test")) for prompt in prompts]


def test_the_agent_gives_letters_and_words_in_order(shelf):
    clip = shelf("clip.mp4") / "clip.mp4"
    lmms = model(model="signals", concurrency=2)
    prompts = (PROMPT.format(a="PIER 9", b="GATE 4"), PROMPT.format(a="GATE 4", b="PIER 9"), OPEN)
    first, second, third = lmms.generate_until(requests(lmms, *prompts, shown=[str(clip)]))
    assert (first, second) == ("A", "B")
    assert "PIER 9" in third
    with pytest.raises(NotImplementedError, match="generate_until"):
        lmms.loglikelihood([])


def test_the_model_alone_gives_a_letter(shelf):
    lmms = model(model="signals", mode="direct", frames=8)
    asked = requests(lmms, PROMPT.format(a="GATE 4", b="PIER 9"), shown=[str(shelf("clip.mp4") / "clip.mp4")])
    assert lmms.generate_until(asked) == ["B"]


def test_a_broken_video_costs_its_question_only(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    lmms = model(model="signals")
    assert lmms.generate_until(requests(lmms, OPEN, shown=[str(tmp_path / "broken.mp4")])) == [""]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"mode": "both"}, "mode must be one of direct, agent; got 'both'"),
        ({"frames": 0}, "frames must be .* got 0"),
    ],
)
def test_a_wrong_argument_is_named(arguments, told):
    with pytest.raises(UsageError, match=told):
        model(model="signals", **arguments)


def test_pictures_are_refused():
    lmms = model(model="signals")
    with pytest.raises(UsageError, match="one video file; task task shows int, int"):
        lmms.generate_until(requests(lmms, OPEN, shown=[1, 2]))
