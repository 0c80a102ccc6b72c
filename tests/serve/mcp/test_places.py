"""Which files may be named: hostile names lead nowhere, and the folders are those that they should be."""

from __future__ import annotations

import pytest
from mcp import Client

from tests.serve.core.test_video_locator import ELSEWHERE, INSIDE, OUTSIDE
from tests.serve.mcp.test_tools import words

pytestmark = pytest.mark.network
TOOLS = {
    "probe": {},
    "look": {"start_s": 0, "end_s": 1},
    "frames": {"times_s": [0]},
    "ask": {"question": "When?"},
    "summarize": {},
    "transcript": {},
}


async def test_hostile_names_are_refused_by_every_tool(place, piped):
    folders = {folder: place / folder for folder in ("outside", "films", "data")}
    names = [
        name.format(**folders, port=1) if "{" in name else name for name in (*OUTSIDE, *ELSEWHERE, *INSIDE)
    ]
    assert len(set(names)) >= 60
    async with Client(piped("--root", place / "films")) as client:
        for place_in_list, name in enumerate(names):
            for tool, rest in list(TOOLS.items()) if place_in_list % 8 == 0 else [("probe", {})]:
                result = await client.call_tool(tool, {"video": name, **rest})
                assert result.is_error, (tool, name)
                assert words(result).startswith(("there is no such video", "video: ")), (tool, name)
                assert str(place) not in words(result)
                assert "no addresses" in words(result) or words(result).startswith("video: "), (tool, name)
        for name in (
            "clip.mp4",
            "./clip.mp4",
            "sub/../clip.mp4",
            "inside.mp4",
            str(place / "films/clip.mp4"),
        ):
            assert not (await client.call_tool("probe", {"video": name})).is_error, name


async def test_links_out_are_not_listed(place, piped):
    async with Client(piped("--root", place / "films")) as client:
        listed = (await client.call_tool("list_videos", {})).structured_content["videos"]
    assert {video["name"] for video in listed} == {"clip.mp4", "inside.mp4"}


async def test_of_several_folders_the_first_comes_first(place, root, piped):
    async with Client(piped("--root", place / "outside", "--root", root)) as client:
        listed = (await client.call_tool("list_videos", {})).structured_content["videos"]
    assert {video["name"] for video in listed} == {"secret.mp4", "clip.mp4"}


@pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
async def test_the_folders_that_a_client_offers(place, piped, offering, era):
    start = piped(cwd=place / "films")
    async with Client(start, mode=era, list_roots_callback=offering(place / "outside")) as client:
        assert not (await client.call_tool("probe", {"video": "secret.mp4"})).is_error
        assert (await client.call_tool("probe", {"video": "clip.mp4"})).is_error
    async with Client(start, mode=era, list_roots_callback=offering()) as client:
        assert not (await client.call_tool("probe", {"video": "clip.mp4"})).is_error
        assert (await client.call_tool("probe", {"video": "../outside/secret.mp4"})).is_error


async def test_a_given_folder_counts_for_more_than_those_offered(place, piped, offering):
    start = piped("--root", place / "films")
    async with Client(start, list_roots_callback=offering(place / "outside")) as client:
        assert (await client.call_tool("probe", {"video": "secret.mp4"})).is_error


async def test_the_root_of_the_disk_is_not_served_by_chance(piped, tmp_path):
    async with Client(piped(cwd="/")) as client:
        result = await client.call_tool("list_videos", {})
    assert result.is_error
    assert words(result).startswith("no folder of videos is served: start the server with --root DIR")
