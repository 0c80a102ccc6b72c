"""`vidagent vlm check`: the table, the JSON, what is said of a server that cannot be used, and the exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.able_server import Able
from tests.scripted_server import HANG, PAGE, ScriptedServer, refusal

pytestmark = pytest.mark.network


def test_the_table_of_a_server_that_can_everything(command):
    with Able().server() as server:
        done = command("vlm", "check", "--base-url", server.url)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:4] == [
        f"server    {server.url}  vLLM 0.32.0",
        "model     tiny, context 16,384 tokens",
        "from      org/tiny",
        "profile   tiny",
    ]
    assert "  one                   yes     50 tokens for 224x224 px; its word was read" in lines
    assert "  budget by the server  yes     16 of 16 tokens, 96 without it" in lines
    assert lines[-1] == "It can be used, and nothing here contradicts profile tiny."
    assert all(len(line) <= 80 for line in lines)


def test_the_table_says_what_is_refused_and_what_mends_it(command):
    with Able(lacks={"media_options", "tools"}).server(model="x", context_tokens=4096) as server:
        done = command("vlm", "check", "--base-url", server.url, "-q")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    start = lines.index("  options per request   no      refused (400): Per-request media_io_kwargs are")
    assert lines[start + 1].startswith(" " * 32 + "disabled by default")
    assert "  fps and num_frames    no      needs media_io_kwargs, which are refused" in lines
    end = lines[lines.index("It can be used. Where profile default says otherwise:") :]
    assert end[1:3] == [
        "  context_tokens: the profile has 32,768, the server takes 4,096",
        "      context_tokens = 4096, or start the server with --max-model-len 32768",
    ]
    assert "  tool_calls: the server takes no tools" in end
    assert all(len(line) <= 80 for line in lines)


def test_json(command):
    with Able(lacks={"json_schema"}).server() as server:
        done = command("vlm", "check", "--base-url", server.url, "--json")
    assert (done.code, done.err) == (0, "")
    checkup = done.json()
    assert (checkup["usable"], checkup["unusable"], checkup["kind"]) == (True, None, "vLLM")
    rows = {(row["group"], row["name"]): row for row in checkup["findings"]}
    assert len(rows) == len(checkup["findings"]) == 24
    assert rows["typed replies", "json_schema"] == {
        "group": "typed replies",
        "name": "json_schema",
        "value": "no",
        "detail": "refused (400): response_format is not supported by this server",
        "facts": {"status": 400},
    }
    assert checkup["advice"] == [
        {
            "key": "structured",
            "found": "the server does not hold replies to a schema",
            "mend": 'structured = "tool"',
        }
    ]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_server_that_takes_no_pictures_is_exit_4_with_the_table(command, form):
    with Able(lacks={"pictures"}).server() as server:
        done = command("vlm", "check", "--base-url", server.url, *form)
    assert done.code == 4
    assert done.err == f"vidagent: {server.url} cannot be used: it takes no pictures\n"
    if form:
        assert done.json()["unusable"] == "it takes no pictures"
    else:
        assert "  one                   no      refused (400): tiny is not a multimodal model\n" in done.out
        assert "It can be used" not in done.out


def test_verbose_tells_each_trial(command):
    with Able().server() as server:
        done = command("vlm", "check", "--base-url", server.url, "-v")
    assert done.err.count("vidagent: debug: ") == 24
    assert "vidagent: debug: tools, required: yes, " in done.err


def test_words_of_the_server_cannot_drive_the_terminal(command):
    with Able().server() as server:
        able = server._script
        server._script = lambda body: refusal(400, "\x1b[2Jgone") if "tools" in body else able(body)
        done = command("vlm", "check", "--base-url", server.url)
    assert "\x1b" not in done.out
    assert "  auto                  no      refused (400): \N{REPLACEMENT CHARACTER}[2Jgone\n" in done.out


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from vidagent.serve.cli.app import run; run(['vlm', 'check', '--help']); "
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "--base-url" in done.stdout
    assert set(done.stderr.split()) & {"httpx", "openai", "langchain_core", "numpy", "cv2", "av"} == set()


def test_no_server(command, monkeypatch):
    monkeypatch.setattr("vidagent.agents.server.model_choice.LOCAL_URLS", ("http://127.0.0.1:1/v1",))
    done = command("vlm", "check")
    assert (done.code, done.out) == (4, "")
    assert done.err == (
        "vidagent: no model server answers at http://127.0.0.1:1/v1: Connection refused; "
        "name one (--base-url or VIDAGENT_BASE_URL)\n"
    )


def test_the_server_of_the_settings(command, monkeypatch):
    with Able().server() as server:
        monkeypatch.setenv("VIDAGENT_BASE_URL", server.url)
        monkeypatch.setenv("VIDAGENT_PROFILE", "qwen3-vl")
        done = command("vlm", "check", "--json")
    assert (done.code, done.json()["server"], done.json()["profile"]) == (0, server.url, "qwen3-vl")


def test_a_page_is_no_server(command):
    with ScriptedServer([PAGE], routes={"/v1/models": PAGE}) as server:
        done = command("vlm", "check", "--base-url", server.url)
    assert (done.code, done.out) == (4, "")
    assert "is not a list of models; is the base URL right" in done.err
    assert done.err.count("\n") == 1


def test_a_server_that_hangs(command, monkeypatch):
    monkeypatch.setenv("VIDAGENT_REPLY_SECONDS", "0.3")
    with ScriptedServer([HANG]) as server:
        done = command("vlm", "check", "--base-url", server.url)
    assert (done.code, done.out) == (4, "")
    assert "sent no reply within 0.3 s (VIDAGENT_REPLY_SECONDS waits longer)" in done.err


def test_a_model_that_is_not_there(command):
    with Able().server() as server:
        done = command("vlm", "check", "--base-url", server.url, "--model", "nope")
    assert done.code == 4
    assert "has no model 'nope' (404)" in done.err


def test_the_embedded_model_is_a_wrong_argument(command):
    assert command("vlm", "check", "--model", "signals").code == 2


def test_help(command):
    done = command("vlm", "--help")
    assert done.code == 0
    assert "check" in done.out
