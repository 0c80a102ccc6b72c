"""Speech to text over `POST /v1/audio/transcriptions`, as OpenAI and vLLM (Whisper) serve it.

Audio is sent only to the address set as `transcribe_url`: redirects are not followed. The response is untrusted: its
size is bounded, and `vidagent.video.index.transcript` checks times and texts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from vidagent.agents.server.connection import ServerError, retry
from vidagent.agents.server.json_server import JsonServer
from vidagent.agents.speech.lines import lines_of
from vidagent.video.index.subtitles import Cue
from vidagent.video.index.transcript import Heard, Stop
from vidagent.video.sound import RATE, Samples, wav

_PATH = "/audio/transcriptions"
_TRIES = 3
_WAITS_S = (0.5, 2.0)
REPLY_S = 600.0
_WATCH_S = 0.2


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
        self._server = JsonServer(
            url, _PATH, "transcription server", key or "", "VIDAGENT_TRANSCRIBE_KEY", reply_s
        )
        self.where, self.model = self._server.where, model
        self.identity = model if language is None else f"{model} in {language}"
        self._language = language

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
        form = {
            "model": self.model,
            "response_format": "verbose_json",
            "temperature": "0",
            "timestamp_granularities[]": "segment",
        } | ({} if self._language is None else {"language": self._language})
        async with self._server.client() as client:
            data = await self._server.post(
                client, data=form, files={"file": ("sound.wav", sound, "audio/wav")}
            )
        cues = list(_cues(data, seconds))
        if not cues and not isinstance(data.get("text"), str):
            line = f"{self._server.name} sent neither segments nor a text"
            raise ServerError(line, detail=self._server.detail(data))
        language = data.get("language")
        shown = isinstance(language, str) and language.isprintable() and 0 < len(language) <= 40
        return Heard(language if shown else None, cues)


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
