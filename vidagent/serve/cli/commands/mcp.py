"""`vidagent mcp`: videos served to assistants that call tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vidagent.errors import UsageError
from vidagent.serve.cli import lazy
from vidagent.serve.cli.commands.serve import Deadline, Host, Port, Running, RunningEach
from vidagent.serve.cli.commands.serve_keys import DataDir
from vidagent.serve.cli.flags import Quiet, Verbose
from vidagent.serve.core.http.options import ServerOptions, default_data_dir, is_loopback
from vidagent.serve.terminal import console

_NEEDED = ("mcp", "fastapi", "prometheus_client", "python_multipart", "uvicorn")

Roots = Annotated[
    list[Path] | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="Folder whose videos may be named; repeatable. Without it, those that the client offers, or this one.",
    ),
]
Http = Annotated[bool, typer.Option("--http", help="Serve streamable HTTP rather than stdin and stdout.")]
KeysToo = Annotated[
    bool, typer.Option("--keys", help="Ask for API keys on this machine's own addresses, too.")
]
Names = Annotated[
    list[str] | None,
    typer.Option("--public-name", metavar="HOST", help="Name that clients reach the server by; repeatable."),
]


def mcp(
    root: Roots = None,
    http: Http = False,
    host: Host = "127.0.0.1",
    port: Port = 8090,
    keys: KeysToo = False,
    public_name: Names = None,
    data_dir: DataDir = None,
    deadline: Deadline = 600.0,
    running: Running = 8,
    running_each: RunningEach = 4,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Serve videos to assistants that call tools (MCP), until the client leaves or Ctrl-C.

    On stdin and stdout, for a program that starts this command.

    With --http, for clients on this machine; and with keys, for others.

    `vidagent serve keys add OWNER` makes a key.
    """
    console.loudness(quiet=quiet, verbose=verbose)
    lazy.require_extra("mcp", _NEEDED)
    options = ServerOptions(
        host=host,
        port=port,
        insecure_local=is_loopback(host) and not keys,
        roots=tuple(root or ()),
        deadline_s=deadline,
        running=running,
        running_each=running_each,
        data_dir=data_dir or default_data_dir(),
    )
    limits = lazy.concurrency.ConcurrencyLimits(running, running_each)
    context = lazy.mcp_context.ServerContext(options.roots, deadline, limits, stdio=not http)
    if not http:
        if sys.stdin.isatty():
            console.stderr().say(
                "vidagent: an assistant starts this and speaks MCP to it on stdin; Ctrl-D ends it"
            )
        return lazy.mcp_stdio.run(context)
    if not root:
        raise UsageError("--http needs --root DIR: the folder whose videos clients may name")
    return lazy.mcp_http.run(context, options, public_name or ())
