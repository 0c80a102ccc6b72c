"""The server's process: uvicorn on one app, its log, and the line that says where it listens."""

from __future__ import annotations

import sys
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from vidagent.errors import UsageError
from vidagent.serve.core.http.logs import json_logging
from vidagent.serve.core.http.options import ServerOptions
from vidagent.serve.core.storage.database import exclusive_lock
from vidagent.serve.terminal import console


class AnnouncingServer(uvicorn.Server):
    """A uvicorn server that says where it listens."""

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Start, and say so on stderr."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            console.stderr().say(self.welcome)

    @property
    def welcome(self) -> str:
        """The line that says where it listens."""
        return f"vidagent: serving {self.url}; the routes are told at {self.url}/docs"

    @property
    def url(self) -> str:
        """The address; where a free port was asked for, the one that was given."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def config(app: ASGIApp, options: ServerOptions) -> uvicorn.Config:
    """Return how uvicorn is to run the app."""
    return uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, round(options.drain_s)),
    )


def run(make: Callable[[ServerOptions], ASGIApp], options: ServerOptions) -> None:
    """Make the app and serve it until told to stop.

    Raises:
        UsageError: If the address cannot be listened on, or another server has the folder.
    """
    options.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with json_logging(sys.stderr), exclusive_lock(options.data_dir):
        server = AnnouncingServer(config(make(options), options))
        try:
            server.run()
        except SystemExit as end:  # how uvicorn says that it cannot listen
            raise UsageError(f"cannot listen on {options.host} port {options.port}: is it taken?") from end
