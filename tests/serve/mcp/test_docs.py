"""The snippets of docs/mcp.md are read as their programs read them, and what they start answers."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.conftest import ROOT
from tests.serve.mcp.running import over_http
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.keys import ApiKeys

pytestmark = pytest.mark.network
PAGE = (ROOT / "docs" / "mcp.md").read_text()
READERS = {"json": json.loads, "toml": tomllib.loads}
FOLDERS = ("/path/to/videos", "${workspaceFolder}")


def snippets(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def entries() -> list[dict[str, Any]]:
    """Return what the snippets say of each server."""
    read = [READERS[kind](text) for kind in READERS for text in snippets(kind)]
    return [server for config in read for servers in config.values() for server in servers.values()]


STARTED = [entry for entry in entries() if "command" in entry]
CALLED = [entry for entry in entries() if "url" in entry]


def test_there_is_one_for_each_program():
    assert len(STARTED) == 5
    assert len(CALLED) == 1


@pytest.mark.parametrize("entry", STARTED, ids=range(len(STARTED)))
async def test_what_a_snippet_starts_answers(entry, root):
    words = [str(root) if word in FOLDERS else word for word in entry["args"]]
    own = {name: value for name, value in os.environ.items() if name.startswith("VIDAGENT_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**own, **entry.get("env", {}), "PATH": path}
    async with Client(
        StdioServerParameters(command=entry["command"], args=words, env=env, cwd="/")
    ) as client:
        listed = await client.call_tool("list_videos", {})
    assert "clip.mp4" in [video["name"] for video in listed.structured_content["videos"]]


async def test_what_a_snippet_calls_answers(root, tmp_path):
    (entry,) = CALLED
    store = Store(tmp_path)
    key = ApiKeys(store).add("acme", ["ask"])
    store.close()
    headers = {name: value.replace("vk-00000000-KEY", key) for name, value in entry["headers"].items()}
    name = re.fullmatch(r"https://([^/]+)/mcp", entry["url"])[1]
    assert f"--public-name {name} " in PAGE
    with over_http(tmp_path, root, keys=True, names=[name]) as url:
        async with (
            httpx2.AsyncClient(headers={**headers, "Host": name}, timeout=60) as sender,
            Client(streamable_http_client(url, http_client=sender)) as client,
        ):
            assert not (await client.call_tool("probe", {"video": "clip.mp4"})).is_error


def test_the_commands_have_the_flags_that_are_written(command):
    lines = [line for text in snippets("sh") for line in text.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("vidagent mcp")]
    added = [shlex.split(line.partition(" -- ")[2]) for line in lines if line.startswith("claude mcp add")]
    flags = {word for words in (*commands, *added) for word in words if word.startswith("--")}
    assert {"--root", "--http", "--host", "--public-name"} <= flags
    told = set(re.findall(r"--[a-z-]+", command("mcp", "--help").out))
    assert flags | set(re.findall(r"`(--[a-z-]+)`", PAGE)) <= told
