"""`vidagent` and `python -m vidagent`: the command line's front door."""

from __future__ import annotations

import sys

from vidagent.serve.cli.app import run


def main() -> None:
    """Run the command line on the process's arguments and exit with its code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
