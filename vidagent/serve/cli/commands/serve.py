"""`vidagent serve`: questions over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidagent.serve.cli import lazy
from vidagent.serve.cli.commands.serve_keys import DataDir
from vidagent.serve.cli.commands.serve_keys import app as keys
from vidagent.serve.cli.flags import Quiet, Verbose, number
from vidagent.serve.core.http.options import ServerOptions, default_data_dir
from vidagent.serve.terminal import console

_NEEDED = (
    "fastapi",
    "fastapi_offline",
    "langserve",
    "prometheus_client",
    "python_multipart",
    "sse_starlette",
    "uvicorn",
)

app = typer.Typer(name="serve", help="Serve questions over HTTP.")
app.add_typer(keys)

Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
Port = Annotated[
    int, number("--port", int, "N", "Port to listen on; 0 takes a free one.", legal="0 to 65535")
]
InsecureLocal = Annotated[
    bool, typer.Option("--insecure-local", help="Ask for no keys; on this machine's own addresses only.")
]
Development = Annotated[
    bool, typer.Option("--development", help="Open LangServe's playground, too; needs --insecure-local.")
]
Roots = Annotated[
    list[Path] | None,
    typer.Option("--root", metavar="DIR", help="Folder whose videos may be named by path; repeatable."),
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST[:PORT]",
        help="Host that videos may be fetched from; repeatable; addresses that are not public stay closed.",
    ),
]
Deadline = Annotated[
    float,
    number("--deadline-seconds", float, "N", "Longest time for an answer; then it is returned as it is."),
]
Running = Annotated[
    int, number("--max-running", int, "N", "Questions answered at once; others get 503.", legal="1 or more")
]
RunningEach = Annotated[
    int, number("--max-per-client", int, "N", "Of one client; others get 429.", legal="1 or more")
]
MaxFileMb = Annotated[float, number("--max-file-mb", float, "N", "Largest uploaded or fetched video, in MB.")]

FilesMb = Annotated[
    float, number("--files-mb", float, "N", "Most that the uploads of one owner take together, in MB.")
]
MinFreeMb = Annotated[
    float,
    number(
        "--min-free-mb",
        float,
        "N",
        "What uploads and fetched videos leave free of the disk, in MB.",
        legal="0 or more",
    ),
]


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    insecure_local: InsecureLocal = False,
    development: Development = False,
    root: Roots = None,
    allow_host: Hosts = None,
    data_dir: DataDir = None,
    max_file_mb: MaxFileMb = 2000.0,
    files_mb: FilesMb = 100_000.0,
    min_free_mb: MinFreeMb = 500.0,
    deadline: Deadline = 600.0,
    running: Running = 8,
    running_each: RunningEach = 4,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Serve questions over HTTP until Ctrl-C: LangServe routes, files and jobs."""
    if context.invoked_subcommand is not None:
        return
    console.loudness(quiet=quiet, verbose=verbose)
    lazy.require_extra("serve", _NEEDED)
    options = ServerOptions(
        host=host,
        port=port,
        insecure_local=insecure_local,
        development=development,
        roots=tuple(root or ()),
        hosts=tuple(allow_host or ()),
        max_file_mb=max_file_mb,
        files_mb=files_mb,
        min_free_mb=min_free_mb,
        deadline_s=deadline,
        running=running,
        running_each=running_each,
        data_dir=data_dir or default_data_dir(),
    )
    lazy.rest.run(options)
