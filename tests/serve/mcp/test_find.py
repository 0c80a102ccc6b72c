"""The tool `find`: hits by the names that the other tools take, as text and as data."""

from __future__ import annotations

import pytest

from tests.library.conftest import colours, indexed, kept, painted
from tests.serve.mcp.conftest import _connect

__all__ = ["colours", "indexed", "kept", "painted"]
pytestmark = pytest.mark.network


async def test_moments_are_found_in_all_videos(indexed, tmp_path, piped):
    async with _connect("http-legacy", indexed, tmp_path, piped)() as client:
        found = await client.call_tool("find", {"query": "the harbour lantern", "limit": 3})
        nothing = await client.call_tool("find", {"query": ""})
    first = found.structured_content["hits"][0]
    assert (first["video"], first["time_s"], first["end_s"]) == ("a.mp4", 0.5, 2.0)
    assert 'a.mp4 at 0.500-2.000 s: subtitle: "The harbour lantern is lit"' in found.content[0].text
    assert nothing.is_error
