"""The command line in this process, for tests that ask both ways."""

from __future__ import annotations

from tests.serve.conftest import command

__all__ = ["command"]
