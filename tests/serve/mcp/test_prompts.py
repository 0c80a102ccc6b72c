"""The prompts and resources that an assistant offers to people."""

from __future__ import annotations

import base64
import json

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from tests.serve.mcp.test_tools import TOOLS, words
from vidagent.images import jpeg

pytestmark = pytest.mark.network


async def test_prompts_name_tools_that_there_are(everywhere):
    async with everywhere() as client:
        prompts = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
        assert set(prompts) == {"find_moment", "summarize_video", "check_statement"}
        for prompt in prompts.values():
            assert prompt.description
            assert all(argument.description and argument.required for argument in prompt.arguments)
            values = {argument.name: f"<{argument.name}>" for argument in prompt.arguments}
            (message,) = (await client.get_prompt(prompt.name, values)).messages
            assert all(value in message.content.text for value in values.values())
            named = {part for part in message.content.text.split("`")[1::2] if " " not in part}
            assert named
            assert named <= TOOLS


async def test_the_videos_are_resources(everywhere, root):
    async with everywhere() as client:
        (video,) = (await client.list_resources()).resources
        assert (video.name, video.uri) == ("clip.mp4", "vidagent://videos/clip.mp4")
        (facts,) = (await client.read_resource(video.uri)).contents
        probed = await client.call_tool("probe", {"video": "clip.mp4"})
        assert json.loads(facts.text) == probed.structured_content
        (poster,) = (await client.read_resource("vidagent://posters/clip.mp4")).contents
        assert poster.mime_type == "image/jpeg"
        assert jpeg.decode(base64.b64decode(poster.blob)).shape == (180, 320, 3)


@pytest.mark.parametrize("name", ["none.mp4", "../secret.mp4", "%2e%2e/secret.mp4", "/etc/passwd"])
async def test_no_other_file_is_one(connect, name):
    async with connect() as client:
        for kind in ("videos", "posters"):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(f"vidagent://{kind}/{name}")
            assert "/etc" not in str(caught.value) or name in str(caught.value)


async def test_a_file_that_is_no_video_is_told(connect, root):
    (root / "notes.txt").write_text("no video")
    async with connect() as client:
        with pytest.raises(MCPError, match=r"notes\.txt: is not a video file"):
            await client.read_resource("vidagent://videos/notes.txt")


async def test_an_assistant_is_told_to_look_for_itself(connect, monkeypatch):
    monkeypatch.setenv("VIDAGENT_MODEL", "signals")
    async with connect() as client:
        result = await client.call_tool("ask", {"video": "clip.mp4", "question": "Why do they laugh?"})
    assert result.structured_content["status"] == "cannot_judge"
    for text in (words(result), result.structured_content["answer"]):
        assert "you, if you use `look` and judge the frames yourself" in text
        assert "--" not in text


async def test_progress_is_of_the_seconds_that_it_may_take(piped, root, model):
    told = []

    async def hear(progress, total, message):
        told.append((progress, total))

    async with Client(piped("--root", root)) as client:
        asked = {"video": "clip.mp4", "question": "When is it seen?", "budget": {"seconds": 500}}
        await client.call_tool("ask", asked, progress_callback=hear)
    assert {total for _, total in told} == {500}
    assert 0 < told[0][0] < told[-1][0] < 500
