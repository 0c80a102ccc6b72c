"""`vidagent judge` and `vidagent reviews` on the shapes of the guide of Video NeVA, against scripted judges."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scripted_server import Raw, ScriptedServer, refusal, says, texts
from vidagent.evaluation.judge.scores import read_scores

FILES = Path(__file__).with_name("files")
SCORES = {
    "Diamond Head.": 9, "A hill.": 4, "A crater by the sea.": 8, "An island.": 6, "It greets.": 7,
    "It is broken.": 3, "A robot arm waves.": 6, "Hand with a robot arm": 7,
}  # fmt: skip


def question(number, image, category):
    return json.dumps({"question_id": number, "text": "?", "image": image, "category": category})


def arguments(server, out, *flags, **files):
    names = {
        "questions": "questions.jsonl", "a": "answers_first.jsonl", "b": "answers_second.jsonl",
        "context": "context.jsonl", "rules": "rule.json",
    }  # fmt: skip
    paths = {key: str(files.get(key, FILES / name)) for key, name in names.items()}
    given = ("judge", paths["questions"], paths["a"], paths["b"], "--context", paths["context"])
    url = server if isinstance(server, str) else server.url
    return (
        *given,
        "--rules",
        paths["rules"],
        "-o",
        str(out),
        "--base-url",
        url,
        "--model",
        "scripted",
        *flags,
    )


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def fair(body):
    """Score each answer by its words, wherever it stands."""
    shown = re.findall(r"\[Assistant \d\]\n(.*)\n", texts(body))
    first, second = (next(score for words, score in SCORES.items() if one.endswith(words)) for one in shown)
    return says(f"{first} {second}\nThe first says more than the second.")


@pytest.mark.network
def test_the_table_of_the_guide(command, tmp_path):
    """By hand: conv is (9 + 6) / 2 and (4 + 7) / 2; all is (9 + 8 + 7 + 6) / 4 and (4 + 6 + 3 + 7) / 4."""
    out = tmp_path / "reviews.jsonl"
    with ScriptedServer(fair) as server:
        done = command(*arguments(server, out, "-q", "--concurrency", "1"))
    table = [
        "all 75.0 50.0",
        "llava_bench_complex 70.0 30.0",
        "llava_bench_conv 75.0 55.0",
        "llava_bench_detail 80.0 60.0",
    ]
    assert (done.code, done.out.splitlines(), done.err) == (0, table, "")
    assert command("reviews", str(out)).out.splitlines() == table
    assert command("reviews", str(out), "--ratio").out.splitlines()[0] == "all 75.0 50.0 66.7"
    first, swapped = server.bodies[:2]
    system, user = first["messages"]
    assert "checking the quality of the answer" in system["content"]
    assert user["content"].startswith(
        "[Context]\nAn aerial view of Diamond Head in Hawaii.\n\n"
        "[Question]\nWhat is the name of this famous sight in the photo?\n\n"
        "[Assistant 1]\nThe famous sight in the photo is Diamond Head.\n\n[End of Assistant 1]\n\n"
        "[Assistant 2]\nA hill.\n\n[End of Assistant 2]\n\n[System]\nPlease rate the helpfulness"
    )
    assert "[Assistant 1]\nA hill.\n" in texts(swapped)
    assert (first["temperature"], first["max_tokens"]) == (0.2, 1024)
    assert "A hand with a robot arm.\nIt waves." in texts(server.bodies[4])


@pytest.mark.network
def test_reviews_have_the_fields_that_the_public_scripts_read(command, tmp_path):
    """NeMo's `summarize` and LLaVA's `summarize_gpt_review.py`: `category` and `tuple` of each line."""
    out = tmp_path / "reviews.jsonl"
    with ScriptedServer(fair) as server:
        assert command(*arguments(server, out, "--concurrency", "1")).code == 0
    review = lines_of(out)[0]
    wanted = {"id": 1, "question_id": 0, "answer1_id": "TeyehNxHw5j8naXfEWaxWd", "answer2_id": 0}
    assert wanted.items() <= review.items()
    assert review["category"] == "llava_bench_conv"
    assert review["tuple"] == [9.0, 4.0]
    assert review["content"].startswith("9 4\n")
    assert [(one["first"], one["tuple"]) for one in review["orders"]] == [(1, [9.0, 4.0]), (2, [4.0, 9.0])]


@pytest.mark.network
def test_a_judge_that_prefers_the_first_gives_a_tie(command, tmp_path):
    with ScriptedServer([says("9 3")]) as server:
        done = command(*arguments(server, tmp_path / "r.jsonl", "-q"))
    assert {tuple(line.split()[1:]) for line in done.out.splitlines()} == {("60.0", "60.0")}
    assert len(server.bodies) == 8


@pytest.mark.network
def test_what_is_judged_is_not_asked_again(command, tmp_path):
    """The judge's process is killed amid the second question; the first is kept, and is not asked again."""
    out, released = tmp_path / "r.jsonl", []

    def script(body):
        return Raw(hang=True) if "Describe this photo" in texts(body) and not released else fair(body)

    with ScriptedServer(script) as server:
        flags = arguments(server, out, "-q", "--concurrency", "1")
        run = subprocess.Popen([sys.executable, "-m", "vidagent", *flags])
        deadline = time.monotonic() + 120
        while len(server.bodies) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
        run.wait(30)
        assert [line["question_id"] for line in lines_of(out)] == [0]
        released.append(True)
        assert command(*flags).out.splitlines()[0] == "all 75.0 50.0"
    assert sum("famous sight" in texts(body) for body in server.bodies) == 2
    assert [line["question_id"] for line in lines_of(out)] == [0, 1, 2, 3]


@pytest.mark.network
def test_a_judge_without_scores_is_asked_three_times_and_told(command, tmp_path):
    out = tmp_path / "r.jsonl"
    with ScriptedServer(
        lambda body: says("Both are fine.") if "robot lift" in texts(body) else fair(body)
    ) as server:
        done = command(*arguments(server, out, "-q"))
    assert done.code == 4
    assert done.out.splitlines()[0] == "all 76.7 56.7"
    assert "the judge gave no two scores for 1 of 4 questions (2)" in done.err
    assert sum("robot lift" in texts(body) for body in server.bodies) == 3
    assert {line["question_id"] for line in lines_of(out)} == {0, 1, 3}


@pytest.mark.network
def test_a_judge_that_refuses_is_exit_4(command, tmp_path):
    with ScriptedServer([refusal(400, "too hot")]) as server:
        done = command(*arguments(server, tmp_path / "r.jsonl", "-q"))
    assert (done.code, done.out) == (4, "")
    assert "too hot" in done.err


def batch_line(number, **came):
    """Return a line as `vidagent batch` writes it: `text` is the question."""
    asked = {"question_id": number, "text": "Is it a question? 10 10", "category": "conv"}
    return json.dumps({**asked, **came, "vidagent_line": f"{number + 1}:5d41402abc4b2a76"})


ERROR = {"error": {"type": "video", "message": "gone.mp4: no such file"}}


@pytest.mark.network
def test_an_error_line_of_a_batch_is_told_and_not_judged(command, tmp_path):
    """By hand: question 2 is left out, and 1 is answered beside an error that was; conv is as in the guide's table."""
    mixed, out = tmp_path / "batch.jsonl", tmp_path / "r.jsonl"
    answered = {0: "A hill.", 1: "An island.", 3: "Hand with a robot arm"}
    lines = [batch_line(number, response=text, answer={"answer": text}) for number, text in answered.items()]
    mixed.write_text("\n".join([batch_line(1, **ERROR), batch_line(2, **ERROR), *lines, json.dumps(ERROR)]))
    with ScriptedServer(fair) as server:
        done = command(*arguments(server, out, b=mixed))
    assert (done.code, done.out.splitlines()[0]) == (0, "all 76.7 56.7")
    assert "llava_bench_conv 75.0 55.0" in done.out
    assert f"left out  1 question has an error in place of an answer in {mixed} (2): not judged" in done.err
    assert {line["question_id"] for line in lines_of(out)} == {0, 1, 3}
    assert not any("10 10" in texts(body) for body in server.bodies)


def test_errors_alone_are_exit_2(command, tmp_path):
    failed = tmp_path / "batch.jsonl"
    failed.write_text("\n".join(batch_line(number, **ERROR) for number in range(4)))
    done = command(*arguments("http://127.0.0.1:1/v1", tmp_path / "r.jsonl", b=failed))
    assert (done.code, done.out) == (2, "")
    assert f"no question has two answers: {failed} hold errors" in done.err
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize(
    ("reply", "scores"),
    [
        ("8 9\nBecause.", (8, 9)),
        ("8, 9", (8, 9)),
        ("\n8.5 7\n", (8.5, 7)),
        ("8/10 9/10", (8, 9)),
        ("8 out of 10, 9 out of 10", (8, 9)),
        ("Assistant 1: 8, Assistant 2: 9", (8, 9)),
        ("**8** **9**", (8, 9)),
        ("Scores:\n8 9", (8, 9)),
        ("[[8, 9]]", (8, 9)),
        ("8", None),
        ("8 9 7", None),
        ("80 90", None),
        ("-1 -1", None),
        ("Both are fine.", None),
        ("", None),
    ],
)
def test_scores_are_read_leniently(reply, scores):
    assert read_scores(reply) == scores


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("questions", "", "no question in it"),
        ("questions", question(9, "001.jpg", "conv"), "no answer to question 9"),
        ("questions", "\n".join([question(0, "001.jpg", "conv")] * 2), "two questions have the same question_id"),
        ("questions", question(0, "x.jpg", "conv"), "no context for 'x.jpg'"),
        ("questions", question(0, "001.jpg", "art"), "no rule for category 'art'"),
        ("questions", '{"text": "?"}', "record 1: question_id"),
        ("a", '{"question_id": 0}', "an answer has question_id and text, or response_id and response"),
        ("rules", "[]", "expected an object from category to rule"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_exit_2(command, tmp_path, file, text, words):
    path = tmp_path / ("given.json" if file == "rules" else "given.jsonl")
    path.write_text(text)
    done = command(*arguments("http://127.0.0.1:1/v1", tmp_path / "r.jsonl", **{file: path}))
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_reviews_of_other_scripts_are_summed_up(command, tmp_path):
    """Lines without a category count to `all` alone, as in the public scripts; several files are named."""
    one, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    one.write_text('{"tuple": [8, 9], "category": "x"}\n{"tuple": [6, 7]}\n')
    other.write_text('{"tuple": [1, 2]}\n')
    assert command("reviews", str(one)).out.splitlines() == ["all 70.0 80.0", "x 80.0 90.0"]
    assert command("reviews", str(one), str(other)).out.splitlines()[-2:] == [str(other), "all 10.0 20.0"]
    other.write_text('{"score": 1}\n')
    done = command("reviews", str(other))
    assert (done.code, done.out) == (2, "")
    assert "line 1: a review has two scores" in done.err
