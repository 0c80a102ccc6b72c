"""Speech to text over `POST /v1/audio/transcriptions`, as OpenAI and vLLM (Whisper) serve it.

Audio is sent only to the address set as `transcribe_url`: redirects are not followed. The response is untrusted: its
size is bounded, and `vidagent.video.index.transcript` checks times and texts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from vidagent.agents.server.connection import (
    ServerError,
    error_text,
    is_loopback,
    parse_json,
    public_url,
    redirection,
    retry,
    retry_after_s,
    short_line,
)
from vidagent.agents.server.size_limit import limits_of
from vidagent.agents.speech.lines import lines_of
from vidagent.video.index.subtitles import Cue
from vidagent.video.index.transcript import Heard, Stop
from vidagent.video.sound import RATE, Samples, wav

_PATH = "/audio/transcriptions"
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRIES = 3
_WAITS_S = (0.5, 2.0)
_LONGEST_WAIT_S = 30.0
REPLY_S = 600.0
_WATCH_S = 0.2
_LIMITED = limits_of("transcription server")


class TranscriptionClient:
    """Sends one piece of audio at a time to one transcription server.

    Args:
        url: The base URL, such as http://127.0.0.1:8000/v1; it may include the path of the transcriptions.
        model: The speech model's name on that server.
        key: The server's key, or None.
        reply_s: Longest wait for one reply.
        language: The language spoken, or None if the server is to find it.
    """

    piece_s = 300.0

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        reply_s: float = REPLY_S,
        language: str | None = None,
    ) -> None:
        """Prepare the requests; nothing is sent yet."""
        self._url = url.rstrip("/").removesuffix(_PATH) + _PATH
        self.where = public_url(self._url.removesuffix(_PATH))
        self.model = model
        self.identity = model if language is None else f"{model} in {language}"
        self._language = language
        self._key = key or ""
        self._reply_s = reply_s

    def hear(self, sound: Samples, stop: Stop) -> Heard | None:
        """Transcribe a piece of sound, with retries; return None if stopped.

        Raises:
            ServerError: If the server cannot be reached, refuses, or sends nothing usable.
        """
        return asyncio.run(self._transcribe(wav(sound), len(sound) / RATE, stop))

    async def _transcribe(self, sound: bytes, seconds: float, stop: Stop) -> Heard | None:
        tries = retry(
            lambda: self._once(sound, seconds),
            allowed=lambda _, attempt: attempt < _TRIES,
            wait_s=lambda error, attempt: max(error.wait_s, _WAITS_S[attempt - 1]),
        )
        task = asyncio.create_task(tries)
        try:
            while not task.done():
                left_s = stop.left_s()
                if stop.closed() or (left_s is not None and left_s <= 0):
                    return None
                await asyncio.wait({task}, timeout=_WATCH_S if left_s is None else min(_WATCH_S, left_s))
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _once(self, sound: bytes, seconds: float) -> Heard:
        status, headers, body = await self._post(sound)
        data = parse_json(body)
        if status != 200:
            raise self._refused(status, headers, data, body)
        if not isinstance(data, Mapping):
            line = f"the transcription server at {self.where} sent no JSON; is the base URL right?"
            raise ServerError(line, detail=self._detail(data, body))
        cues = list(_cues(data, seconds))
        if not cues and not isinstance(data.get("text"), str):
            raise ServerError(
                f"the transcription server at {self.where} sent neither segments nor a text",
                detail=self._detail(data, body),
            )
        language = data.get("language")
        shown = isinstance(language, str) and language.isprintable() and 0 < len(language) <= 40
        return Heard(language if shown else None, cues)

    async def _post(self, sound: bytes) -> tuple[int, httpx.Headers, bytes]:
        form = {
            "model": self.model,
            "response_format": "verbose_json",
            "temperature": "0",
            "timestamp_granularities[]": "segment",
        } | ({} if self._language is None else {"language": self._language})
        files = {"file": ("sound.wav", sound, "audio/wav")}
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"} | (
            {"Authorization": f"Bearer {self._key}"} if self._key else {}
        )
        try:
            async with (
                asyncio.timeout(self._reply_s),
                httpx.AsyncClient(
                    headers=headers,
                    timeout=self._reply_s,
                    trust_env=not is_loopback(self._url),
                    event_hooks={"response": [_LIMITED]},
                ) as client,
            ):
                reply = await client.post(self._url, data=form, files=files)
                return reply.status_code, reply.headers, reply.content
        except (TimeoutError, httpx.TimeoutException):
            line = f"the transcription server at {self.where} did not reply within {self._reply_s:g} s"
            raise ServerError(line, retried=True) from None
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            line = f"nothing can be sent to {self.where}: the key (VIDAGENT_TRANSCRIBE_KEY) is no line of plain letters"
            raise ServerError(line) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = self._clean(str(error)) or type(error).__name__
            line = f"the transcription server at {self.where} cannot be reached: {why}"
            raise ServerError(line, retried=True) from None

    def _refused(self, status: int, headers: httpx.Headers, data: object, body: bytes) -> ServerError:
        detail = self._detail(data, body)
        retried = status in _RETRIED
        if status in {401, 403}:
            line = f"the transcription server at {self.where} refused the key ({status}); set VIDAGENT_TRANSCRIBE_KEY"
        elif redirected := redirection(status, headers, self.where, self._key):
            line = redirected
        else:
            line = f"the transcription server at {self.where} answered {status}: {detail or 'nothing'}"
        return ServerError(
            line,
            status=status,
            detail=detail,
            retried=retried,
            wait_s=min(retry_after_s(headers), _LONGEST_WAIT_S),
        )

    def _detail(self, data: object, body: bytes) -> str:
        return self._clean(error_text(data) or body[:2000].decode("utf-8", "replace"))

    def _clean(self, text: str) -> str:
        return short_line("".join(c for c in " ".join(text.split()) if c.isprintable()), self._key)


def _cues(data: Mapping[str, Any], seconds: float) -> Iterator[Cue]:
    """Yield segments; if there are none, lines of words, or all of the text over the whole piece."""
    segments = [cue for item in _items(data, "segments") if (cue := _cue(item, "text")) is not None]
    words = [cue for item in _items(data, "words") if (cue := _cue(item, "word")) is not None]
    text = data.get("text")
    if segments:
        yield from segments
    elif words:
        yield from lines_of(Cue(word.start_s, word.end_s, f" {word.text.strip()}") for word in words)
    elif isinstance(text, str) and text.strip():
        yield Cue(0.0, seconds, text)


def _items(data: Mapping[str, Any], name: str) -> list[Any]:
    found = data.get(name)
    return found if isinstance(found, list) else []


def _cue(item: object, name: str) -> Cue | None:
    if not isinstance(item, Mapping) or not isinstance(item.get(name), str):
        return None
    start, end = item.get("start"), item.get("end")
    if not all(isinstance(t, int | float) and not isinstance(t, bool) and abs(t) < 1e9 for t in (start, end)):
        return None
    return Cue(float(start), float(end), item[name])  # type: ignore[arg-type]  # checked in the line above
