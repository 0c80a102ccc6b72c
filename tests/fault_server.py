"""Faults of a model server, each played at the Nth chat request of a script that is honest otherwise.

    with ScriptedServer(faulty := Faulty(Honest(), "choices null", at=3)) as server:
        faulty.server = server
        await aanalyze_video(path, QUESTION, base_url=server.url, model="scripted")

`Honest` knows a video in which a red bar is shown from 2 to 3 s, and no other second, and judges claims by that:
whatever else an answer claims, the fault has put there.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.scripted_server import (
    HANG,
    Raw,
    Reply,
    ScriptedServer,
    calls,
    judges,
    labelled_images,
    refusal,
    routes,
    says,
    step_of,
)

QUESTION = "When is the red bar shown?"
CLAIM = "A red bar is shown at the left."
SHOWN_S = 2.0, 3.0
ESCAPES = "\x1b]0;owned\x07\x1b[31mred\x1b[2J\x9b31m\u202etxt"
"""What moves a terminal's cursor, sets its title or turns the writing round."""

_TURN_S = 0.002
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*")

Json = dict[str, Any]
Make = Callable[[Json, Json], Reply]
"""Makes the fault from the body of the request and the honest reply to it."""


class Watch:
    """Measures the longest block of the event loop while it is entered.

    A block is the shorter of the wall-clock and the CPU time between two turns of the loop, so that other processes do
    not count; what earlier tests have left in memory is kept out of the garbage collector's way.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        gc.freeze()
        self._task = asyncio.create_task(self._turns())

    def __exit__(self, *args: object) -> None:
        assert self._task is not None
        self._task.cancel()
        gc.unfreeze()

    async def _turns(self) -> None:
        while True:
            wall, cpu = time.monotonic(), time.process_time()
            await asyncio.sleep(_TURN_S)
            gap = min(time.monotonic() - wall - _TURN_S, time.process_time() - cpu)
            self.longest_s = max(self.longest_s, gap)


def is_clean(line: str) -> bool:
    """Tell whether an error is one line that a terminal only prints."""
    return _PRINTABLE.fullmatch(line) is not None


class Honest:
    """An honest model: it looks twice at once, claims what is shown, and judges by the frames."""

    def __call__(self, body: Json) -> Json:
        """Answer a request."""
        step = step_of(body)
        if step == "route":
            return routes("locate", times=True)
        if step == "describe":
            return says(json.dumps({"scenes": [{"start_s": 0, "end_s": 8, "what": "A bar moves."}]}))
        if step == "plan":
            looked = any(message["role"] == "tool" for message in body["messages"])
            return calls(ANSWER) if looked else calls(*LOOKS)
        if step == "look":
            times = [time_s for time_s, _ in labelled_images(body) if self.is_shown(time_s)]
            return says(json.dumps(observation(times)))
        return judges(body, lambda claim: self._judge(body, claim))

    @staticmethod
    def is_shown(time_s: float) -> bool:
        """Tell whether the bar is shown at a time."""
        return SHOWN_S[0] <= time_s < SHOWN_S[1]

    def _judge(self, body: Json, claim: str) -> Json:
        seen = any(self.is_shown(time_s) for time_s, _ in labelled_images(body))
        verdict = "supported" if seen and "red bar" in claim.casefold() else "unsupported"
        return {"why": "by the frames", "verdict": verdict, "confidence": 0.9}


def observation(times: list[float]) -> Json:
    """Return an observation of the bar at these times."""
    sightings = [{"time_s": time_s, "text": None, "box": [0, 0, 500, 500]} for time_s in times]
    return {"found": bool(times), "what": "a red bar", "sightings": sightings, "confidence": 0.9}


ANSWER = (
    "answer",
    {
        "found": "yes",
        "answer": CLAIM,
        "claims": [{"text": CLAIM, "ledger": ["L1"], "time_s": 2.5}],
        "spans": [{"start_s": SHOWN_S[0], "end_s": SHOWN_S[1]}],
        "confidence": 0.9,
    },
)
LOOKS = (
    ("clip", {"start_s": 1.0, "end_s": 4.0, "question": "Where is the red bar?"}),
    ("clip", {"start_s": 5.0, "end_s": 7.0, "question": "Where else is the red bar?"}),
)


class Faulty:
    """Plays a script, and a fault from its Nth request on.

    Args:
        script: The script.
        fault: The name of the fault, one of `FAULTS` or `REFUSED`.
        at: The request, counted from 1.
        lasts: Whether all later requests get it too, or that one alone.
        other_url: Where redirects lead.

    Attributes:
        other_url: The same.
        server: The server that plays it, for faults of its connections.
        played: How often the fault was played.
    """

    def __init__(
        self,
        script: Callable[[Json], Reply],
        fault: str,
        at: int,
        *,
        lasts: bool = False,
        other_url: str = "http://127.0.0.1:9/v1",
    ) -> None:
        self.server: ScriptedServer | None = None
        self.other_url = other_url
        self.played = 0
        self._script, self._fault, self._at, self._lasts = script, fault, at, lasts
        self._count, self._lock = itertools.count(1), threading.Lock()

    def begin(self, server: ScriptedServer) -> None:
        """Take over a server that has begun to serve."""
        self.server = server
        if self._fault == REFUSED and self._at == 1:
            self._refuse()

    def __call__(self, body: Json) -> Reply:
        """Answer a request."""
        with self._lock:
            number = next(self._count)
        if self._fault == REFUSED:
            if number == self._at - 1:
                self._refuse()
            return self._script(body)
        if number < self._at or (number > self._at and not self._lasts):
            return self._script(body)
        self.played += 1
        honest = self._script(body)
        assert isinstance(honest, dict)
        fault = FAULTS[self._fault](body, honest)
        if isinstance(fault, Raw) and "location" in fault.headers:
            return Raw(status=fault.status, headers={"location": f"{self.other_url}/chat/completions"})
        return _streamed(fault) if body.get("stream") and isinstance(fault, dict) else fault

    def _refuse(self) -> None:
        assert self.server is not None
        self.played += 1
        self.server.refuse()


def _streamed(reply: Json) -> Raw:
    """Send an odd completion as one event of a stream: `message` becomes `delta`."""
    choices = reply.get("choices")
    if isinstance(choices, list):
        choices = [
            {**choice, "delta": _delta(choice.get("message"))} if isinstance(choice, dict) else choice
            for choice in choices
        ]
    event = {**reply, "object": "chat.completion.chunk", "choices": choices}
    return Raw(f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n", content_type="text/event-stream")


def _delta(message: Any) -> Any:
    tool_calls = message.get("tool_calls") if isinstance(message, dict) else None
    if not isinstance(tool_calls, list):
        return message
    placed = [
        {"index": place, **call} if isinstance(call, dict) else call for place, call in enumerate(tool_calls)
    ]
    return {**message, "tool_calls": placed}


def _raw(*args: Any, **kwargs: Any) -> Make:
    """Make a reply that is the same whatever was asked."""
    return lambda body, honest: Raw(*args, **kwargs)


def _refused(status: int, message: str = "no", **headers: str) -> Make:
    return lambda body, honest: refusal(status, message, **headers)


def _field(**fields: Any) -> Make:
    """Change fields of the completion."""
    return lambda body, honest: {**honest, **fields}


def _message(**fields: Any) -> Make:
    """Change fields of the message."""

    def make(body: Json, honest: Json) -> Json:
        choice = honest["choices"][0]
        return {**honest, "choices": [{**choice, "message": {**choice["message"], **fields}}]}

    return make


def _call(**fields: Any) -> Make:
    """Change fields of each call, or add a call that has nothing else."""

    def make(body: Json, honest: Json) -> Reply:
        made = honest["choices"][0]["message"].get("tool_calls") or [
            {"id": "c", "type": "function", "function": {"name": "clip", "arguments": "{}"}}
        ]
        return _message(tool_calls=[{**call, **fields} for call in made])(body, honest)

    return make


def _function(**fields: Any) -> Make:
    """Change fields of each call's function."""

    def make(body: Json, honest: Json) -> Reply:
        made = honest["choices"][0]["message"].get("tool_calls") or [
            {"id": "c", "type": "function", "function": {"name": "clip", "arguments": "{}"}}
        ]
        changed = [{**call, "function": {**call["function"], **fields}} for call in made]
        return _message(tool_calls=changed)(body, honest)

    return make


def _values(change: Callable[[Any], Any]) -> Make:
    """Change the values in what is said, or in the arguments of the calls."""

    def make(body: Json, honest: Json) -> Json:
        choice = honest["choices"][0]
        message = dict(choice["message"])
        if message.get("content"):
            message["content"] = json.dumps(change(json.loads(message["content"])))
        for call in message.get("tool_calls", []):
            arguments = change(json.loads(call["function"]["arguments"]))
            call["function"] = {**call["function"], "arguments": json.dumps(arguments)}
        return {**honest, "choices": [{**choice, "message": message}]}

    return make


def _numbers(change: Callable[[str, float], Any]) -> Callable[[Any], Any]:
    """Change every number, by the name of the field that it is in."""

    def changed(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: changed(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [changed(item, name) for item in value]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return change(name, value) if is_number else value

    return changed


def _reversed(value: Any) -> Any:
    """Swap the ends of all ranges."""
    if isinstance(value, list):
        return [_reversed(item) for item in value]
    if not isinstance(value, dict):
        return value
    swapped = {key: _reversed(item) for key, item in value.items()}
    if {"start_s", "end_s"} <= swapped.keys():
        swapped |= {"start_s": swapped["end_s"], "end_s": swapped["start_s"]}
    return swapped


def _sightings(count: int) -> Make:
    """Say of the frames shown that the bar is in each of them, over and over."""

    def make(body: Json, honest: Json) -> Reply:
        times = [time_s for time_s, _ in labelled_images(body)] or [2.0]
        sightings = [{"time_s": times[place % len(times)]} for place in range(count)]
        return says(json.dumps({"found": True, "what": "a red bar", "sightings": sightings}))

    return make


def _endless(body: Json, honest: Json) -> Raw:
    """Send a text without end, as one body or as events."""
    if body.get("stream"):
        delta = {"choices": [{"index": 0, "delta": {"content": "a" * 200}}]}
        event = f"data: {json.dumps(delta)}\n\n".encode() * 300
        return Raw(pieces=lambda: itertools.repeat(event), content_type="text/event-stream")
    head = b'{"choices": [{"message": {"content": "'
    return Raw(pieces=lambda: itertools.chain([head], itertools.repeat(b"a" * 65536)))


def _bomb(body: Json, honest: Json) -> Raw:
    """Send 8 GB of spaces in 8 MB."""

    def pieces() -> Iterator[bytes]:
        packed = gzip.compress(b" " * (64 << 20))
        return itertools.repeat(packed, 128)

    return Raw(pieces=pieces, headers={"content-encoding": "gzip"})


def _cut(body: Json, honest: Json) -> Raw:
    """End a whole answer in the middle of its JSON."""
    text = json.dumps(honest)
    return Raw(text[: len(text) // 2])


def _twice(body: Json, honest: Json) -> Reply:
    """Repeat every call, with its id."""
    made = honest["choices"][0]["message"].get("tool_calls") or []
    return _message(tool_calls=made * 2)(body, honest) if made else honest


def _string_in_string(body: Json, honest: Json) -> Reply:
    """Wrap the JSON of what is said, or of the arguments, in a JSON string."""
    choice = honest["choices"][0]
    message = dict(choice["message"])
    if message.get("content"):
        message["content"] = json.dumps(message["content"])
    for call in message.get("tool_calls", []):
        call["function"] = {
            **call["function"],
            "arguments": json.dumps(call["function"]["arguments"]),
        }
    return {**honest, "choices": [{**choice, "message": message}]}


def _dropped(share: float) -> Make:
    """Drop the connection after a share of the body."""

    def make(body: Json, honest: Json) -> Raw:
        data = json.dumps(honest)
        return Raw(data, sent=int(len(data) * share))

    return make


def _length(more: int) -> Make:
    """Claim another length than that of the body, and close."""

    def make(body: Json, honest: Json) -> Raw:
        data = json.dumps(honest)
        return Raw(data, length=len(data) + more)

    return make


REFUSED = "connection refused"
DEEP = "[" * 20_000
_MANY = json.dumps({"choices": [[] for _ in range(2_000_000)]})
FAULTS: dict[str, Make] = {
    "dropped before the reply": _dropped(0),
    "dropped in the body": _dropped(0.5),
    "stalled": lambda body, honest: HANG,
    "a byte a second": lambda body, honest: Raw(honest, drip_s=1.0),
    "endless": _endless,
    "gzip bomb": _bomb,
    "broken gzip": _raw(b"not gzip", headers={"content-encoding": "gzip"}),
    "unknown encoding": _raw(b"abc", headers={"content-encoding": "br"}),
    "length too long": _length(1000),
    "length too short": _length(-50),
    "redirect 302": _raw(status=302, headers={"location": ""}),
    "redirect 307": _raw(status=307, headers={"location": ""}),
    "redirect 308": _raw(status=308, headers={"location": ""}),
    "400": _refused(400),
    "401": _refused(401, "Unauthorized"),
    "404": _refused(404, "no such path"),
    "404 of the model": _refused(404, "The model `scripted` does not exist."),
    "429": _refused(429, "slow down"),
    "429, 1 s": _refused(429, "slow down", retry_after="1"),
    "429, nan": _refused(429, "slow down", retry_after="nan"),
    "429, inf": _refused(429, "slow down", retry_after="inf"),
    "429, negative": _refused(429, "slow down", retry_after="-5"),
    "429, a date to come": _refused(429, "slow down", retry_after="Fri, 31 Dec 2100 23:59:59 GMT"),
    "429, a date gone by": _refused(429, "slow down", retry_after="Wed, 21 Oct 2015 07:28:00 GMT"),
    "429, a word": _refused(429, "slow down", retry_after="soon"),
    "500": _refused(500, "engine died"),
    "502": _raw("<html><h1>502 Bad Gateway</h1></html>", status=502, content_type="text/html"),
    "503": _refused(503, "loading"),
    "escapes in a 400": _refused(400, ESCAPES),
    "escapes in a 500": _raw(ESCAPES, status=500, content_type="text/plain"),
    "escapes beside 200": _field(error={"message": ESCAPES}),
    "HTML": _raw("<html><body>It works</body></html>", content_type="text/html"),
    "empty": _raw(b""),
    "truncated JSON": _cut,
    "invalid UTF-8": _raw(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    "deep body": _raw("[" * 200_000),
    "deep text": _message(content=DEEP, tool_calls=None),
    "deep arguments": _function(arguments=DEEP),
    "deep JSON in the text": _message(content='{"a":' * 20_000, tool_calls=None),
    "two million lists": _raw(_MANY),
    "open tags": _message(content="<parameter=a>" * 10_000 + "<function=clip>" * 10_000, tool_calls=None),
    "open marks": _message(content="<think>" * 30_000, tool_calls=None),
    "brackets": _message(content="clip(" * 40_000, tool_calls=None),
    "Python's lists": _message(content="['a', None, " * 15_000, tool_calls=None),
    "commas": _message(content="{" + "," * 200_000, tool_calls=None),
    "quotes": _message(content='{"a": "' + '\\"' * 100_000, tool_calls=None),
    "text of 5 MB": _message(content="a red bar. " * 450_000, tool_calls=None),
    "text of 50 MB": _message(content="a red bar. " * 4_500_000, tool_calls=None),
    "thought of 3 MB": _message(reasoning="hm. " * 750_000),
    "choices null": _field(choices=None),
    "choices empty": _field(choices=[]),
    "choices of null": _field(choices=[None]),
    "content null": _message(content=None),
    "content of parts": lambda body, honest: _message(
        content=[{"type": "text", "text": honest["choices"][0]["message"]["content"] or ""}]
    )(body, honest),
    "content a number": _message(content=5),
    "calls no list": _message(tool_calls={"clip": {}}),
    "calls of null": _message(tool_calls=[None]),
    "function null": _call(function=None),
    "arguments null": _function(arguments=None),
    "arguments a list": _function(arguments="[1, 2]"),
    "string in string": _string_in_string,
    "unknown call": _function(name="rm"),
    "calls twice": _twice,
    "usage a string": _field(usage="many"),
    "usage of strings": _field(usage={"prompt_tokens": "7", "completion_tokens": "7", "total_tokens": "14"}),
    "usage of floats": _field(usage={"prompt_tokens": 7.5, "completion_tokens": 1e30, "total_tokens": 1.0}),
    "usage a list": _field(usage=[1, 2, 3]),
    "usage of 10^30": _field(
        usage={"prompt_tokens": 10**30, "completion_tokens": 10**30, "total_tokens": 10**30}
    ),
    "usage below zero": _field(usage={"prompt_tokens": -7, "completion_tokens": -7, "total_tokens": -14}),
    "times outside": _values(_numbers(lambda name, value: value + 1e6 if name.endswith("_s") else value)),
    "times of NaN": _values(_numbers(lambda name, value: float("nan") if name.endswith("_s") else value)),
    "times without end": _values(_numbers(lambda name, value: float("inf"))),
    "times of 10^400": _values(_numbers(lambda name, value: 10**400)),
    "times below zero": _values(_numbers(lambda name, value: -value if name.endswith("_s") else value)),
    "ranges reversed": _values(_reversed),
    "boxes outside": _values(_numbers(lambda name, value: value * 1e4 - 9e5 if name == "box" else value)),
    "20,000 sightings": _sightings(20_000),
    "200,000 sightings": _sightings(200_000),
}
"""The faults by name; `REFUSED` is one more, of the listening socket."""
