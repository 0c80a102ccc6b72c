"""Forks of a process that has loaded all modules, so that one starts within milliseconds."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from vidagent.serve.core.worker import process as worker_process


async def fork(
    target: Callable[..., None], *arguments: object, name: str
) -> tuple[ForkServerProcess, socket.socket, asyncio.StreamReader, asyncio.StreamWriter]:
    """Start a process and return it, with this end of its channel: the socket, and streams over it.

    Args:
        target: A function of a module; called with the other end, this moment's environment and working folder.
        arguments: Further arguments, which are pickled.
        name: The process's name in Python.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([worker_process.__name__])
    ours, theirs = socket.socketpair()
    process = context.Process(
        target=target, args=(theirs, dict(os.environ), Path.cwd(), *arguments), name=name
    )
    await asyncio.to_thread(process.start)
    theirs.close()
    return process, ours, *await asyncio.open_connection(sock=ours)
