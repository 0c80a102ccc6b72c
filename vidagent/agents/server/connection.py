"""Connection to a model server: its address, failed requests and their messages, retries."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import TypeVar
from urllib.parse import urlsplit

from tenacity import AsyncRetrying, RetryCallState

from vidagent.errors import ModelError
from vidagent.text import without_controls

T = TypeVar("T")

TRIES = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses of redirects, which are not followed."""
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_DETAIL_CHARS = 300
_UNPARSED = "produced output that does not match the expected"
"""What llama.cpp says, with status 500, of a reply that its own parser of calls and schemas cannot read."""
_READ_CHARS = 4000
"""How much of a server's message is read to make a line of it."""


class ServerError(ModelError):
    """One request failed.

    Attributes:
        status: The HTTP status, or None if there was no answer or an unusable one.
        detail: The server's message, for finding out which feature it refuses.
        retried: Whether the same request may succeed later.
        wait_s: How long the server asks to wait first; 0 if it does not say.
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
        """Store what the caller needs to decide on a retry."""
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.retried = retried
        self.wait_s = wait_s

    @property
    def unparsed(self) -> bool:
        """Whether the model replied in a form that the server could not read: to be asked again, not repeated."""
        return _UNPARSED in self.detail.casefold()


def public_url(url: str) -> str:
    """Return a URL without user name, password, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/")


def is_loopback(url: str) -> bool:
    """Tell whether a URL points to this machine."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1", "0.0.0.0"} or host.startswith("127.")  # noqa: S104 - compared with, not bound to


def parse_json(data: bytes) -> object:
    """Parse JSON; return None if it is invalid."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def error_text(data: object) -> str:
    """Return the message of an error reply as vLLM, FastAPI and OpenAI word it; empty if there is none."""
    for part in (data.get("error"), data) if isinstance(data, Mapping) else ():
        text = (part.get("message") or part.get("detail")) if isinstance(part, Mapping) else None
        if isinstance(text, str):
            return text
    return ""


def short_line(text: str, key: str) -> str:
    """Return a server's message as one short line without the key and without control characters."""
    line = without_controls(" ".join(text[:_READ_CHARS].split()))
    line = line.replace(key, "***") if key else line
    return line if len(line) <= _DETAIL_CHARS else line[: _DETAIL_CHARS - 1] + "…"


def redirection(status: int, headers: Mapping[str, str], where: str, key: str) -> str | None:
    """Return what to say of a redirect, which is not followed: neither the key nor any data go to another place."""
    if status not in REDIRECTS:
        return None
    try:
        target = public_url(headers.get("location", ""))
        for route in ("/chat/completions", "/audio/transcriptions", "/embeddings"):
            target = target.removesuffix(route)
        place = short_line(target, key)
    except ValueError:
        place = ""
    return (
        f"the server at {where} redirects to {place or 'no address'} ({status}); this is not followed: neither the key "
        "nor any data go elsewhere; if it is right, give it as the base URL"
    )


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return how long the server asks to wait, in seconds or until a date; 0 if it does not say."""
    said = headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        seconds = _seconds_until(said)
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _seconds_until(said: str) -> float:
    """Return the seconds until a date of HTTP; 0 if it is none."""
    date = parsedate_tz(said)
    try:
        return 0.0 if date is None else mktime_tz(date) - time.time()
    except (ValueError, OverflowError):
        return 0.0


def may_retry(error: ServerError, attempt: int) -> bool:
    """Allow up to `TRIES` attempts; `attempt`, counted from 1, is the one that failed."""
    return attempt < TRIES


def backoff_s(error: ServerError, attempt: int) -> float:
    """Return the wait after a failed attempt: the server's request, else doubled each time."""
    return min(error.wait_s or _FIRST_WAIT_S * 2 ** (attempt - 1), _LONGEST_WAIT_S)


async def retry(
    request: Callable[[], Awaitable[T]],
    *,
    allowed: Callable[[ServerError, int], bool] = may_retry,
    wait_s: Callable[[ServerError, int], float] = backoff_s,
) -> T:
    """Repeat a request while its failures are temporary (`ServerError.retried`) and another attempt is allowed.

    Args:
        request: Sends it once.
        allowed: Whether to continue, given the error and the number of the failed attempt, counted from 1.
        wait_s: Seconds to wait before the next attempt, given the same.

    Raises:
        ServerError: The last failure, or the first that is permanent.
    """

    def goes_on(state: RetryCallState) -> bool:
        error = _failure(state)
        return isinstance(error, ServerError) and error.retried and allowed(error, state.attempt_number)

    def pause_s(state: RetryCallState) -> float:
        error = _failure(state)
        return wait_s(error, state.attempt_number) if isinstance(error, ServerError) else 0.0

    async def attempt() -> T:
        return await request()

    return await AsyncRetrying(retry=goes_on, wait=pause_s, sleep=asyncio.sleep, reraise=True)(attempt)


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
