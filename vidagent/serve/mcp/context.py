"""Context of a tool call: the server's settings, the client and the folders it may use."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from mcp.server.mcpserver import Context, ListRoots, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ListRootsResult

from vidagent.serve.core.caller import LOCAL, Client
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.folders import Folders
from vidagent.serve.core.library_search import LibrarySearch


@dataclass(frozen=True, slots=True)
class ServerContext:
    """How the server is run.

    Args:
        roots: Folders whose videos may be named; if empty, the client's roots or the working folder.
        deadline_s: Most seconds that an answer may take.
        concurrency: Limits the questions answered at once.
        stdio: Whether the client started this process and talks over stdin and stdout.
        looks: Limits the videos opened at once by the other tools, which wait for their turn.
        library: Searches the library.
    """

    roots: tuple[Path, ...]
    deadline_s: float
    concurrency: ConcurrencyLimits
    stdio: bool
    looks: ConcurrencyLimits = field(default_factory=lambda: ConcurrencyLimits(8, 2))
    library: LibrarySearch = field(default_factory=LibrarySearch)


ToolCall = Context[ServerContext, Any]
"""A call of a tool, as the tool sees it."""


async def _client_roots(call: ToolCall) -> ListRoots | ListRootsResult:
    """Ask the client for its roots, if they are used and it supports that."""
    context, capabilities = call.request_context.lifespan_context, call.client_capabilities
    if context.roots or not context.stdio or capabilities is None or capabilities.roots is None:
        return ListRootsResult(roots=[])
    return ListRoots()


async def _served_folders(
    call: ToolCall, offered: Annotated[ListRootsResult, Resolve(_client_roots)]
) -> Folders:
    """Return the folders whose videos may be named in this call."""
    roots = call.request_context.lifespan_context.roots
    folders = Folders(roots or [folder for root in offered.roots if (folder := _folder(str(root.uri)))])
    if folders.roots:
        return folders
    here = Path.cwd()
    if here == Path(here.anchor):  # where some assistants start their servers
        raise ToolError(f"no folder of videos is served: start the server with --root DIR, not in {here}")
    return Folders([here])


ServedFolders = Annotated[Folders, Resolve(_served_folders)]
"""The folders of a call, as a parameter hidden from the client."""


def turn_of(call: ToolCall) -> AbstractAsyncContextManager[None]:
    """Wait for the client's turn to open a video, which lasts for the block."""
    return call.request_context.lifespan_context.looks.wait_for_slot(client_of(call))


def path_of(folders: Folders, name: str) -> Path:
    """Return the file of a video."""
    path = folders.file(name)
    if path is None:
        raise ToolError(
            "there is no such video; list_videos tells the names of those there are. Only files in the served "
            "folders are opened, no addresses"
        )
    return path


def client_of(call: ToolCall) -> Client:
    """Return the client of a call."""
    request = call.request_context.request
    client = LOCAL if request is None else request.state.client
    assert isinstance(client, Client)  # noqa: S101 - unauthenticated requests never get here
    return client


def _folder(uri: str) -> Path | None:
    """Return the folder of a `file:` URI; None if it is not an existing folder of this machine."""
    parts = urlsplit(uri)
    folder = Path(unquote(parts.path))
    local = parts.scheme == "file" and parts.netloc in {"", "localhost"}
    return folder if local and folder.is_absolute() and folder.is_dir() else None
