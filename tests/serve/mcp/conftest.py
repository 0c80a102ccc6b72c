"""Clients of the MCP server, as their own programs would use it: over pipes, and over HTTP."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.session import ListRootsFnT
from mcp.client.stdio import StdioServerParameters
from mcp_types import ListRootsResult, Root

from tests.serve.core.test_video_locator import place  # noqa: F401 - pytest finds the fixture by its name
from tests.serve.mcp.running import over_http

Connect = Callable[..., contextlib.AbstractAsyncContextManager[Client]]


@pytest.fixture
def piped() -> Callable[..., StdioServerParameters]:
    """Return a function that says how to start the server."""

    def start(*arguments: str | Path, cwd: Path | None = None) -> StdioServerParameters:
        own = {name: value for name, value in os.environ.items() if name.startswith("VIDAGENT_")}
        words = ["-m", "vidagent", "mcp", *map(str, arguments)]
        return StdioServerParameters(command=sys.executable, args=words, env=own, cwd=cwd)

    return start


@pytest.fixture
def offering() -> Callable[..., ListRootsFnT]:
    """Return a function that returns what a client says that offers folders."""

    def offer(*folders: Path) -> ListRootsFnT:
        async def told(context) -> ListRootsResult:
            return ListRootsResult(roots=[Root(uri=folder.as_uri()) for folder in folders])

        return told

    return offer


@pytest.fixture
def connect(root, tmp_path, piped) -> Connect:
    """Return a function that connects to a server of the folder in this process, over HTTP."""
    return _connect("http-legacy", root, tmp_path, piped)


@pytest.fixture(
    params=["stdio-auto", pytest.param("stdio-legacy", marks=pytest.mark.slow), "http-auto", "http-legacy"]
)
def everywhere(request, root, tmp_path, piped) -> Connect:
    """Return the same over HTTP and over pipes, in each era of the protocol."""
    return _connect(request.param, root, tmp_path, piped)


def _connect(way: str, root: Path, data_dir: Path, piped) -> Connect:
    door, era = way.split("-")

    @contextlib.asynccontextmanager
    async def connected(**options) -> AsyncIterator[Client]:
        with contextlib.ExitStack() as stack:
            server = piped("--root", root)
            if door == "http":
                server = stack.enter_context(over_http(data_dir, root))
            async with Client(server, mode=era, **options) as client:
                yield client

    return connected
