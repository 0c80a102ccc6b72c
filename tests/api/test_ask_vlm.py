"""The example that asks a model directly prints the reply on stdout, and all else on stderr."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from tests.conftest import ROOT
from tests.scripted_server import ScriptedServer, refusal, says

pytestmark = pytest.mark.network

SCRIPT = ROOT / "examples" / "ask_vlm.py"
WEB = "https://example.org/boardwalk.jpg"
FILM = "https://example.org/scene.mp4?size=large"


def _load():
    spec = importlib.util.spec_from_file_location("ask_vlm", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["ask_vlm"] = module
    spec.loader.exec_module(module)
    return module


example = _load()


def test_an_image_and_a_video_and_a_second_turn(capsys):
    with ScriptedServer([says("A boardwalk.", reasoning="planks"), says("Autumn.")]) as server:
        arguments = ["What is this?", WEB, FILM, "--then", "Which season is best?", "--base-url", server.url]
        assert example.main([*arguments, "--system", "Be brief.", "--max-tokens", "64"]) == 0
    first, second = server.bodies
    assert first["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": WEB}},
                {"type": "video_url", "video_url": {"url": FILM}},
            ],
        },
    ]
    assert second["messages"] == [
        *first["messages"],
        {"role": "assistant", "content": "A boardwalk."},
        {"role": "user", "content": "Which season is best?"},
    ]
    printed = capsys.readouterr()
    assert printed.out == "A boardwalk.\nAutumn.\n"
    lines = printed.err.splitlines()
    assert lines[:2] == ["model  scripted (profile default)", "planks"]
    assert lines[-1].startswith(
        "cost   100 prompt tokens (0 cached), 10 completion (0 thinking), 1 requests, "
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((FILM, "--fps", "2", "--num-frames", "9"), 2, "not both; got fps 2 and num_frames 9"),
        (("lost.png",), 2, "image lost.png cannot be read"),
        (("lost.mp4",), 3, "lost.mp4: no such file"),
        ((), 4, "too hot"),
    ],
)
def test_an_error_is_one_line_and_a_code(capsys, arguments, code, words):
    with ScriptedServer([refusal(400, "too hot")]) as server:
        assert example.main(["What is this?", *arguments, "--base-url", server.url]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err.splitlines()[-1]
    assert printed.err.splitlines()[-1].startswith("ask_vlm: ")
