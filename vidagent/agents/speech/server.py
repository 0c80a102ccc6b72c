"""Speech to text over `POST /v1/audio/transcriptions`, as OpenAI and vLLM (Whisper) serve it.

A server is asked for speakers first (`diarized_json`). One that refuses, or tells none, is asked for plain segments,
and for these alone from then on. Labels of speakers hold for one request; so that they hold for a video, samples of the
voices so far go with the next piece, and a label that belongs to none of them is a new speaker's.

Audio is sent only to the address set as `transcribe_url`: redirects are not followed. The response is untrusted: its
size is bounded, and `vidagent.video.index.transcript` checks times and texts.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain, count
from typing import Any, Final, Literal

from vidagent.agents.server.connection import ServerError, retry
from vidagent.agents.server.json_server import JsonServer
from vidagent.agents.speech.lines import lines_of
from vidagent.video.index.subtitles import Cue
from vidagent.video.index.transcript import NOBODY, Heard, Stop, Voices
from vidagent.video.index.transcript_cues import speaker_label
from vidagent.video.sound import RATE, Samples, wav

_PATH = "/audio/transcriptions"
_TRIES = 3
_WAITS_S = (0.5, 2.0)
REPLY_S = 600.0
_WATCH_S = 0.2
_REFUSALS = frozenset({400, 415, 422, 500, 501})
"""Statuses with which servers refuse a form of reply that they do not know; some fail at it."""

Way = Literal["known voices", "speakers", "lines"]
_WAYS: Final[tuple[Way, ...]] = ("known voices", "speakers", "lines")
"""What is asked for, from the most to the least that a server can."""


@cache
def granted(url: str, model: str) -> dict[Way, bool]:
    """Return what a model on a server has granted or refused; it is remembered as long as this process runs."""
    return {}


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

    def hear(self, sound: Samples, stop: Stop, voices: Voices = NOBODY) -> Heard | None:
        """Transcribe a piece of sound, with retries; return None if stopped.

        Raises:
            ServerError: If the server cannot be reached, refuses, or sends nothing usable.
        """
        return asyncio.run(self._transcribe(wav(sound), len(sound) / RATE, stop, voices))

    async def _transcribe(self, sound: bytes, seconds: float, stop: Stop, voices: Voices) -> Heard | None:
        tries = retry(
            lambda: self._once(sound, seconds, voices),
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

    async def _once(self, sound: bytes, seconds: float, voices: Voices) -> Heard:
        samples = {f"known_{n}": name for n, name in enumerate(voices, 1) if voices[name] is not None}
        known = granted(self._server.url, self.model)
        ways = [way for way in _WAYS if known.get(way, True) and (samples or way != "known voices")]
        return await self._most(ways, sound, seconds, voices, samples)

    async def _most(
        self, ways: Sequence[Way], sound: bytes, seconds: float, voices: Voices, samples: Mapping[str, str]
    ) -> Heard:
        """Ask in the first way, or if it is refused in the next ones.

        A refusal is remembered once one of these is granted, unless the server has granted the first way before.

        Args:
            ways: What to ask for, the most first.
            sound: A WAV file.
            seconds: Its length.
            voices: All earlier speakers.
            samples: Labels of those whose voices are sent, by the names that are sent with them.
        """
        way, *less = ways
        known = samples if way == "known voices" else {}
        memory = granted(self._server.url, self.model)
        try:
            found = await self._asked(way, sound, seconds, {tag: voices[known[tag]] for tag in known})
        except ServerError as error:
            unusable = error.status is None and not error.retried
            passing = memory.get(way, False) and error.retried
            if not less or passing or not (unusable or error.status in _REFUSALS):
                raise
            found = await self._most(less, sound, seconds, voices, samples)
            memory.setdefault(way, False)
            return found
        if found.cues:
            memory[way] = True
        return replace(found, cues=list(_labelled(found.cues, known, voices)))

    async def _asked(self, way: Way, sound: bytes, seconds: float, voices: Voices) -> Heard:
        form = {"model": self.model, **_form(way, voices)}
        form |= {} if self._language is None else {"language": self._language}
        async with self._server.client() as client:
            data = await self._server.post(
                client, data=form, files={"file": ("sound.wav", sound, "audio/wav")}
            )
        cues = list(_cues(data, seconds))
        if not cues and not isinstance(data.get("text"), str):
            line = f"{self._server.name} sent neither segments nor a text"
            raise ServerError(line, detail=self._server.detail(data))
        if way != "lines" and cues and not any(cue.speaker for cue in cues):
            raise ServerError(f"{self._server.name} tells no speakers", detail=self._server.detail(data))
        language = data.get("language")
        shown = isinstance(language, str) and language.isprintable() and 0 < len(language) <= 40
        return Heard(language if shown else None, cues)


def _form(way: Way, voices: Voices) -> dict[str, Any]:
    """Return the fields of a request (https://platform.openai.com/docs/api-reference/audio/createTranscription)."""
    if way == "lines":
        return {
            "response_format": "verbose_json",
            "temperature": "0",
            "timestamp_granularities[]": "segment",
        }
    form: dict[str, Any] = {"response_format": "diarized_json", "chunking_strategy": "auto"}
    if voices:
        samples = [base64.b64encode(wav(voice)).decode() for voice in voices.values() if voice is not None]
        form["known_speaker_names[]"] = list(voices)
        form["known_speaker_references[]"] = [f"data:audio/wav;base64,{sample}" for sample in samples]
    return form


def _labelled(cues: Iterable[Cue], known: Mapping[str, str], voices: Voices) -> Iterator[Cue]:
    """Yield lines with labels that hold for the whole video: a known voice's own, or one that no earlier speaker has.

    Args:
        cues: Lines, with the labels of the server.
        known: Labels of earlier speakers by the names that the server was given for their samples.
        voices: All earlier speakers.
    """
    labels = dict(known)
    for cue in cues:
        said = speaker_label(cue.speaker)
        if said and said not in labels:
            taken = {*voices, *labels.values()}
            more = (f"{said} {number}" for number in count(2))
            labels[said] = next(label for label in chain((said,), more) if label not in taken)
        yield replace(cue, speaker=labels.get(said, ""))


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
    speaker = item.get("speaker")
    label = str(speaker) if isinstance(speaker, str | int) else ""
    return Cue(float(start), float(end), item[name], speaker=label)  # type: ignore[arg-type]  # checked above
