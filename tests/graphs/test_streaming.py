"""Thoughts as the model writes them, the answer once it is checked, and what a run that streams leaves untouched."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vidagent
from tests.decoding import decoding
from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import (
    Raw,
    Reply,
    ScriptedServer,
    calls,
    completion,
    dripping,
    refusal,
    says,
    step_of,
)
from vidagent.errors import ModelError, VideoError
from vidagent.types import Answer, Budget

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("few_frames")]

QUESTION = "When is it seen?"
SAID = 'It is "seen" at 2 s,\nby 東京 🎬.'


def usual(**kinds: Callable[[dict[str, Any]], Reply]) -> Callable[[dict[str, Any]], Reply]:
    """Return a script that looks once and answers, with other replies for some steps."""
    script = Script([clip_look(1, 3)], [answer(answer=SAID)])

    def reply(body: dict[str, Any]) -> Reply:
        return kinds.get(str(step_of(body)), script)(body)

    return reply


def words(events: list[Any], kind: str, step: str) -> str:
    """Return the words told of a kind in a step; a restart voids those before it."""
    told = ""
    for event in events:
        if (event.kind, event.step) == (kind, step):
            told = "" if event.data.get("restart") else told + event.text
    return told


@pytest.fixture
def stream(ask):
    """Return the function that runs with `stream=True` and returns the answer, the events and the server."""

    def run(script: Any, **options: Any) -> tuple[Answer, list[Any], ScriptedServer]:
        events: list[Any] = []
        found, server = ask(script, **{"on_event": events.append, "stream": True, **options})
        return found, events, server

    return run


def test_the_answer_comes_at_once_when_it_is_checked(stream):
    found, events, server = stream(usual())
    assert [event.text for event in events if event.kind == "token"] == [found.answer] == [SAID]
    assert [event.kind for event in events][-3:] == ["verdict", "token", "answer"]
    streamed = [step for step, body in zip(server.steps, server.bodies, strict=True) if body.get("stream")]
    assert streamed == ["plan", "plan", "verify"]


def test_thoughts_come_word_by_word(stream):
    turns = Script([clip_look(1, 3)], [answer(answer=SAID)])

    def thinks(words):
        return lambda body: completion({**turns(body)["choices"][0]["message"], "reasoning": words})

    found, events, _ = stream(
        usual(plan=thinks("First look, then answer."), verify=thinks("It is there, in both."))
    )
    assert words(events, "thought", "plan") == "First look, then answer." * 2
    assert words(events, "thought", "verify") == "It is there, in both."
    assert words(events, "token", "compose") == found.answer
    assert len([event for event in events if event.kind == "thought"]) > 10


def test_nothing_is_streamed_unless_it_is_asked_for_and_heard(ask):
    events: list[Any] = []
    for options in ({"on_event": events.append}, {"stream": True}, {}):
        found, server = ask(usual(), **options)
        assert found.answer == SAID
        assert not any(body.get("stream") for body in server.bodies)
    assert {"thought", "token"}.isdisjoint(event.kind for event in events)


def test_a_reply_that_breaks_off_is_asked_for_again(stream, monkeypatch):
    monkeypatch.setattr("vidagent.agents.server.connection._FIRST_WAIT_S", 0.01)
    script = Script([clip_look(1, 3)], [answer(answer=SAID)])
    cut = [True]

    def verify(body):
        whole = dripping(completion({**script(body)["choices"][0]["message"], "reasoning": "It is there."}))
        return dataclasses.replace(whole, sent=whole.data.index(b"is ")) if cut and cut.pop() else whole

    found, events, _ = stream(usual(verify=verify))
    assert words(events, "thought", "verify") == "It It is there."
    assert words(events, "token", "compose") == found.answer == SAID


def test_a_run_that_finds_nothing_has_no_token(stream):
    script = usual(verify=lambda body: says('{"verdict": "unsupported", "why": "no"}'))
    found, events, _ = stream(script)
    assert found.status == "not_found"
    assert not [event for event in events if event.kind == "token"]


@pytest.mark.parametrize("refused", ["without events", "with an error"])
def test_a_server_that_does_not_stream_is_asked_for_whole_replies(stream, refused):
    plain = usual()

    def script(body):
        if body.get("stream"):
            return refusal(400, "stream is not supported") if refused == "with an error" else Raw(plain(body))
        return plain(body)

    found, events, server = stream(script)
    assert found.answer == SAID
    assert [event.text for event in events if event.kind == "token"] == [SAID]
    assert [bool(body.get("stream")) for body in server.bodies].count(True) == 1


def test_the_embedded_model_answers_as_ever(clip):
    heard = {False: [], True: []}
    for streams, events in heard.items():
        vidagent.analyze_video(
            clip("h264").path,
            "How many cuts are there?",
            model="signals",
            on_event=events.append,
            stream=streams,
        )
    passing = {"token", "progress"}  # progress is told by the clock, and of what is not indexed yet
    plain, streamed = ([e for e in events if e.kind not in passing] for events in heard.values())
    told, told_plainly = (Counter((e.kind, e.text) for e in events[1:]) for events in (streamed, plain))
    assert told == told_plainly  # in any order, as the looks of a sweep go on side by side
    assert streamed[-1].text == plain[-1].text


def checkpoints() -> list[list[tuple[Any, ...]]]:
    """Return how the checkpoints of all runs so far are laid out: of each one its parent, its writes and channels."""
    found = []
    for folder in sorted((Path(os.environ["VIDAGENT_CACHE_DIR"]) / "runs").iterdir()):
        with contextlib.closing(sqlite3.connect(folder / "checkpoint.sqlite")) as database:
            rows = database.execute("select task_path, channel, type from writes order by checkpoint_id, idx")
            found.append(rows.fetchall())
    return found


def test_a_checkpoint_knows_nothing_of_it(stream, ask):
    found, events, _ = stream(usual())
    plain, _ = ask(usual())
    first, second = checkpoints()
    assert len(first) > 10
    assert sorted(first) == sorted(second)
    again, heard, server = stream(usual(), resume=found.run_id)
    assert (again.answer, server.bodies) == (SAID, [])
    assert [event.kind for event in heard] == ["model", "answer"]
    assert any(event.kind == "token" for event in events)
    assert plain.answer == SAID


# the asynchronous iterator


def opened(server: ScriptedServer, path: Path, **options: Any):
    return vidagent.astream_video(path, QUESTION, base_url=server.url, model="scripted", **options)


async def test_every_event_is_yielded_and_the_answer_last(clip):
    with ScriptedServer(usual()) as server:
        events = [event async for event in opened(server, clip("h264").path)]
    assert words(events, "token", "compose") == SAID
    last = events[-1]
    assert (last.kind, last.text) == ("answer", SAID)
    assert (last.data["status"], last.data["answer"]["answer"]) == ("answered", SAID)
    assert last.data["answer"]["usage"]["model_calls"] == len(server.bodies)
    assert [event.kind for event in events].count("answer") == 1
    json.dumps([event.data for event in events])


def slowly(thought: str) -> Callable[[dict[str, Any]], Reply]:
    """Return a planner that thinks byte by byte."""
    message = calls(clip_look(1, 3))["choices"][0]["message"]
    return lambda body: dripping(completion({**message, "reasoning": thought}))


async def test_events_come_while_the_model_writes(clip):
    slow, loop = slowly("First look, " * 20), asyncio.get_running_loop()
    with ScriptedServer(usual(plan=slow)) as server:
        events = opened(server, clip("h264").path, budget=Budget(model_calls=2))
        times = [loop.time() async for event in events if event.kind == "thought"]
    raw = slow({})
    assert times[-1] - times[0] > 0.2 * raw.drip_s * len(raw.data)


async def gone_within(server: ScriptedServer, before: set[Any], seconds: float) -> bool:
    """Tell whether the model's connection and the decoder are closed in time."""
    for _ in range(round(seconds / 0.05)):
        if server.gone == 1 and decoding() <= before:
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("how", ["aclosing", "break", "cancel"])
async def test_leaving_early_ends_the_run(clip, how):
    before = decoding()
    with ScriptedServer(usual(plan=slowly("It " + "is " * 3000))) as server:

        async def listen() -> None:
            events = opened(server, clip("h264").path)
            async with contextlib.aclosing(events) if how != "break" else contextlib.nullcontext():
                async for event in events:
                    if event.kind == "thought":
                        assert decoding() - before
                        if how == "cancel":
                            asyncio.current_task().cancel()
                        else:
                            break

        if how == "cancel":
            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(listen())
        else:
            await listen()
        assert await gone_within(server, before, 3)
        assert server.steps[-1] == "plan"


async def test_leaving_while_frames_are_decoded(clip):
    before = decoding()
    with ScriptedServer(usual()) as server:
        async with contextlib.aclosing(opened(server, clip("h264").path)) as events:
            async for event in events:
                if event.kind == "step":
                    break
        assert decoding() <= before
        assert server.bodies == []


async def kept(run, events: list[Any]) -> None:
    """Keep the events of a run, also those before an error."""
    async for event in run:
        events.append(event)  # noqa: PERF401 - a comprehension would lose those before an error


async def test_errors_come_after_the_events_before_them(clip, tmp_path):
    events = []
    with ScriptedServer(usual(verify=lambda body: refusal(500, "the engine died"))) as server:
        run = opened(server, clip("h264").path)
        with pytest.raises(ModelError, match="the engine died"):
            await kept(run, events)
        assert [event.kind for event in events][-2:] == ["claim", "claim"]
        with pytest.raises(VideoError):
            await anext(opened(server, tmp_path / "absent.mp4"))
