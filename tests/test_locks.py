"""The locks: what they pin, that they belong to pyproject.toml, and what is installed where they do not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

LOCKS = sorted(path.stem for path in (ROOT / "locks").iterdir())
PIP = """
import sys
from pathlib import Path

with Path("called.txt").open("a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
"""


def pinned(name: str) -> dict[str, str]:
    """Return the versions of a lock by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / f"locks/{name}.txt").read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_its_version_and_its_hashes(name):
    text = (ROOT / f"locks/{name}.txt").read_text()
    assert len(pinned(name)) > 50
    for requirement in re.split(r"\n(?! )", text.partition("\n")[2].strip()):
        assert re.fullmatch(
            r"[a-z0-9-]+==[\w.!+-]+(?: ; [^\\]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+", requirement
        )
    assert "://" not in text


def test_the_locks_agree():
    versions = pinned("test")
    for name in LOCKS:
        assert pinned(name).items() <= versions.items()


@pytest.mark.parametrize("name", LOCKS)
def test_what_pyproject_asks_for_is_in(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {re.split(r"[^\w-]", line)[0].lower() for line in project["dependencies"]}
    assert asked <= pinned(name).keys()
    assert {"hatchling", "editables"} <= pinned(name).keys()


@pytest.fixture
def clone(tmp_path) -> Path:
    """Return a folder with the locks, where a stand-in of pip writes down how it is called."""
    for name in ("pyproject.toml", ".ci/locks.py", *(f"locks/{name}.txt" for name in LOCKS)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "stand-in/pip").mkdir(parents=True)
    (tmp_path / "stand-in/pip/__init__.py").touch()
    (tmp_path / "stand-in/pip/__main__.py").write_text(PIP)
    return tmp_path


def installed(clone: Path, name: str) -> tuple[list[str], str]:
    """Return how pip was called to install for a command, and what was said."""
    done = subprocess.run(
        [sys.executable, ".ci/locks.py", "install", name], cwd=clone, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(clone / "stand-in")},
    )  # fmt: skip
    calls = (clone / "called.txt").read_text().splitlines()
    return [
        call.removeprefix("--quiet --quiet --disable-pip-version-check install ") for call in calls
    ], done.stderr


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_that_belongs_to_pyproject_is_installed_with_its_hashes(clone, name):
    """It fails where pyproject.toml has changed since: run `make lock`."""
    calls, said = installed(clone, name)
    assert calls == [
        f"--require-hashes --requirement locks/{name}.txt",
        "--no-deps --no-build-isolation --editable .",
    ]
    assert said == ""


def test_an_older_lock_is_not_used_and_that_is_said(clone):
    project = clone / "pyproject.toml"
    project.write_text(project.read_text().replace('"numpy>=2"', '"numpy>=2.1"'))
    calls, said = installed(clone, "test")
    assert calls == ["--editable .[dev]"]
    assert said.startswith(
        "locks/test.txt is older than pyproject.toml: installing the newest packages instead"
    )
    assert "`make lock`" in said


def test_a_lock_that_is_missing_is_told_as_an_older_one_is(clone):
    (clone / "locks/demo.txt").unlink()
    calls, said = installed(clone, "demo")
    assert calls == ["--editable ."]
    assert said.startswith("locks/demo.txt is older")
