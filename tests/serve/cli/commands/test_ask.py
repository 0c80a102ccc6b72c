"""`vidagent ask`: what goes where, and with which exit code."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest

from tests.serve.answers import ANSWER, LOOK, PARTIAL, Happening
from vidagent.errors import ModelError, UsageError, VideoError
from vidagent.serve.terminal import console
from vidagent.serve.terminal.progress import Progress
from vidagent.types import Budget


def test_answer_on_stdout_and_all_else_on_stderr(api, command):
    done = command("ask", "clip.mp4", "When is SALE shown?")
    assert done.code == 0
    assert done.out.splitlines() == [
        "'SALE' is shown from 0:37.480 to 0:37.880.",
        "",
        "when      0:37.480 to 0:37.880 (0.400 s)",
        "evidence  0:37.480  supported    SALE is in the picture",
        "            frames/37.480.jpg  box 10,20,300,80 px",
        "sure      0.90",
        "seen      frames within 0.5 s of 10% of 1:00.000",
        "run       run-7",
    ]
    assert done.err.splitlines() == [
        "model     signals (embedded)",
        "looked    clip 0:34.000 to 0:40.000, 24 frames at 4 fps; found: SALE at 37.480 s",
        "verdict   supported: SALE is in the picture",
        "cost      2.0 s, 3 model calls, 24 frames sent, 0 decoded, 1,200 + 30 tokens",
    ]
    assert "\x1b" not in done.out + done.err


def test_a_look_at_one_frame_says_so(capfd):
    console.stderr.cache_clear()
    with Progress(console.stderr(), quiet=False, verbose=False) as progress:
        progress(Happening("look", "clip 34.000-40.000 s", "look", {**LOOK, "id": 3, "frames": 1}))
        progress(Happening("observation", "SALE", "look", {"id": 3, "found": True}))
    assert ", 1 frame at 4 fps; found: SALE" in capfd.readouterr().err


def test_json_is_the_contract_on_one_line(api, command):
    done = command("ask", "clip.mp4", "When?", "--json")
    assert done.code == 0
    assert done.out.count("\n") == 1
    assert done.json() == json.loads(json.dumps(ANSWER.to_dict()))


def test_quiet_leaves_stderr_empty(api, command):
    done = command("ask", "clip.mp4", "When?", "-q")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("'SALE'")


def test_verbose_keeps_passing_steps(api, command):
    done = command("ask", "clip.mp4", "When?", "-v")
    assert "step      plan 1 of 8" in done.err
    assert "look      clip 34.000-40.000 s" in done.err


def test_every_flag_reaches_the_api(api, command, tmp_path):
    flags = (
        "--model m --base-url http://127.0.0.1:1/v1 --resume run-3 --session talk --decoder decord --fps 2.5 "
        "--option a --option b"
    )
    budgets = (
        "--budget-seconds 1.5 --budget-steps 2 --budget-model-calls 3 --budget-prompt-tokens 4 "
        "--budget-completion-tokens 5 --budget-thinking-tokens 0 --budget-frames 7 --budget-computed-tokens 8"
    )
    schema = tmp_path / "score.json"
    schema.write_text('{"type": "integer", "$id": "score"}')
    files = (
        "--schema",
        str(schema),
        "--save-frames",
        str(tmp_path),
        "--report",
        str(tmp_path / "out.html"),
        "--export",
        "out.csv",
    )
    done = command(
        "ask", "clip.mp4", "Which?", *flags.split(), *budgets.split(), *files, "--export", "frames/"
    )
    assert done.code == 0
    assert api.calls == [
        {
            "path": "clip.mp4",
            "question": "Which?",
            "options": ("a", "b"),
            "model": "m",
            "base_url": "http://127.0.0.1:1/v1",
            "engine": None,
            "budget": Budget(1.5, 2, 3, 4, 5, 0, 7, 8),
            "fps": 2.5,
            "num_frames": None,
            "decoder": "decord",
            "video_stream": None,
            "schema": {"type": "integer"},
            "save_frames": tmp_path,
            "report": tmp_path / "out.html",
            "export": ["out.csv", "frames/"],
            "resume": "run-3",
            "session": "talk",
            "stream": False,
        }
    ]


def test_without_flags_settings_decide(api, command, monkeypatch):
    monkeypatch.setenv("VIDAGENT_BUDGET_FRAMES", "11")
    monkeypatch.setenv("VIDAGENT_BUDGET_STEPS", "12")
    command("ask", "clip.mp4", "When?", "--budget-steps", "3")
    assert api.calls == [
        {
            "path": "clip.mp4",
            "question": "When?",
            "options": None,
            "model": None,
            "base_url": None,
            "engine": None,
            "budget": Budget(frames=11, steps=3),
            "fps": None,
            "num_frames": None,
            "decoder": None,
            "video_stream": None,
            "schema": None,
            "save_frames": None,
            "report": None,
            "export": None,
            "resume": None,
            "session": None,
            "stream": False,
        }
    ]


def test_question_from_stdin(api, command, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"  When is it\xff?\n")))
    assert command("ask", "clip.mp4", "-").code == 0
    assert api.calls[0]["question"] == "When is it�?"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((""), "a question needs 1 to 20,000 characters, got 0"),
        (("   ",), "a question needs 1 to 20,000 characters, got 0"),
        (("x" * 20_001,), "a question needs 1 to 20,000 characters, got 20,001"),
        (("q", "--option", "one"), "at least 2 options are needed to choose from, got 1"),
        (
            ("q", "--option", "one", "--option", " "),
            "option 2 is empty; an option needs at least 1 character",
        ),
        (
            ("q", "--option", "a", "--option", "a"),
            "option 'a' is given more than once; options must differ",
        ),
        (("q", "--budget-seconds", "0"), "budget seconds must be a number, more than 0; got 0.0"),
        (("q", "--budget-seconds", "nan"), "budget seconds must be a number, more than 0; got nan"),
        (("q", "--budget-frames", "-5"), "budget frames must be a whole number, more than 0; got -5"),
        (
            ("q", "--budget-thinking-tokens", "-1"),
            "budget thinking_tokens must be a whole number, 0 or more; got -1",
        ),
        (("q", "--budget-steps", "abc"), "--budget-steps must be a whole number, more than 0; got 'abc'"),
        (("q", "--budget-frames", "1.5"), "--budget-frames must be a whole number, more than 0; got '1.5'"),
        (("q", "--budget-seconds", "1 h"), "--budget-seconds must be a number, more than 0; got '1 h'"),
        (
            ("q", "--budget-thinking-tokens", ""),
            "--budget-thinking-tokens must be a whole number, 0 or more; got ''",
        ),
        (("q", "--fps", "fast"), "--fps must be a number, more than 0; got 'fast'"),
        (("q", "--max-download-mb", "1G"), "--max-download-mb must be a whole number, more than 0; got '1G'"),
        (("q", "--max-download-mb", "0"), "--max-download-mb must be more than 0, got 0"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(api, command, arguments, line):
    done = command("ask", "clip.mp4", *([""] if arguments == "" else arguments))
    assert (done.code, done.out, done.err) == (2, "", f"vidagent: {line}\n")
    assert api.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask",),
        ("ask", "clip.mp4"),
        ("ask", "clip.mp4", "q", "--budget-frames", "many"),
        ("ask", "clip.mp4", "q", "--decoder", "vlc"),
        ("ask", "clip.mp4", "q", "--no-such-flag"),
        ("ask", "clip.mp4", "q", "--save-frames", __file__),
        ("akk",),
        ("probe",),
    ],
)
def test_wrong_flags_are_one_line_and_exit_2(api, command, arguments):
    done = command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("vidagent: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("no run 'x'"), 2), (VideoError("clip.mp4: not\na video"), 3), (ModelError("refused"), 4)],
)
def test_deliberate_errors_are_one_line(api, command, error, code):
    api.outcome = error
    done = command("ask", "clip.mp4", "When?", "-q")
    assert (done.code, done.out) == (code, "")
    assert done.err == f"vidagent: {' '.join(str(error).split())}\n"


def test_internal_error_is_one_line_and_says_how_to_see_more(api, command):
    api.outcome = ZeroDivisionError("division by zero")
    done = command("ask", "clip.mp4", "When?", "-q")
    assert done.code == 1
    assert done.err == (
        "vidagent: internal error: ZeroDivisionError: division by zero "
        "(-v or VIDAGENT_DEBUG=1 shows the traceback)\n"
    )


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_internal_error_shows_its_traceback_on_request(api, command, monkeypatch, how):
    api.outcome = ZeroDivisionError("division by zero")
    if how == "environment":
        monkeypatch.setenv("VIDAGENT_DEBUG", "1")
    done = command("ask", "clip.mp4", "When?", *(["-v"] if how == "flag" else []))
    assert done.code == 1
    assert "Traceback (most recent call last)" in done.err
    assert done.err.splitlines()[-1] == "vidagent: internal error: ZeroDivisionError: division by zero"


def test_interrupt_is_130(api, command):
    api.outcome = KeyboardInterrupt()
    done = command("ask", "clip.mp4", "When?", "-q")
    assert (done.code, done.out, done.err) == (130, "", "vidagent: interrupted\n")


def test_an_interrupted_run_says_what_was_found_and_how_to_go_on(api, command, monkeypatch):
    api.outcome = KeyboardInterrupt()
    begun = Happening("model", "signals (embedded)", data={"run_id": "run-7"})
    seen = Happening("observation", "SALE at 37.480 s", "look", {"id": 3, "found": True})
    stood = {"verdict": "supported", "claim": "SALE is in the picture", "time_s": 37.48}
    checked = Happening("verdict", "supported: SALE is in the picture", "verify", stood)
    fell = Happening(
        "verdict", "unsupported: no", "verify", {**stood, "verdict": "unsupported", "claim": "no"}
    )
    look = Happening("look", "clip 34.000-40.000 s", "look", {**LOOK, "id": 3})

    def told(*events):
        monkeypatch.setattr("tests.serve.answers.EVENTS", events)
        done = command("ask", "clip.mp4", "When?")
        assert (done.code, done.out) == (130, "")
        lines = done.err.splitlines()
        return lines[lines.index("stopped   run run-7") :] if "stopped   run run-7" in lines else lines

    end = ["go on     vidagent runs resume last", "vidagent: interrupted"]
    assert told(begun, look, seen, fell, checked) == [
        "stopped   run run-7", "so far    0:37.480  supported: SALE is in the picture", *end
    ]  # fmt: skip
    assert told(begun, look, seen)[1:] == ["so far    seen, not checked: SALE at 37.480 s", *end]
    assert told(begun)[1:] == ["so far    nothing was looked at", *end]
    assert told() == ["vidagent: interrupted"]  # no run has begun: `last` would be another one
    assert command("ask", "clip.mp4", "When?", "-q").err == "vidagent: interrupted\n"


def test_a_run_that_lost_its_model_says_how_to_go_on(api, command, monkeypatch):
    api.outcome = ModelError("the server did not reply within 300 s")
    begun = Happening("model", "scripted", data={"run_id": "run-7"})
    monkeypatch.setattr("tests.serve.answers.EVENTS", (begun,))
    done = command("ask", "clip.mp4", "When?")
    assert (done.code, done.err.splitlines()[-4:]) == (
        4,
        [
            "stopped   run run-7",
            "so far    nothing was looked at",
            "go on     vidagent runs resume last",
            "vidagent: the server did not reply within 300 s",
        ],
    )
    assert command("ask", "clip.mp4", "When?", "-q").err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("clip.mp4", "How", "many", "cuts"),
            "there is no file 'How'; a question goes in quotes: vidagent ask clip.mp4 \"How many cuts\"",
        ),
        (
            ("clip.mp4", "b.mp4", "what's", "new"),
            'there is no file "what\'s"; a question goes in quotes: vidagent ask clip.mp4 b.mp4 "what\'s new"',
        ),
        (
            ("How many cuts?", "clip.mp4"),
            "'How many cuts?' is no file, and 'clip.mp4' is one: the VIDEO comes before the QUESTION",
        ),
    ],
)
def test_a_question_without_quotes_is_told_of_them(api, command, tmp_path, monkeypatch, arguments, line):
    monkeypatch.chdir(tmp_path)
    for name in ("clip.mp4", "b.mp4"):
        Path(name).touch()
    done = command("ask", *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"vidagent: {line}\n")
    assert api.calls == []
    command("ask", "clip.mp4", "b.mp4", "no.mp4", "How many cuts?", "-q")
    assert len(api.calls) == 1  # a quoted question is passed on: the API names the file that is missing


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("chat", "clip.mp4", "How", "many"),
            "chat takes one VIDEO and no question: questions are typed once it has begun, or piped in",
        ),
        (
            ("probe", "my", "clip.mp4"),
            "Got unexpected extra argument(s) (clip.mp4); put an argument that has spaces in quotes",
        ),
    ],
)
def test_too_many_arguments(api, command, arguments, line):
    done = command(*arguments)
    assert (done.code, done.err) == (2, f"vidagent: {line} (--help lists what is legal)\n")


def test_paths_of_frames_that_nobody_asked_for_are_told_with_verbose_only(api, command):
    """A frame in the run's own folder has a long path that nobody chose; one that was written on request is told."""
    kept = f"/cache/vidagent/runs/{ANSWER.run_id}/frames/{'ab' * 32}.jpg"
    (claim,) = ANSWER.evidence
    api.outcome = dataclasses.replace(ANSWER, evidence=(dataclasses.replace(claim, frame=kept),))
    done = command("ask", "clip.mp4", "When?")
    assert kept not in done.out
    assert "            box 10,20,300,80 px\n" in done.out
    assert f"            {kept}  box 10,20,300,80 px\n" in command("ask", "clip.mp4", "When?", "-v").out
    assert command("ask", "clip.mp4", "When?", "--json").json()["evidence"][0]["frame"] == kept


def test_spent_budget_prints_the_partial_answer_and_exits_5(api, command):
    api.outcome = PARTIAL
    done = command("ask", "clip.mp4", "When?")
    assert done.code == 5
    assert "status    partial: the frames budget ended the run" in done.out
    assert command("ask", "clip.mp4", "When?", "--json").json()["budget"]["ended_by"] == "frames"


def test_not_found_is_exit_0(api, command):
    api.outcome = dataclasses.replace(ANSWER, status="not_found", spans=(), evidence=())
    done = command("ask", "clip.mp4", "When?")
    assert done.code == 0
    assert "status    not found" in done.out
    assert "when" not in done.out


def test_choice_and_count_are_shown(api, command):
    api.outcome = dataclasses.replace(ANSWER, choice=1, count=3)
    done = command("ask", "clip.mp4", "Which?", "--option", "red", "--option", "blue")
    assert "choice    2 of 2: blue" in done.out
    assert "count     3" in done.out


def test_dry_run_asks_nothing(api, command):
    done = command("ask", "clip.mp4", "When?", "--dry-run", "--budget-frames", "9")
    assert (done.code, done.out) == (0, "overview: 48 frames\nat most 200 frames\n")
    assert api.calls[0]["budget"] == Budget(frames=9)
    assert command("ask", "clip.mp4", "When?", "--dry-run", "--json").json() == {"frames": 48}


def test_url_without_download_is_a_video_error(api, command):
    done = command("ask", "https://example.org/clip.mp4", "When?")
    assert (done.code, done.out) == (3, "")
    assert "--download" in done.err
    assert done.err.count("\n") == 1
    assert api.calls == []


def test_control_characters_from_a_video_do_not_reach_the_terminal(api, command):
    api.outcome = dataclasses.replace(ANSWER, answer="red \x1b]0;owned\x07 text")
    assert "\x1b" not in command("ask", "clip.mp4", "Which?").out


def test_control_characters_are_escaped_in_json_and_none_is_lost(api, command):
    said = "red \x1b]0;owned\x07 \x9b31m \x7f \u202etext\u2069 \u2028 end"
    api.outcome = dataclasses.replace(ANSWER, answer=said)
    done = command("ask", "clip.mp4", "Which?", "--json")
    assert done.json()["answer"] == said
    assert done.out.rstrip("\n").isprintable()


def test_warnings_are_one_line(api, command, recwarn):
    import warnings

    def warn(path: str):
        warnings.warn("the cache folder\ncannot be written", stacklevel=1)
        return ANSWER

    api.outcome = warn
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        loud, quiet = command("ask", "clip.mp4", "When?"), command("ask", "clip.mp4", "When?", "-q")
    assert "vidagent: warning: the cache folder cannot be written\n" in loud.err
    assert quiet.err == ""


def test_video_is_named_as_the_user_named_it(api, command):
    assert command("ask", "./a/../clip.mp4", "When?", "--json").json()["video"]["path"] == "./a/../clip.mp4"


def test_file_name_that_is_not_utf8(api, command):
    name = Path(b"caf\xe9.mp4".decode("utf-8", "surrogateescape"))
    done = command("ask", str(name), "When?", "--json")
    assert done.code == 0
    assert done.json()["video"]["path"] == str(name)
