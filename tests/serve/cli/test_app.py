"""The command line as a process: its other commands, start-up, pipes and signals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer

from tests.conftest import ROOT
from tests.test_repository import legal
from vidagent.errors import VideoError
from vidagent.serve.cli import examples
from vidagent.serve.cli.app import app

HEAVY = {
    "aiosqlite", "av", "cv2", "decord", "httpx", "langchain_core", "langchain_openai", "langgraph", "numpy",
    "onnxruntime", "openai", "pydantic_settings", "rapidocr", "tiktoken", "torch", "zxingcpp",
}  # fmt: skip


def python(*arguments: str, **rest) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, **rest)


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["--version"], ["ask", "clip.mp4", ""]])
def test_start_up_loads_nothing_heavy(arguments):
    code = (
        "import sys; from vidagent.serve.cli.app import run; "
        f"run({arguments!r}); print(*{{name.split('.')[0] for name in sys.modules}}, file=sys.stderr)"
    )
    done = python("-c", code)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def test_a_question_without_a_server_loads_no_client_of_one():
    done = python("-c", "import sys, vidagent.api; print({'openai', 'langchain_openai'} & set(sys.modules))")
    assert done.stdout == "set()\n", done.stderr


def test_module_and_script_are_one(command):
    done = python("-m", "vidagent", "--version")
    assert (done.returncode, done.stdout) == (0, command("--version").out)


def test_no_arguments_is_help(command):
    done = command()
    assert done.code == 0
    assert all(name in done.out for name in ("ask", "probe", "index", "models"))


@pytest.mark.parametrize("group", ["library", "runs", "sessions", "cache"])
def test_a_group_without_a_command_is_help(command, group):
    done = command(group)
    assert (done.code, done.err) == (0, "")
    assert f"Usage: vidagent {group}" in done.out


def test_help_names_the_exit_codes(command):
    assert "Exit codes: 0 answered or not found" in command("--help").out


def commands(group: typer.core.TyperGroup, *above: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*above, name)
        yield from commands(command, *above, name) if hasattr(command, "commands") else ()


ALL = [(), *commands(typer.main.get_command(app))]


@pytest.mark.parametrize("named", ALL, ids=" ".join)
def test_h_is_help_everywhere(command, named):
    short = command(*named, "-h")
    assert short.code == 0
    assert "Usage: vidagent" in short.out
    assert short.out == command(*named, "--help").out


@pytest.mark.parametrize("name", ["ask", "chat", "batch", "index", "texts", "serve", "runs", "eval"])
def test_help_has_examples_that_are_legal(command, name):
    help_text = command(name, "--help").out
    lines = getattr(examples, name.upper()).split("\n\n")[1:]
    assert lines
    for line in lines:
        assert line.split(" --")[0].split(' "')[0] in " ".join(help_text.split())
        named = {word for word in line.split() if word.startswith("-")}
        assert named <= legal(line.split()[1:])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell):
    done = python("-m", "vidagent", env={"_VIDAGENT_COMPLETE": f"source_{shell}", "PATH": "/bin"})
    assert done.returncode == 0
    assert "_VIDAGENT_COMPLETE" in done.stdout


def test_probe(api, command):
    done = command("probe", "clip.mp4")
    assert done.code == 0
    assert "rate      29.97 fps (30000/1001), 1,798 frames\n" in done.out
    assert "picture   1280x720 h264, turned 90° by the player\n" in done.out
    assert "shots     2\n" in done.out
    wanted = {"path": "clip.mp4", "fps": "30000/1001", "codec": "h264", "audio": "aac", "rotation_deg": 90}
    known = {"subtitles": ["eng", "talk.srt"], "keyframes": 12, "shots": [0.0, 8.5], "frames": 1798}
    assert (wanted | known).items() <= command("probe", "clip.mp4", "--json").json().items()


def test_index(api, command):
    assert command("index", "clip.mp4").out == "overview: 48 frames\nat most 200 frames\n"
    assert command("index", "clip.mp4", "--json").json() == {"frames": 48}


def test_video_errors_are_exit_3(api, command):
    api.outcome = VideoError("clip.mp4: no such file")
    done = command("index", "clip.mp4")
    assert (done.code, done.out, done.err) == (3, "", "vidagent: clip.mp4: no such file\n")


@pytest.mark.network
def test_models_without_a_server(command, monkeypatch):
    monkeypatch.setattr("vidagent.agents.server.model_choice.LOCAL_URLS", ("http://127.0.0.1:1/v1",))
    done = command("models")
    assert done.code == 0
    assert "* signals  embedded  (profile signals)" in done.out
    (signals,) = command("models", "--json").json()["models"]
    assert {
        "model": "signals",
        "where": None,
        "profile": "signals",
        "chosen": True,
    }.items() <= signals.items()


@pytest.mark.network
def test_models_of_a_server_that_is_not_there(command):
    done = command("models", "--base-url", "http://127.0.0.1:1/v1")
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("vidagent: no model server answers at http://127.0.0.1:1/v1")


def test_a_bad_base_url_is_exit_2(command):
    done = command("models", "--base-url", "nonsense")
    assert done.code == 2
    assert "nonsense" in done.err


FAKE_RUN = """
import sys
from types import SimpleNamespace
from tests.serve.answers import FakeApi
sys.modules["vidagent.reports.multi_video"] = SimpleNamespace(check_exports=lambda *_: None)  # it brings the decoders
sys.modules["vidagent.api"] = FakeApi({outcome})
import vidagent
vidagent.api = sys.modules["vidagent.api"]
from vidagent.serve.cli.app import run
sys.exit(run({arguments!r}))
"""


def fake_process(*arguments: str, outcome: str = "", **rest) -> subprocess.Popen[str]:
    code = FAKE_RUN.format(arguments=arguments, outcome=outcome)
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **rest)


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_reader_that_leaves_is_no_error(extra):
    process = fake_process(
        "ask", "clip.mp4", "When?", "-q", *extra, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(30) == 0


def test_reader_of_progress_that_leaves_is_no_error():
    process = fake_process("ask", "clip.mp4", "When?", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stderr.close()
    assert process.stdout.read().startswith("'SALE'")
    process.stdout.close()
    assert process.wait(30) == 0
