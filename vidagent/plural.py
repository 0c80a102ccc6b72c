"""Numbers in words that agree with them."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, what: str) -> str:
    """Say how many of a thing there are, such as `1 frame` or `2,500 frames`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")
