"""The MCP server over HTTP, in this process, on a free port of the loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.serve.running import running
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.http.options import ServerOptions
from vidagent.serve.mcp.context import ServerContext
from vidagent.serve.mcp.http import PATH, app


@contextlib.contextmanager
def over_http(
    data_dir: Path,
    *roots: Path,
    keys: bool = False,
    names: Sequence[str] = (),
    host: str = "127.0.0.1",
    deadline_s: float = 60.0,
) -> Iterator[str]:
    """Serve folders, and give the address."""
    options = ServerOptions(host=host, data_dir=data_dir, insecure_local=not keys, roots=roots)
    context = ServerContext(roots, deadline_s, ConcurrencyLimits(8, 4), stdio=False)
    with running(data_dir, app=app(context, options, names)) as client:
        yield f"{str(client.base_url).rstrip('/')}{PATH}"
