"""Command lines put to vLLM's own parser, in its environment: `python -m tests.live.flag_parser FILE`.

Reads a file of JSON, a list of command lines, each a list of words from `vllm serve` on, and prints as its last line
`{"version", "refused"}`: for each, None or why vLLM would not start with it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from vllm import __version__
from vllm.entrypoints.cli.serve import ServeSubcommand
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
from vllm.utils.argparse_utils import FlexibleArgumentParser


def refused(words: list[str]) -> str | None:
    """Return why vLLM refuses a command line, or None."""
    parser = FlexibleArgumentParser(exit_on_error=False)
    serve = ServeSubcommand()
    serve.subparser_init(parser.add_subparsers(dest="subparser"))
    try:
        given = parser.parse_args(words[1:])
        serve.validate(given)
        if given.tool_call_parser:
            ToolParserManager.get_tool_parser(given.tool_call_parser)
        if given.reasoning_parser:
            ReasoningParserManager.get_reasoning_parser(given.reasoning_parser)
    except (argparse.ArgumentError, ValueError, KeyError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    except SystemExit as ended:
        return f"it ended with {ended.code}"
    return None


if __name__ == "__main__":
    lines = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    print(json.dumps({"version": __version__, "refused": [refused(words) for words in lines]}))
