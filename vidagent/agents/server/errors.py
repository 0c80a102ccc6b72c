"""Explain errors of the OpenAI client in one line that names the server and never contains the key."""

from __future__ import annotations

import json

import openai

from vidagent.agents.server.connection import (
    ServerError,
    public_url,
    redirection,
    retry_after_s,
    short_line,
)

_BAD_KEY = "the API key (VIDAGENT_API_KEY) is no line of plain letters"
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_TOO_LONG = (
    "context length",
    "context window",
    "context_length",
    "input_tokens",
    "too long",
    "maximum model length",
)


def explain(error: Exception, *, base_url: str, model: str, key: str) -> ServerError:
    """Turn an error of the OpenAI client, or of reading what it got, into one clear line."""
    where = public_url(base_url)
    if isinstance(error, openai.APIStatusError):
        return _status(error, where, model, key)
    if isinstance(error, openai.APITimeoutError):
        return ServerError(f"the model server at {where} did not answer in time", retried=True)
    if isinstance(error, openai.APIConnectionError):
        return _connection(error, where, key)
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return ServerError(f"the model server at {where} sent broken JSON, cut off or not JSON", retried=True)
    if isinstance(error, UnicodeEncodeError):
        return ServerError(f"nothing can be sent to {where}: {_BAD_KEY}")
    if not isinstance(error, openai.OpenAIError | ValueError):
        line = f"the model server at {where} sent a reply in no known form ({type(error).__name__})"
        return ServerError(line, retried=True)
    detail = short_line(str(error), key)
    if isinstance(error, openai.APIError) and "internal" in detail.casefold():
        line = f"the model server at {where} failed in the middle of a reply: {detail}"
        return ServerError(line, status=500, detail=detail, retried=True)
    return ServerError(f"the reply of the model server at {where} cannot be used: {detail}", detail=detail)


def _status(error: openai.APIStatusError, where: str, model: str, key: str) -> ServerError:
    status = error.status_code
    detail = short_line(_message(error), key)
    low = detail.casefold()
    if redirected := redirection(status, error.response.headers, where, key):
        line = redirected
    elif status in {401, 403}:
        line = f"the model server at {where} refused the API key ({status}); set VIDAGENT_API_KEY"
    elif status == 404 and "model" in low:
        line = f"the model server at {where} has no model {model!r} (404): {detail}"
    elif status == 404:
        line = f"{where} has no chat completions (404); is the base URL right, such as http://HOST:8000/v1?"
    elif status in {400, 413, 422} and any(words in low for words in _TOO_LONG):
        line = f"the request is too long for model {model!r} at {where} ({status}): {detail}"
    elif status == 429:
        line = f"the model server at {where} has too many requests (429): {detail}"
    else:
        verb = "failed" if status >= 500 else "refused the request"
        line = f"the model server at {where} {verb} ({status}): {detail}"
    wait_s = retry_after_s(error.response.headers)
    told = ServerError(line, status=status, detail=detail, retried=status in _RETRIED, wait_s=wait_s)
    told.retried &= not told.unparsed
    return told


def _connection(error: openai.APIConnectionError, where: str, key: str) -> ServerError:
    """Distinguish an unreachable server from one that dropped the connection: only the second is worth a retry."""
    cause = error.__cause__
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, ServerError):
        return cause
    if isinstance(cause, json.JSONDecodeError):
        return explain(cause, base_url=where, model="", key=key)
    if any("LocalProtocolError" in type(link).__name__ for link in _chain(error)):  # its text has the key
        return ServerError(f"nothing can be sent to {where}: {_BAD_KEY}")
    absent = any("ConnectError" in type(link).__name__ for link in _chain(error))
    detail = short_line(str(cause or error), key) or type(cause or error).__name__
    if absent:
        return ServerError(f"no model server answers at {where}: {detail}", detail=detail)
    return ServerError(
        f"the connection to the model server at {where} broke: {detail}", detail=detail, retried=True
    )


def _chain(error: BaseException | None) -> list[BaseException]:
    links = []
    while error is not None:
        links.append(error)
        error = error.__cause__ or error.__context__
    return links


def _message(error: openai.APIStatusError) -> str:
    """Return the server's message: from its error object, or the start of the body."""
    body = error.body
    for part in (body, body.get("error") if isinstance(body, dict) else None):
        if isinstance(part, dict) and isinstance(part.get("message"), str):
            extra = [str(part[name]) for name in ("param", "code") if isinstance(part.get(name), str)]
            return " ".join([part["message"], *(f"[{value}]" for value in extra)])
    return error.response.text or error.message
