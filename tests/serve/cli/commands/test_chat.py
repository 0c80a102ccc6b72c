"""`vidagent chat` and `vidagent sessions`: typed at a pseudo-terminal, piped, stopped, gone on with."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.graphs.scripts import Script, answer, clip_look
from tests.media.make import encode
from tests.scripted_server import ScriptedServer, block_of, says, step_of
from vidagent import api

pytestmark = pytest.mark.network

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[=>])")
WAIT_S = 60


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    encode(path, range(0, 4000, 40))
    return path


class Talk:
    """A model that looks once at the first question, and answers every later one from what it knows."""

    def __init__(self) -> None:
        self.down = threading.Event()
        self.held = threading.Event()
        self.asked = threading.Event()

    def __call__(self, body):
        if step_of(body) == "route":
            self.asked.set()
            if self.held.is_set():
                time.sleep(1)
                return {"error": "nobody waits for it"}
            if not self.down.is_set() and block_of(body, "earlier") is not None:
                return says(
                    json.dumps({"question": "What is seen after 3 s?", "kind": "read", "thing": "it"})
                )
        if self.down.is_set():
            return {"error": "the model is down"}
        first = block_of(body, "earlier") is None
        script = Script([clip_look(1, 3)], [answer()]) if first else Script([answer()])
        script.planned = sum(message["role"] == "assistant" for message in body["messages"]) if first else 0
        return script(body)


def chat(clip: Path, server: ScriptedServer, *arguments: str) -> list[str]:
    model = ["--base-url", server.url, "--model", "scripted"]
    return [sys.executable, "-m", "vidagent", "chat", str(clip), *model, *arguments]


def piped(clip: Path, server: ScriptedServer, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        chat(clip, server, *arguments),
        input=text, capture_output=True, text=True, timeout=WAIT_S, cwd=ROOT, env=os.environ, check=False,
    )  # fmt: skip


class Typist:
    """A person at a terminal: types, and waits for words to come up."""

    def __init__(self, arguments: list[str]) -> None:
        self._ours, theirs = pty.openpty()
        self.said = ""
        self._process = subprocess.Popen(
            arguments,
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"},
            preexec_fn=_own_terminal,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *args: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def see(self, words: str, *, again: str = "") -> str:
        """Wait until some words are written; return all that was written up to there since the last time.

        `again` is typed each time that nothing is written for a while. Python's readline misses a Ctrl-C between two
        keys, until the next one.
        """
        until = time.monotonic() + WAIT_S
        while words not in (plain := ESCAPES.sub("", self.said)):
            assert time.monotonic() < until, f"{words!r} is not in {plain!r}"
            if select.select([self._ours], [], [], 5)[0]:
                self.said += os.read(self._ours, 65536).decode(errors="replace")
            else:
                self.type(again)
        self.said = plain.partition(words)[2]
        return plain.partition(words)[0]

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def code(self) -> int:
        try:
            while os.read(self._ours, 65536):
                pass
        except OSError:  # how Linux says that the other end is closed
            pass
        return self._process.wait(WAIT_S)


def _own_terminal() -> None:
    """Make the pseudo-terminal the one whose Ctrl-C reaches the command."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_piped_questions_follow_each_other(clip):
    with ScriptedServer(Talk()) as server:
        done = piped(clip, server, "When is it seen?\n\nand then?\n", "--session", "talk")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Something is to be seen.\n\n") == 2
    assert "question  and then?" in done.stderr
    assert done.stderr.count("meaning   ") == done.stderr.count("meaning   What is seen after 3 s?") == 1
    assert "go on with: vidagent chat" in done.stderr
    assert done.stderr.count("model     scripted") == 1
    asked = [body for body in server.bodies if step_of(body) == "plan"]
    assert "asked: When is it seen?" in block_of(asked[-1], "earlier")
    assert [turn.question for turn in api.find_session("talk").turns] == ["When is it seen?", "and then?"]


def test_json_is_an_object_a_line_and_a_failure_ends_nothing(clip):
    talk = Talk()

    def moody(body):
        failing = step_of(body) in {"route", "plan"} and block_of(body, "question") == "and why?"
        return {"error": "gone"} if failing else talk(body)

    with ScriptedServer(moody) as server:
        done = piped(clip, server, "When is it seen?\nand why?\n/nonsense\nand then?\n", "--json", "-q")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one.get("status") for one in told] == ["answered", None, None, "answered"]
    assert told[1]["error"]["type"] == "ModelError"
    assert told[2]["error"]["message"].startswith("there is no command '/nonsense'; there are /help")
    assert done.returncode == 4
    [kept] = api.list_sessions()
    assert [turn.question for turn in kept.turns] == ["When is it seen?", "and then?"]
    assert all(line.startswith("vidagent: ") for line in done.stderr.splitlines())


def test_an_engine_in_process_takes_no_server(clip):
    with ScriptedServer(Talk()) as server:
        done = piped(clip, server, "When is it seen?\n", "--engine", "vllm")
    assert done.returncode == 2
    assert "engine vllm runs in this process: give it no base URL" in done.stderr
    assert server.bodies == []


def test_a_session_is_gone_on_with_by_name_or_as_the_last_one(clip, tmp_path):
    with ScriptedServer(Talk()) as server:
        assert piped(clip, server, "When is it seen?\n").returncode == 0
        [name] = [one.name for one in api.list_sessions()]
        more = piped(clip, server, "and then?\n", "--continue")
        again = piped(clip, server, "and then?\n", "--session", name)
        fresh = piped(clip, server, "When is it seen?\n/new\nand then?\n", "-q")
        other = tmp_path / "other.mp4"
        encode(other, range(0, 2000, 40))
        wrong = piped(other, server, "When?\n", "--session", name)
        none = piped(other, server, "When?\n", "--continue")
        both = piped(clip, server, "When?\n", "--continue", "--session", name)
    assert f"session   {name}, 1 question so far" in more.stderr
    assert "last      When is it seen?" in more.stderr
    assert f"session   {name}, 2 questions so far" in again.stderr
    assert fresh.returncode == 0
    assert sorted(len(one.turns) for one in api.list_sessions()) == [1, 1, 3]
    assert (wrong.returncode, none.returncode, both.returncode) == (2, 2, 2)
    assert f"session {name!r} is about" in wrong.stderr
    assert "there is no session about" in none.stderr
    assert "give either --continue or --session" in both.stderr


def test_a_person_at_a_terminal(clip, tmp_path):
    talk, report = Talk(), tmp_path / "out.html"
    with ScriptedServer(talk) as server, Typist(chat(clip, server, "--session", "talk")) as person:
        person.see("session   talk, new; /help lists the commands")
        person.see("> ")
        person.type("/frames\n")
        person.see("vidagent: there is no answer yet")
        person.type("When is it seen?\n")
        person.see("cost ")
        person.see("Something is to be seen.")
        person.see("> ")
        person.type("/help\n")
        person.see("/report FILE")
        person.type("/why\n")
        person.see("clip 1.000-3.000 s")
        person.type("/frames\n")
        person.see(".jpg")
        person.type(f"/report {report}\n")
        person.see("saved ")
        person.see("> ")
        person.type("and then?\n")
        person.see("Something is to be seen.")
        person.see("> ")
        person.type("\x1b[A\x1b[A\n")  # the question before, called back
        person.see(f"/report {report}")
        person.see("saved ")
        person.see("> ")
        person.type("\x04")
        person.see("go on with: vidagent chat")
        assert person.code() == 0
    assert report.read_text().startswith("<!doctype html>")
    assert [turn.question for turn in api.find_session("talk").turns] == ["When is it seen?", "and then?"]


def test_ctrl_c_stops_the_question_and_not_the_chat(clip):
    talk = Talk()
    with ScriptedServer(talk) as server, Typist(chat(clip, server, "--session", "talk")) as person:
        person.see("> ")
        person.type("half a line")
        person.see("half a line")  # it is read by now
        person.type("\x03")
        person.see("Ctrl-D or /quit ends the chat", again="\x03")
        person.see("> ")
        talk.held.set()
        person.type("When is it seen?\n")
        assert talk.asked.wait(WAIT_S)
        person.type("\x03")
        person.see("vidagent: stopped")
        person.see("> ")
        talk.held.clear()
        talk.down.set()
        person.type("When is it seen?\n")
        person.see("vidagent: ")
        person.see("> ")
        talk.down.clear()
        person.type("When is it seen?\n")
        person.see("Something is to be seen.")
        person.see("> ")
        person.type("/quit\n")
        assert person.code() == 0
    assert len(api.find_session("talk").turns) == 1


def test_sessions_are_listed_shown_and_deleted(clip, command):
    with ScriptedServer(Talk()) as server:
        assert piped(clip, server, "When is it seen?\nand then?\n", "--session", "talk").returncode == 0
    listed = command("sessions", "list")
    assert re.search(r"^talk  .*  2 questions +clip\.mp4  and then\?$", listed.out, re.MULTILINE)
    [one] = json.loads(command("sessions", "list", "--json").out)["sessions"]
    assert (one["name"], one["questions"], one["video"]["path"]) == ("talk", 2, str(clip))
    shown = command("sessions", "show", "talk")
    assert "> When is it seen?\n  Something is to be seen." in shown.out
    told = json.loads(command("sessions", "show", "talk", "--json").out)
    assert [turn["question"] for turn in told["turns"]] == ["When is it seen?", "and then?"]
    assert told["turns"][1]["answer"]["status"] == "answered"
    assert command("sessions", "delete", "talk").code == 0
    assert command("sessions", "list").out == "no sessions\n"
    gone = command("sessions", "show", "talk")
    assert (gone.code, gone.err) == (2, "vidagent: there is no session 'talk'; there is none\n")


def test_ask_takes_a_session(clip, command):
    with ScriptedServer(Talk()) as server:
        model = ["--base-url", server.url, "--model", "scripted", "-q", "--session", "talk"]
        assert command("ask", str(clip), "When is it seen?", *model).code == 0
        assert command("ask", str(clip), "and then?", *model).code == 0
        refused = command("ask", str(clip), "and?", *model[:-1], "a/b")
    assert len(api.find_session("talk").turns) == 2
    assert refused.code == 2
    assert "1 to 64 letters" in refused.err
