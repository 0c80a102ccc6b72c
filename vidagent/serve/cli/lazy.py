"""Modules that take long to import: loaded when a command first uses one, as in `lazy.api.probe_video(path)`.

`--help`, `--version` and wrong flags answer at once, as they need none of these. Commands import all else at their top.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from vidagent.errors import UsageError

if TYPE_CHECKING:
    from vidagent import api, config
    from vidagent.agents.direct import vlm
    from vidagent.agents.probes import checkup
    from vidagent.agents.server import model_choice
    from vidagent.api import cache
    from vidagent.evaluation import runner as evaluation
    from vidagent.evaluation.formats import registry as benchmarks
    from vidagent.evaluation.formats import rows as json_rows
    from vidagent.evaluation.formats import video_folder
    from vidagent.evaluation.judge import files as judge_files
    from vidagent.evaluation.judge import reviewer
    from vidagent.evaluation.results import results_page, summary
    from vidagent.evaluation.results import table as results_table
    from vidagent.library import library
    from vidagent.reports import multi_video as reports
    from vidagent.reports.export import text_tracks, transcripts
    from vidagent.serve.batch import run_batch as batch
    from vidagent.serve.core import concurrency, download
    from vidagent.serve.core.storage import database, keys
    from vidagent.serve.mcp import context as mcp_context
    from vidagent.serve.mcp import http as mcp_http
    from vidagent.serve.mcp import stdio as mcp_stdio
    from vidagent.serve.rest import app as rest
    from vidagent.serve.vlm import command as vllm_command
    from vidagent.serve.vlm import container as vllm_container
    from vidagent.serve.vlm import launcher as vllm_launcher
    from vidagent.serve.watch import run_watch as watching
    from vidagent.tools import data_schema
else:
    _MODULES = {
        "api": "vidagent.api",
        "batch": "vidagent.serve.batch.run_batch",
        "cache": "vidagent.api.cache",
        "benchmarks": "vidagent.evaluation.formats.registry",
        "checkup": "vidagent.agents.probes.checkup",
        "concurrency": "vidagent.serve.core.concurrency",
        "config": "vidagent.config",
        "data_schema": "vidagent.tools.data_schema",
        "database": "vidagent.serve.core.storage.database",
        "download": "vidagent.serve.core.download",
        "evaluation": "vidagent.evaluation.runner",
        "json_rows": "vidagent.evaluation.formats.rows",
        "judge_files": "vidagent.evaluation.judge.files",
        "keys": "vidagent.serve.core.storage.keys",
        "library": "vidagent.library.library",
        "mcp_context": "vidagent.serve.mcp.context",
        "mcp_http": "vidagent.serve.mcp.http",
        "mcp_stdio": "vidagent.serve.mcp.stdio",
        "model_choice": "vidagent.agents.server.model_choice",
        "reports": "vidagent.reports.multi_video",
        "rest": "vidagent.serve.rest.app",
        "results_page": "vidagent.evaluation.results.results_page",
        "results_table": "vidagent.evaluation.results.table",
        "reviewer": "vidagent.evaluation.judge.reviewer",
        "text_tracks": "vidagent.reports.export.text_tracks",
        "transcripts": "vidagent.reports.export.transcripts",
        "summary": "vidagent.evaluation.results.summary",
        "video_folder": "vidagent.evaluation.formats.video_folder",
        "vllm_command": "vidagent.serve.vlm.command",
        "vllm_container": "vidagent.serve.vlm.container",
        "vllm_launcher": "vidagent.serve.vlm.launcher",
        "vlm": "vidagent.agents.direct.vlm",
        "watching": "vidagent.serve.watch.run_watch",
    }

    def __getattr__(name):  # noqa: ANN001, ANN202 - typed by the imports above
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(_MODULES[name])


def require_extra(extra: str, libraries: Sequence[str]) -> None:
    """Check that an extra is installed before modules that import it are used.

    Args:
        extra: Its name.
        libraries: The modules that it installs.

    Raises:
        UsageError: If one of them is missing.
    """
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise UsageError(f"this command needs {', '.join(missing)}: pip install 'vidagent[{extra}]'")
