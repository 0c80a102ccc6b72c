"""Each example of a client is run as its header says, and prints what it is there to show."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.serve.mcp.running import over_http
from tests.serve.running import QUESTION, running
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.keys import ApiKeys

pytestmark = pytest.mark.network
CLIENTS = ROOT / "examples" / "clients"
MOST_LINES = 60


def run(name: str, *words: str | Path, cwd: Path, **env: str) -> str:
    command = [sys.executable] if name.endswith(".py") else ["sh"]
    bin_ = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*command, CLIENTS / name, *words],
        cwd=cwd, env={**os.environ, "PATH": bin_, **env}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def url_of(client) -> str:
    return str(client.base_url).rstrip("/")


@pytest.mark.parametrize("path", sorted(CLIENTS.iterdir()), ids=lambda path: path.name)
def test_each_is_short_and_says_how_to_run_it(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    head = ast.get_docstring(ast.parse(text)) if path.suffix == ".py" else text
    assert f"examples/clients/{path.name} " in head
    assert "pip install" in head


def test_python(root, model):
    out = run("python_api.py", "clip.mp4", QUESTION, cwd=root)
    assert out.startswith("answered: Something is to be seen.\n  from ")
    # The look shows 32 of 51 frames, among them those at 1.960 and 2.040 s, and not the one at 2.000 s.
    assert "  supported at 1.960 s: It is seen.\n" in out
    assert "... clip 1.000-3.000 s" in out
    assert re.search(r"\nSomething is to be seen\.\nit took \d+ frames\n$", out)


def test_langserve(client, tmp_path):
    out = run("langserve_client.py", "clip.mp4", QUESTION, "--url", url_of(client), cwd=tmp_path)
    assert out.startswith("invoke: Something is to be seen. (answered, confidence 0.")
    assert "batch: answered, ended by None\nbatch: partial, ended by model_calls\n" in out
    assert "stream: look        clip 1.000-3.000 s" in out
    assert out.endswith("stream: Something is to be seen.\n")


def test_openai(client, root, tmp_path):
    out = run("openai_client.py", root / "clip.mp4", QUESTION, "--url", url_of(client), cwd=tmp_path)
    assert "... clip 1.000-3.000 s" in out
    assert re.search(r"\nSomething is to be seen\.\nfrom [\d.]+ to [\d.]+ s\n$", out)
    kept = client.get("/v1/files").json()["data"]
    assert len(kept) == 1
    again = (root / "clip.mp4", QUESTION, "--url", url_of(client), "--delete")
    assert "Something is to be seen." in run("openai_client.py", *again, cwd=tmp_path)
    still = client.get("/v1/files").json()["data"]  # it was there before
    assert [file["id"] for file in still] == [file["id"] for file in kept]
    client.delete(f"/v1/files/{kept[0]['id']}")
    assert "Something is to be seen." in run("openai_client.py", *again, cwd=tmp_path)
    assert client.get("/v1/files").json()["data"] == []


def test_jobs_go_on_where_the_line_broke(client, tmp_path):
    out = run("jobs.py", "clip.mp4", QUESTION, "--url", url_of(client), "--break-after", "3", cwd=tmp_path)
    assert "the line broke (broken on purpose); going on behind event 3\n" in out
    numbers = [int(line[:3]) for line in out.splitlines() if line[:3].strip().isdigit()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 5
    assert out.endswith("succeeded: Something is to be seen.\n")


def test_with_a_key(model, root, tmp_path):
    store = Store(tmp_path)
    key = ApiKeys(store).add("acme", ("ask", "files"))
    store.close()
    videos = {"jobs.py": "clip.mp4", "langserve_client.py": "clip.mp4", "openai_client.py": root / "clip.mp4"}
    with running(tmp_path, roots=(root,), insecure_local=False) as client:
        for name, video in videos.items():
            words = (video, QUESTION, "--url", url_of(client))
            assert "Something is to be seen." in run(name, *words, cwd=tmp_path, VIDAGENT_SERVE_KEY=key)


@pytest.mark.parametrize("door", ["stdio", "http"])
def test_mcp(model, root, tmp_path, door):
    if door == "stdio":
        out = run("mcp_client.py", "clip.mp4", QUESTION, "--root", root, cwd=tmp_path)
    else:
        with over_http(tmp_path, root) as url:
            out = run("mcp_client.py", "clip.mp4", QUESTION, "--url", url, cwd=tmp_path)
    assert out.startswith(
        "tools: list_videos probe look frames find ask summarize transcript\nprobe: clip.mp4 [0 pictures]\n"
    )
    assert re.search(r"^\.\.\. \d+ model scripted$", out, re.MULTILINE)
    assert "ask: Something is to be seen. [1 pictures]\n" in out
    assert re.search(r"\nlook: 4 frames of clip\.mp4 \(4\.000 s long\) between .* \[4 pictures\]\n$", out)


@pytest.mark.skipif(shutil.which("jq") is None, reason="the example reads JSON with jq")
def test_pipeline(model, root, tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    out = run("pipeline.sh", QUESTION, root / "clip.mp4", tmp_path / "notes.mp4", cwd=tmp_path)
    first, second = (line.split("\t") for line in out.splitlines())
    assert (first[0], first[1], first[3]) == (str(root / "clip.mp4"), "answered", "Something is to be seen.")
    assert float(first[2]) == pytest.approx(2.0, abs=1.1)
    assert second[1:] == ["failed", "-", "exit code 3"]
