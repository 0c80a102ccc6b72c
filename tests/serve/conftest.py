"""Fixtures for the command line: a stand-in for the API, and a way to run commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import vidagent
from tests.serve.answers import FakeApi
from vidagent.serve import cli, terminal


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Return the one object on stdout."""
        return json.loads(self.out)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Put a stand-in in the place of `vidagent.api`."""
    fake = FakeApi()
    monkeypatch.setitem(sys.modules, "vidagent.api", fake)
    monkeypatch.setattr(vidagent, "api", fake, raising=False)
    return fake


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Return a function that runs a command line in this process."""
    terminal.stdout.cache_clear()
    terminal.stderr.cache_clear()

    def call(*arguments: str) -> Done:
        code = cli.run(arguments)
        said = capfd.readouterr()
        return Done(code, said.out, said.err)

    return call
