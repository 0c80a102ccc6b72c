"""Replies that no server should send: each ends in an answer or in a typed error, never in an internal one."""

import gzip
import json

import pytest

from tests.agents.client.test_client import LOOK, PLAN, TOOLS, Gate, client_of
from tests.scripted_server import Raw, ScriptedServer, says
from vidagent.agents.prompting.replies import Observation
from vidagent.agents.server import connection, size_limit
from vidagent.errors import ModelError

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore:Pydantic serializer"),  # LangChain's, about what is mended afterwards
]

SEEN = '{"found": true, "what": "a ball", "sightings": [], "confidence": 0.8}'
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "clip", "arguments": '{"start_s": 1, "question": "?"}'},
}


def choice(**fields):
    return {"index": 0, "message": {"role": "assistant", "content": SEEN}, "finish_reason": "stop", **fields}


def whole(**fields):
    return Raw(json.dumps({**says(SEEN), **fields}))


def message(**fields):
    return whole(choices=[choice(message={"role": "assistant", "content": SEEN, **fields})])


def stream(*lines):
    return Raw("".join(f"{line}\n\n" for line in lines), content_type="text/event-stream")


CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}
BAD = {
    "empty": Raw(b""),
    "null": Raw("null"),
    "a list": Raw("[]"),
    "a text": Raw('"hello"'),
    "a number": Raw("7"),
    "an empty object": Raw("{}"),
    "cut JSON": Raw('{"choices": [{"message": {"content": "he'),
    "not UTF-8": Raw(b'{"choices": "\xff\xfe"}'),
    "deep nesting": Raw("[" * 100_000),
    "a long number": Raw('{"choices": ' + "9" * 10_000 + "}"),
    "HTML": Raw("<html><body>502 Bad Gateway</body></html>", content_type="text/html"),
    "HTML called JSON": Raw("<html>", content_type="application/json"),
    "plain text": Raw("service restarting", content_type="text/plain"),
    "broken gzip": Raw(b"not gzip", headers={"content-encoding": "gzip"}),
    "cut gzip": Raw(gzip.compress(b"{}" * 100)[:20], headers={"content-encoding": "gzip"}),
    "unknown encoding": Raw(b"abc", headers={"content-encoding": "br"}),
    "another charset": Raw("{}", content_type="application/json; charset=nonsense"),
    "a stream unasked": stream(f"data: {json.dumps(CHUNK)}", "data: [DONE]"),
    "choices null": whole(choices=None),
    "choices a text": whole(choices="none"),
    "choices of null": whole(choices=[None]),
    "choices of texts": whole(choices=["hello"]),
    "a choice without a message": whole(choices=[{}]),
    "message null": whole(choices=[choice(message=None)]),
    "message a text": whole(choices=[choice(message="hello")]),
    "message a list": whole(choices=[choice(message=[])]),
    "no role": whole(choices=[choice(message={"content": SEEN})]),
    "role null": message(role=None),
    "an unknown role": message(role="ghost"),
    "content a number": message(content=5),
    "content true": message(content=True),
    "content an object": message(content={"text": "hello"}),
    "content of parts": message(content=[{"type": "text", "text": SEEN}]),
    "content of nulls": message(content=[None]),
    "content of numbers": message(content=[1, 2]),
    "content of odd parts": message(content=[{"type": "text"}, {"text": 5}, {"type": 7}]),
    "tool_calls a text": message(tool_calls="clip"),
    "tool_calls an object": message(tool_calls={"clip": {}}),
    "tool_calls of null": message(tool_calls=[None]),
    "tool_calls of texts": message(tool_calls=["clip"]),
    "a call without a function": message(tool_calls=[{"id": "1", "type": "function"}]),
    "a call of null": message(tool_calls=[{**CALL, "function": None}]),
    "a call without a name": message(tool_calls=[{**CALL, "function": {"arguments": "{}"}}]),
    "a name that is a number": message(tool_calls=[{**CALL, "function": {"name": 7, "arguments": "{}"}}]),
    "arguments an object": message(
        tool_calls=[{**CALL, "function": {"name": "clip", "arguments": {"start_s": 1}}}]
    ),
    "arguments null": message(tool_calls=[{**CALL, "function": {"name": "clip", "arguments": None}}]),
    "arguments a list": message(tool_calls=[{**CALL, "function": {"name": "clip", "arguments": "[1]"}}]),
    "an id that is a number": message(tool_calls=[{**CALL, "id": 7}]),
    "an id that is null": message(tool_calls=[{**CALL, "id": None}]),
    "reasoning an object": message(reasoning={"text": "hm"}),
    "reasoning a list": message(reasoning_content=[1]),
    "refusal a list": message(refusal=["no"]),
    "usage a text": whole(usage="many"),
    "usage a list": whole(usage=[]),
    "usage of texts": whole(usage={"prompt_tokens": "many", "completion_tokens": "few", "total_tokens": "?"}),
    "usage of nulls": whole(usage={"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}),
    "usage below zero": whole(usage={"prompt_tokens": -5, "completion_tokens": -1, "total_tokens": -6}),
    "usage without end": Raw(
        json.dumps(says(SEEN)).replace('"prompt_tokens": 100', '"prompt_tokens": 1e999')
    ),
    "usage details a text": whole(
        usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "prompt_tokens_details": "x"}
    ),
    "finish_reason a number": whole(choices=[choice(finish_reason=7)]),
    "finish_reason an object": whole(choices=[choice(finish_reason={"why": "x"})]),
    "index a text": whole(choices=[choice(index="first")]),
    "model a number": whole(model=7),
    "id null": whole(id=None),
    "error beside choices": whole(error={"message": "half of it failed"}),
    "error a text": whole(error="overloaded"),
    "logprobs a text": whole(choices=[choice(logprobs="x")]),
}
STREAMS = {
    "an empty stream": stream(),
    "done at once": stream("data: [DONE]"),
    "no JSON": stream("data: {cut", "data: [DONE]"),
    "a number": stream("data: 7", "data: [DONE]"),
    "null": stream("data: null", "data: [DONE]"),
    "a list": stream("data: []", "data: [DONE]"),
    "choices null": stream(f"data: {json.dumps({**CHUNK, 'choices': None})}", "data: [DONE]"),
    "choices of null": stream(f"data: {json.dumps({**CHUNK, 'choices': [None]})}", "data: [DONE]"),
    "delta null": stream(
        f"data: {json.dumps({**CHUNK, 'choices': [{'index': 0, 'delta': None}]})}", "data: [DONE]"
    ),
    "delta a text": stream(f"data: {json.dumps({**CHUNK, 'choices': [{'index': 0, 'delta': 'x'}]})}"),
    "content a number": stream(
        f"data: {json.dumps({**CHUNK, 'choices': [{'index': 0, 'delta': {'content': 5}}]})}"
    ),
    "calls a text": stream(
        f"data: {json.dumps({**CHUNK, 'choices': [{'index': 0, 'delta': {'tool_calls': 'x'}}]})}"
    ),
    "usage a text": stream(f"data: {json.dumps({**CHUNK, 'choices': [], 'usage': 'x'})}", "data: [DONE]"),
    "an error": stream('data: {"error": {"message": "the engine died"}}', "data: [DONE]"),
    "not UTF-8": Raw(b"data: \xff\xfe\n\n", content_type="text/event-stream"),
    "cut off": Raw(json.dumps(CHUNK), content_type="text/event-stream", sent=20),
    "HTML": Raw("<html>", content_type="text/html"),
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(connection, "_FIRST_WAIT_S", 0.001)


async def outcome(reply, ask):
    """Ask once; return `usable`, or the typed error."""
    with ScriptedServer([reply]) as server:
        try:
            await ask(client_of(server))
        except ModelError as error:
            line = str(error)
        else:
            line = "usable"
    assert "\n" not in line
    return line


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_reply_is_used_or_a_typed_error(name):
    await outcome(BAD[name], lambda client: client.ask("look", LOOK, Observation, Gate()))
    await outcome(BAD[name], lambda client: client.plan(PLAN, TOOLS, Gate()))


@pytest.mark.parametrize("name", STREAMS)
async def test_a_bad_stream_is_used_or_a_typed_error(name):
    def listen(kind, words):
        assert isinstance(words, str)

    await outcome(
        STREAMS[name], lambda client: client.ask("look", LOOK, Observation, Gate(), on_stream=listen)
    )


async def test_usable_parts_of_odd_replies_are_used():
    for name in ("content of parts", "an unknown role", "usage a text", "id null", "model a number"):
        assert (
            await outcome(BAD[name], lambda client: client.ask("look", LOOK, Observation, Gate())) == "usable"
        )


async def test_a_reply_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(size_limit, "MOST_BYTES", 1 << 20)
    huge = says("a" * (2 << 20))
    said = await outcome(huge, lambda client: client.ask("look", LOOK, Observation, Gate()))
    assert "sent more than 1 MB" in said
