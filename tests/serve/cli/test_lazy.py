"""Modules that commands load on first use: the names that mypy sees are those that are imported."""

from __future__ import annotations

import ast
from importlib.util import find_spec

import pytest

from tests.conftest import ROOT
from vidagent.errors import UsageError
from vidagent.serve.cli import lazy


def typed() -> dict[str, str]:
    """Return the modules imported for the type checker, by their names in `lazy`."""
    tree = ast.parse((ROOT / "vidagent/serve/cli/lazy.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in block.body
        for alias in node.names
    }


def test_run_time_and_type_checker_agree():
    assert typed() == lazy._MODULES


@pytest.mark.parametrize("module", lazy._MODULES.values())
def test_modules_exist(module):
    assert find_spec(module) is not None


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        lazy.nonsense  # noqa: B018 - the access is what is tested


def test_a_missing_extra_is_named():
    with pytest.raises(UsageError, match=r"needs no_such_library: pip install 'vidagent\[serve\]'"):
        lazy.require_extra("serve", ("fastapi", "no_such_library"))
