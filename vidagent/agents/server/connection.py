"""Connection to a model server: its address, failed requests and their messages, retries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from tenacity import AsyncRetrying, RetryCallState

from vidagent.errors import ModelError

T = TypeVar("T")

TRIES = 3
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_DETAIL_CHARS = 300


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
    """Return a server's message as one short line without the key."""
    line = " ".join(text.split())
    line = line.replace(key, "***") if key else line
    return line if len(line) <= _DETAIL_CHARS else line[: _DETAIL_CHARS - 1] + "…"


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return how long the server asks to wait; 0 if it does not say."""
    try:
        return max(float(headers.get("retry-after", 0)), 0.0)
    except ValueError:
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
