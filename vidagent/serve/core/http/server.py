"""The server process: runs uvicorn and prints the address it listens on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import uvicorn
from starlette.types import ASGIApp

from vidagent.errors import UsageError
from vidagent.serve.core.http.logs import json_logging
from vidagent.serve.core.http.options import ServerOptions
from vidagent.serve.core.http.protocol import TimedProtocol
from vidagent.serve.terminal import console


class AnnouncingServer(uvicorn.Server):
    """A uvicorn server that prints its address on stderr."""

    def __init__(self, app: ASGIApp, options: ServerOptions, announcement: str) -> None:
        """Configure uvicorn."""
        config = uvicorn.Config(
            app,
            host=options.host,
            port=options.port,
            http=TimedProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(options.drain_s)),
        )
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Start and print the announcement."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            console.stderr().say(self._announcement.format(url=self.url))

    @property
    def url(self) -> str:
        """The server's address, with the port that was picked if a free one was asked for."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(
    make_app: Callable[[], ASGIApp],
    options: ServerOptions,
    announcement: str,
    lock: AbstractContextManager[None] | None = None,
) -> None:
    """Serve an app until the process is told to stop.

    Raises:
        UsageError: If the address is not available, or from making the app or taking the lock.
    """
    with json_logging(sys.stderr), lock or nullcontext():
        server = AnnouncingServer(make_app(), options, announcement)
        try:
            server.run()
        except SystemExit as error:  # raised by uvicorn if it cannot listen
            raise UsageError(f"cannot listen on {options.host} port {options.port}: is it taken?") from error
