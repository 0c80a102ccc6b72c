"""The README's lines about the server work as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.serve.running import running

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the README asks with curl"),
]
SECTION = re.search(
    r"^## As a server\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
)[1]
LINES = [line for line in SECTION.splitlines() if line.startswith("curl ")]
TOLD = (
    '"id":"file-',
    "Something is to be seen.",
    '"kind":"answer"',
    '"status":"queued"',
    '"id":"job-',
    "Something is to be seen.",
    "_total{",
)


def test_every_curl_line(model, root, tmp_path):
    shutil.copy(root / "clip.mp4", tmp_path / "talk.mp4")
    with running(tmp_path / "data", roots=(tmp_path,)) as client:
        for line, told in zip(LINES, TOLD, strict=True):
            asked = line.replace("http://127.0.0.1:8080", str(client.base_url).rstrip("/"))
            asked = asked.replace("curl ", "curl -sS --fail-with-body ")
            done = subprocess.run(
                ["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert told in done.stdout


@pytest.mark.parametrize("words", [["serve"], ["serve", "keys", "add"]])
def test_flags_exist(words):
    shell = "\n".join(re.findall(r"^```sh\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE))
    flags = {
        flag
        for line in re.findall(r"^vidagent (.*)$", shell, re.MULTILINE)
        if line.split()[: len(words)] == words
        for flag in re.findall(r"--[a-z-]+", line)
    }
    done = subprocess.run(
        [sys.executable, "-m", "vidagent", *words, "--help"],
        capture_output=True, text=True, check=True, env={"COLUMNS": "200", "PATH": "/bin"},
    )  # fmt: skip
    assert flags <= set(re.findall(r"--[a-z][a-z-]+", done.stdout))


def test_make_serve_runs_what_the_readme_says():
    done = subprocess.run(["make", "-n", "serve"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "vidagent serve --insecure-local --root ." in done.stdout
    assert "vidagent serve --insecure-local --root ." in SECTION
