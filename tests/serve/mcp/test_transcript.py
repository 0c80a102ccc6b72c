"""The tool `transcript`: lines in pages, with times and speakers, transcribed on first use."""

from __future__ import annotations

import pytest
from mcp import Client
from mcp_types import CallToolResult

from tests.media.speaking import Listener, speak
from tests.scripted_server import HANG, ScriptedServer
from tests.serve.mcp.conftest import _connect
from tests.serve.mcp.running import over_http
from tests.serve.mcp.test_tools import words
from vidagent.agents.speech.server import granted
from vidagent.serve.mcp import transcript as tool

pytestmark = pytest.mark.network
SAID = ((1.0, "harbour"), (2.5, "lantern"), (4.0, "seven"))
PATH = "/v1/audio/transcriptions"


@pytest.fixture
def films(tmp_path):
    (tmp_path / "films").mkdir()
    return speak(tmp_path / "films" / "talk.mp4", SAID, 6.0).parent


@pytest.fixture
def listener(monkeypatch):
    """Return what transcribes, by a server that is set."""
    listener = Listener(voices=2)
    granted.cache_clear()
    with ScriptedServer((), routes={PATH: listener}) as server:
        monkeypatch.setenv("VIDAGENT_TRANSCRIBE_URL", server.url)
        monkeypatch.setenv("VIDAGENT_TRANSCRIBE_MODEL", "tones")
        yield listener


async def test_a_transcript_is_read_in_pages(films, listener, tmp_path, piped):
    heard = []

    async def hear(progress, total, message):
        heard.append(message)

    async with _connect("http-legacy", films, tmp_path, piped)() as client:
        named = {"video": "talk.mp4"}
        first = await client.call_tool("transcript", {**named, "max_lines": 2}, progress_callback=hear)
        second = await client.call_tool("transcript", {**named, "from_line": 3})
        ranged = await client.call_tool("transcript", {**named, "start_s": 2.0, "end_s": 4.0})
        too_many = await client.call_tool("transcript", {**named, "max_lines": 501})
    page = first.structured_content
    assert [(one["line"], one["speaker"], one["text"]) for one in page["lines"]] == [
        (1, "A", "harbour"),
        (2, "B", "lantern"),
    ]
    assert [one["start_s"] for one in page["lines"]] == pytest.approx([1.0, 2.5], abs=0.02)
    assert (page["total_lines"], page["next_line"], page["complete"], page["model"]) == (3, 3, True, "tones")
    assert words(first).splitlines()[0] == "2 lines of 3 said in talk.mp4, by tones"
    assert "more lines: from_line 3" in words(first)
    assert ", speaker B: lantern" in words(first)
    assert (
        [one["text"] for one in second.structured_content["lines"]],
        second.structured_content["next_line"],
    ) == (
        ["seven"],
        None,
    )
    assert [one["text"] for one in ranged.structured_content["lines"]] == ["lantern"]
    assert too_many.is_error
    assert len(listener.forms) == 1
    assert any("transcribing" in message for message in heard)


async def test_a_page_has_limits_of_its_own(films, listener, tmp_path, piped, monkeypatch):
    monkeypatch.setattr(tool, "MAX_CHARACTERS", 10)
    async with _connect("http-legacy", films, tmp_path, piped)() as client:
        page = (await client.call_tool("transcript", {"video": "talk.mp4"})).structured_content
    assert ([one["line"] for one in page["lines"]], page["next_line"]) == ([1], 2)


async def test_without_a_speech_model_it_says_what_to_set(films, tmp_path, piped):
    async with _connect("http-legacy", films, tmp_path, piped)() as client:
        result = await client.call_tool("transcript", {"video": "talk.mp4"})
    assert result.is_error
    assert "VIDAGENT_SPEECH_MODEL" in words(result)


async def test_what_takes_too_long_is_gone_on_with(films, listener, tmp_path):
    async def read(deadline_s: float) -> CallToolResult:
        with over_http(tmp_path, films, deadline_s=deadline_s) as url:
            async with Client(url, mode="legacy") as client:
                return await client.call_tool("transcript", {"video": "talk.mp4"})

    listener.replies.append(HANG)
    early = await read(1.0)
    assert (early.structured_content["complete"], early.structured_content["lines"]) == (False, [])
    assert "transcribed up to 0.000 s of 6.000 s; another call goes on with it" in words(early)
    listener.replies.clear()
    assert len((await read(60.0)).structured_content["lines"]) == 3
