"""The flags of `vidagent vlm serve`: their names, types and help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidagent.serve.cli.flags import number

_RUN = "How it is kept running"

ProfileName = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE[:VARIANT]",
        help="A profile by its name or its .toml file, and a precision or size, such as "
        "nemotron-nano-12b-v2-vl:fp8; the first one if none is named.",
        show_default=False,
    ),
]
Extra = Annotated[
    list[str] | None,
    typer.Argument(metavar="-- FLAG", help="Further flags of vllm serve itself.", show_default=False),
]
Print = Annotated[
    bool, typer.Option("--print", help="Print the command line, ready to be copied, and start nothing.")
]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
Port = Annotated[int, number("--port", int, "N", "Port to listen on, 1 to 65535.", legal="1 to 65535")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="A checkpoint's folder or name, not the variant's."),
]
Program = Annotated[
    str | None, typer.Option("--vllm", metavar="PATH", help="The vllm program; found on PATH otherwise.")
]
TensorParallel = Annotated[
    int | None, number("--tensor-parallel", int, "N", "GPUs that share one copy.", legal="at least 1")
]
DataParallel = Annotated[
    int | None, number("--data-parallel", int, "N", "Copies of the model.", legal="at least 1")
]
Context = Annotated[
    int | None, number("--context", int, "N", "Tokens of a prompt and its reply.", legal="at least 1")
]
Pruning = Annotated[
    float | None,
    number(
        "--pruning",
        float,
        "X",
        "Share of a video's tokens to leave out, 0 ≤ X < 1.",
        legal="at least 0 and less than 1",
    ),
]
MediaPath = Annotated[
    Path | None,
    typer.Option("--media-path", metavar="DIR", help="Folder whose files requests may name; none otherwise."),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        rich_help_panel=_RUN,
        help="File that the server's output is added to; vlm-PORT.log in your log folder otherwise.",
    ),
]
Wait = Annotated[
    float,
    number(
        "--wait",
        float,
        "SECONDS",
        "Longest wait until it is healthy, a download of the model included.",
        legal="more than 0",
        panel=_RUN,
    ),
]
Restarts = Annotated[
    int,
    number(
        "--restarts",
        int,
        "N",
        "How often it is started again when it dies after it was healthy.",
        legal="at least 0",
        panel=_RUN,
    ),
]
