"""First questions to real servers of several families, with nothing but the base URL: each ends typed."""

from __future__ import annotations

import pytest

from benchmarks.first_runs import QUESTIONS, SERVERS, asked

pytestmark = [pytest.mark.vllm, pytest.mark.network]


@pytest.fixture(scope="module", params=SERVERS)
def server(request, kitchen):
    """Serve one after the other: a machine may have room for one."""
    with SERVERS[request.param](kitchen) as served:
        yield request.param, served.url


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
def test_a_first_question_ends_typed(server, clip, tmp_path, number):
    name, url = server
    end, row = asked(name, number, clip("h264").path, url, tmp_path)
    print(row)
    assert end.typed, end
    assert "answers at" not in end.said, "the server ended"
