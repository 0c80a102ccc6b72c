"""What a call of a tool stands on: who may ask, for how long, and which folders are theirs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from mcp.server.mcpserver import Context, ListRoots, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ListRootsResult

from vidagent.serve.core.caller import LOCAL, Client
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.folders import Folders


@dataclass(frozen=True, slots=True)
class ServerContext:
    """How the server is run.

    Args:
        roots: Folders whose videos may be named; without any, those that the client offers, or the working folder.
        deadline_s: Most seconds that an answer may take.
        lanes: How many questions are answered at once.
        piped: Whether the client is the program that started this one, and speaks through stdin and stdout.
    """

    roots: tuple[Path, ...]
    deadline_s: float
    lanes: ConcurrencyLimits
    piped: bool


ToolCall = Context[ServerContext, Any]
"""A call of a tool, as the tool sees it."""


async def _offered(call: ToolCall) -> ListRoots | ListRootsResult:
    """Ask the client for its folders, where they count and it has any."""
    serving, able = call.request_context.lifespan_context, call.client_capabilities
    if serving.roots or not serving.piped or able is None or able.roots is None:
        return ListRootsResult(roots=[])
    return ListRoots()


async def _served(call: ToolCall, offered: Annotated[ListRootsResult, Resolve(_offered)]) -> Folders:
    """Return the folders whose videos may be named in this call."""
    roots = call.request_context.lifespan_context.roots
    folders = Folders(roots or [folder for root in offered.roots if (folder := _folder(str(root.uri)))])
    if folders.roots:
        return folders
    here = Path.cwd()
    if here == Path(here.anchor):  # where some assistants start their servers
        raise ToolError(f"no folder of videos is served: start the server with --root DIR, not in {here}")
    return Folders([here])


ServedFolders = Annotated[Folders, Resolve(_served)]
"""The folders of a call, as a parameter that the client does not see."""


def path_of(folders: Folders, name: str) -> Path:
    """Return the file of a video.

    Raises:
        ToolError: If there is none of that name; what lies outside of the folders is told as what does not exist.
    """
    path = folders.file(name)
    if path is None:
        raise ToolError(
            "there is no such video; list_videos tells the names of those there are. Only files in the served "
            "folders are opened, no addresses"
        )
    return path


def client_of(call: ToolCall) -> Client:
    """Return who calls."""
    request = call.request_context.request
    client = LOCAL if request is None else request.state.client
    assert isinstance(client, Client)  # noqa: S101 - the door lets nobody else in
    return client


def _folder(uri: str) -> Path | None:
    """Return the folder of a `file:` URI; None if it is none, or not of this machine."""
    parts = urlsplit(uri)
    folder = Path(unquote(parts.path))
    local = parts.scheme == "file" and parts.netloc in {"", "localhost"}
    return folder if local and folder.is_absolute() and folder.is_dir() else None
