"""Which videos a client may name, and where they lie: uploaded files, and those under the server's folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidagent.serve.rest.clients import Client
from vidagent.serve.rest.faults import Refusal
from vidagent.serve.rest.files import PREFIX, Files

__all__ = ["Places"]


class Places:
    """Finds videos by the names that clients give them.

    Args:
        files: What was uploaded.
        roots: Folders whose videos may be named by path.
    """

    def __init__(self, files: Files, roots: Sequence[Path]) -> None:
        """Resolve the folders once: a link in their own paths is the operator's."""
        self._files = files
        self._roots = [root.resolve() for root in roots]

    def path(self, client: Client, name: str) -> Path:
        """Return the file of a video.

        Raises:
            Refusal: If there is no such video for this client. What lies outside of the folders is told as what does
                not exist.
        """
        if name.startswith(PREFIX):
            return self._files.path(client, name)
        for root in self._roots:
            path = _under(root, name)
            if path is not None:
                return path
        raise Refusal(404, "no_such_video", "there is no such video")


def _under(root: Path, name: str) -> Path | None:
    """Return the file of that name, links followed, if it lies under the root."""
    try:
        path = (root / name).resolve(strict=True)
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, links in a circle
        return None
