"""Names that callers may misspell: keyword arguments and the keys of mappings, refused with the nearest legal one."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def check_keywords(function: str, given: Collection[str], legal: Collection[str]) -> None:
    """Refuse keyword arguments that a function does not have, as Python does, in the name of that function.

    Raises:
        TypeError: If one is unknown; the message names the function, the keyword and the nearest legal one.
    """
    for name in given:
        if name not in legal:
            raise TypeError(
                f"{function}() got an unexpected keyword argument {name!r}{did_you_mean(name, legal)}"
            )


def did_you_mean(name: str, legal: Collection[str]) -> str:
    """Return `; did you mean 'budget'?` for a name that is nearly a legal one, else an empty text."""
    nearest = difflib.get_close_matches(name, legal, n=1)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""
