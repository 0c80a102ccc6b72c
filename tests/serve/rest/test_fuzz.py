"""The server keeps to its OpenAPI document, whatever it is sent; `benchmarks/fuzz_rest.py` sends more."""

from __future__ import annotations

import logging

import pytest

from tests.serve.rest.fuzzing import fuzzed
from tests.serve.running import running
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.keys import ApiKeys

pytestmark = pytest.mark.network


@pytest.mark.parametrize(
    ("flags", "least"),
    [
        (("--phases", "coverage", "--include-path-regex", "invoke|files|jobs$|pass"), 200),
        pytest.param(
            ("--phases", "fuzzing,stateful", "--max-examples", "3", "--seed", "5"),
            100,
            marks=pytest.mark.slow,
        ),
    ],
    ids=["edges", "random"],
)
def test_the_server_keeps_to_its_document(model, root, tmp_path, caplog, flags, least):
    store = Store(tmp_path / "data")
    key = ApiKeys(store).add("fuzz", ("ask", "files", "metrics"))
    store.close()
    with (
        caplog.at_level(logging.ERROR),
        running(
            tmp_path / "data", insecure_local=False, roots=(root,), running=64, running_each=64
        ) as client,
    ):
        found = fuzzed(str(client.base_url), key, tmp_path, *flags, seconds=600)
    assert found.code == 0, found.printed
    assert found.cases > least
    assert not [record for record in caplog.records if record.exc_info]
