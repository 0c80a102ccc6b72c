"""Each public format through the command line: what is asked, and scores checked by hand."""

from __future__ import annotations

import json

import pytest

from tests.evaluation.conftest import FILES, answering
from tests.scripted_server import ScriptedServer, block_of, labelled_images

pytestmark = pytest.mark.network


def scores(command, shelf, tmp_path, name, file, videos, replies, *flags):
    """Ask a benchmark directly; return the summary's `direct`, the whole summary, and the server."""
    with ScriptedServer(answering(replies)) as server:
        done = command(
            "eval", name, str(FILES / file), "--videos", str(shelf(*videos)), "--mode", "direct", "--json",
            "--frames", "4", "--base-url", server.url, "-o", str(tmp_path / "out.jsonl"), *flags,
        )  # fmt: skip
    assert done.code == 0, done.err
    told = done.json()
    return told["modes"]["direct"], told, server


def by(part, category):
    return {name: score["accuracy"]["value"] for name, score in part["by"][category].items()}


@pytest.mark.parametrize("file", ["videomme.json", "videomme.csv"])
def test_video_mme(command, shelf, tmp_path, file):
    replies = {"number": {"choice": 2}, "colour": {"choice": 1}}  # C is right; B is not A
    direct, told, server = scores(command, shelf, tmp_path, "Video-MME", file, ["data/aB-3_x.mp4"], replies)
    assert direct["all"]["questions"] == 2
    assert direct["all"]["accuracy"] == {"value": 0.5, "low": 0.0945, "high": 0.9055}  # Wilson of 1 of 2
    assert by(direct, "duration") == {"short": 0.5}
    assert by(direct, "task_type") == {"Attribute Perception": 0.0, "OCR Problems": 1.0}
    assert told["missing_videos"] == {"questions": 1, "videos": {"not-there": 1}}
    asked = {block_of(body, "question"): block_of(body, "options") for body in server.bodies}
    assert asked["Which number does the pier have?"] == "0. One.\n1. Six.\n2. Nine.\n3. Four."
    assert all(len(labelled_images(body)) == 4 for body in server.bodies)
    assert direct["cost"]["frames_sent"] == 4
    assert direct["cost"]["prompt_tokens"] == 100


def test_lvbench(command, shelf, tmp_path):
    replies = {"caption": {"choice": "D"}, "paints": {"found": False}}
    direct, _, server = scores(
        command, shelf, tmp_path, "lvbench", "video_info.meta.jsonl", ["Cm73-x.mp4"], replies
    )
    assert (direct["all"]["questions"], direct["all"]["abstained"]) == (2, 1)
    assert direct["all"]["accuracy"]["value"] == 0.5
    assert by(direct, "question_type") == {
        "entity recognition": 0.0,
        "event understanding": 1.0,
        "key information retrieval": 1.0,
    }
    assert by(direct, "type") == {"cartoon": 0.5}
    caption = next(body for body in server.bodies if "caption" in block_of(body, "question"))
    assert block_of(caption, "question") == "What does the opening caption say?"
    assert block_of(caption, "options").splitlines()[3] == "3. PIER 9"


def test_longvideobench(command, shelf, tmp_path):
    replies = {"which text": {"choice": 0}, "where is": {"choice": 1}}
    direct, told, _ = scores(
        command, shelf, tmp_path, "longvideobench", "lvb_val.json", ["86Cx.mp4"], replies
    )
    assert direct["all"]["accuracy"]["value"] == 1.0
    assert by(direct, "duration_group") == {"15": 1.0}
    assert by(direct, "question_category") == {"O2E": 1.0, "T3O": 1.0}
    assert told["without_answer"] == 1


def test_mlvu(command, shelf, tmp_path):
    replies = {"colour": {"choice": 3}, "How often": {"choice": 1}}
    videos = ["1_plotQA/movie_1.mp4", "4_count/count_1.mp4"]
    direct, told, _ = scores(command, shelf, tmp_path, "mlvu", "mlvu", videos, replies)
    assert by(direct, "question_type") == {"count": 0.0, "plotQA": 1.0}
    assert told["without_answer"] == 1


def test_egoschema(command, shelf, tmp_path):
    replies = {"what does C do": {"choice": 3}}
    videos = ["0074f737-11cb.mp4", "00b9a0de-c59e.mp4"]
    direct, told, _ = scores(command, shelf, tmp_path, "egoschema", "questions.json", videos, replies)
    assert direct["all"]["accuracy"] == {"value": 1.0, "low": 0.2065, "high": 1.0}  # Wilson of 1 of 1
    assert told["without_answer"] == 1


def test_charades_sta(command, shelf, tmp_path):
    replies = {"light": {"start_s": 0.5, "end_s": 1.0}, "disc": {"start_s": "0:00", "end_s": "t = 3.0 s"}}
    direct, _, _ = scores(
        command, shelf, tmp_path, "charades", "charades_sta_test.txt", ["AB12C.mp4"], replies
    )
    assert direct["all"]["miou"]["value"] == round((1 / 2 + 2 / 3) / 2, 4)
    recall = {least: share["value"] for least, share in direct["all"]["recall"].items()}
    assert recall == {"0.3": 1.0, "0.5": 1.0, "0.7": 0.0}


def test_qvhighlights(command, shelf, tmp_path):
    replies = {"moving": {"start_s": 2, "end_s": 3}}  # the second of its windows
    file, videos = "highlight_val_release.jsonl", ["bP5K_660.0_810.0.mp4"]
    direct, told, _ = scores(command, shelf, tmp_path, "qvhighlights", file, videos, replies)
    assert direct["all"]["miou"]["value"] == 1.0
    assert told["without_answer"] == 1


def test_activitynet_captions(command, shelf, tmp_path):
    replies = {"enters": {"start_s": 1, "end_s": 3}, "leaves": {"found": False}}
    direct, _, server = scores(
        command, shelf, tmp_path, "activitynet", "val_1.json", ["v_uqiMw.mp4"], replies
    )
    assert direct["all"]["miou"]["value"] == round((1 / 3 + 0) / 2, 4)
    recall = {least: share["value"] for least, share in direct["all"]["recall"].items()}
    assert recall == {"0.3": 0.5, "0.5": 0.0, "0.7": 0.0}
    assert direct["all"]["abstained"] == 1
    assert block_of(server.bodies[0], "question") == 'When does this happen: "A disc enters"?'


def test_our_own_items(command, shelf, tmp_path):
    replies = {
        "When is the text 'PIER 9'": {"start_s": 1.4, "end_s": 1.6},  # both edges off by 0.2 s, IoU 1/3
        "moment": {"start_s": 1.5},  # off by 0.3 s
        "How many": {"count": 1},
        "written": {"answer": "It says PIER-9."},
        "Which": {"choice": None},
        "QUAY 4": {"found": False},
    }
    direct, _, _ = scores(command, shelf, tmp_path, "items", "items.jsonl", ["clip.mp4"], replies)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {line["id"]: line["mark"] for line in lines} == {
        "when": "right",
        "instant": "wrong",
        "count": "right",
        "text": "right",
        "what": "abstained",
        "absent": "right",
    }
    assert {line["id"]: line["iou"] for line in lines if "iou" in line} == {
        "when": pytest.approx(1 / 3, abs=1e-6)
    }
    assert by(direct, "kind") == {"absent": 1.0, "count": 1.0, "text": 1.0, "what": 0.0, "when": 0.5}
    assert by(direct, "split") == {
        "dev": pytest.approx(2 / 3, abs=1e-4),
        "held": pytest.approx(2 / 3, abs=1e-4),
    }


@pytest.mark.parametrize(
    ("name", "file", "text", "words"),
    [
        ("nonsense", "a.json", "[]", "there is no benchmark 'nonsense'; there are videomme, lvbench"),
        ("videomme", "a.json", "[]", "no question that can be scored"),
        ("videomme", "a.json", "{", "not JSON"),
        ("videomme", "a.json", '{"a": 1}', "expected a list of records, got dict"),
        ("videomme", "a.json", '[{"question_id": "1"}]', "record 1: videoID: field required"),
        ("videomme", "a.txt", "", "annotations are .json, .jsonl, .csv, .tsv, .parquet; got .txt"),
        ("lvbench", "a.jsonl", "{}\n[", "line 2: not JSON"),
        ("charades", "a.txt", "AB 1 2 no marks", "line 1: expected `VIDEO START END##SENTENCE`"),
        (
            "activitynet",
            "a.json",
            '{"v": {"timestamps": [], "sentences": ["a"]}}',
            "0 timestamps do not go with 1",
        ),
        (
            "qvhighlights",
            "a.jsonl",
            '{"qid": 1, "query": "a", "vid": "b"}',
            "1 have no right answer in the file",
        ),
        ("charades", "lost.txt", None, "cannot be read: No such file"),
    ],
)
def test_what_does_not_fit_is_exit_2_and_says_where(command, tmp_path, name, file, text, words):
    path = tmp_path / file
    if text is not None:
        path.write_text(text)
    done = command("eval", name, str(path), "--videos", str(tmp_path), "--model", "signals")
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_parquet_without_pyarrow_says_what_to_do(command, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "test.parquet").write_bytes(b"PAR1")
    done = command("eval", "videomme", str(tmp_path / "test.parquet"), "--videos", str(tmp_path))
    assert done.code == 2
    assert "parquet needs pyarrow" in done.err
    assert ".json, .jsonl or .csv" in done.err
