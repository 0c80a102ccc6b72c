"""The extras that a command may need, told before it is too late for a clear line."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from vidagent.errors import UsageError


def needed(extra: str, libraries: Sequence[str]) -> None:
    """Refuse to go on without an extra.

    Args:
        extra: Its name.
        libraries: The modules that it brings.

    Raises:
        UsageError: If one of them is missing.
    """
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise UsageError(f"this command needs {', '.join(missing)}: pip install 'vidagent[{extra}]'")
