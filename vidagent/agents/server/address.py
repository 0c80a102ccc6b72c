"""A model's server: its address, and the error of a request that it did not answer well."""

from __future__ import annotations

from urllib.parse import urlsplit

from vidagent.errors import ModelError


class ServerError(ModelError):
    """One request failed.

    Attributes:
        status: The HTTP status, or None if there was no answer or an unusable one.
        detail: What the server said, for finding out which feature it refuses.
        retried: Whether the same request may succeed later.
        wait_s: How long the server asks us to wait first; 0 if it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        detail: str = "",
        retried: bool = False,
        wait_s: float = 0.0,
    ) -> None:
        """Keep what the caller needs to decide on a second attempt."""
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.retried = retried
        self.wait_s = wait_s


def public_url(url: str) -> str:
    """Return a URL without user name, password, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/")


def is_loopback(url: str) -> bool:
    """Tell whether a URL points to this machine."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1", "0.0.0.0"} or host.startswith("127.")  # noqa: S104 - compared with, not bound to
