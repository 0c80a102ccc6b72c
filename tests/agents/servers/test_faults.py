"""Faults of a model server: each ends in a usable reply or a typed error, in time, and blocks nothing else.

`python -m benchmarks.fault_matrix` plays each of them at the first to the sixth request of a run.
"""

import asyncio
import copy
import json
import time

import pytest

import vidagent
from tests.agents.client.test_client import LOOK, PLAN, TOOLS, Gate
from tests.fault_server import (
    FAULTS,
    LOOKS,
    QUESTION,
    REFUSED,
    SHOWN_S,
    Faulty,
    Honest,
    Watch,
    is_clean,
    observation,
)
from tests.scripted_server import Raw, ScriptedServer, calls, refusal, says
from vidagent.agents.client.chat_model import connect
from vidagent.agents.client.client import ModelClient
from vidagent.agents.profiles.loader import load
from vidagent.agents.prompting.replies import Observation
from vidagent.agents.server import connection
from vidagent.agents.server.connection import retry_after_s
from vidagent.agents.server.endpoint import Endpoint
from vidagent.errors import BudgetSpent, ModelError

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore:Pydantic serializer"),  # LangChain's, about what is mended afterwards
]

KEY = "sk-secret"
LIMIT_S = 2.0
HANGING = {"stalled", "a byte a second"}
REPLIES = {"look": says(json.dumps(observation([2.0]))), "plan": calls(*LOOKS)}
BLOCK_S = 0.1
HEAVY = [
    "deep body",
    "deep text",
    "deep arguments",
    "deep JSON in the text",
    "two million lists",
    "open tags",
    "open marks",
    "brackets",
    "Python's lists",
    "commas",
    "quotes",
    "text of 5 MB",
    "thought of 3 MB",
    "20,000 sightings",
]
DEADLINE_S = 60.0


@pytest.fixture
def _no_waiting(monkeypatch):
    for wait in "_FIRST_WAIT_S", "_LONGEST_WAIT_S":
        monkeypatch.setattr(connection, wait, 0.001)


async def ask(server, kind, *, streamed=False, limit_s=DEADLINE_S):
    """Ask once for an observation or a planner's turn; return the reply, or the error."""
    client = ModelClient(connect(server.url, "scripted", api_key=KEY), load("default"))
    listen = (lambda kind, words: None) if streamed else None
    gate = Gate(timeout_s=limit_s)
    if kind == "plan":
        return await ended(client.plan(PLAN, TOOLS, gate, on_stream=listen))
    return await ended(client.ask("look", LOOK, Observation, gate, on_stream=listen))


async def ended(asking):
    """Return the result, or the typed error."""
    try:
        return await asking
    except (ModelError, BudgetSpent) as error:
        return error


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize(("place", "name"), list(enumerate(FAULTS)))
async def test_a_fault_ends_usable_or_typed(place, name):
    kind, streamed = ("look", "plan")[place % 2], place // 2 % 2 == 1
    faulty = Faulty(lambda body: copy.deepcopy(REPLIES[kind]), name, 1, lasts=True)
    with ScriptedServer([says("elsewhere")]) as other, ScriptedServer(faulty) as server:
        faulty.other_url = other.url
        limit_s = LIMIT_S if name in HANGING else DEADLINE_S
        end = await ask(server, kind, streamed=streamed, limit_s=limit_s)
        assert not other.bodies
        assert not other.asked
    assert faulty.played > 0
    if isinstance(end, Exception):
        assert is_clean(str(end))
        assert KEY not in str(end)


@pytest.mark.parametrize("name", HEAVY)
async def test_no_reply_blocks_the_event_loop(name):
    replies = {kind: FAULTS[name]({"messages": []}, copy.deepcopy(reply)) for kind, reply in REPLIES.items()}
    watch = Watch()
    for kind, reply in replies.items():
        with ScriptedServer([reply if isinstance(reply, Raw) else Raw(json.dumps(reply))]) as server, watch:
            await ask(server, kind)
            await asyncio.sleep(0.01)
    assert watch.longest_s < BLOCK_S


async def test_many_sightings_are_cut_and_a_string_in_a_string_is_read():
    with ScriptedServer([FAULTS["20,000 sightings"]({"messages": []}, {})]) as server:
        seen = await ask(server, "look")
    assert seen.found is True
    assert 0 < len(seen.sightings) < 1000
    for kind, reply in REPLIES.items():
        with ScriptedServer([FAULTS["string in string"]({}, copy.deepcopy(reply))]) as server:
            end = await ask(server, kind)
        if kind == "look":
            assert (end.what, len(end.sightings)) == ("a red bar", 1)
        else:
            assert [call["args"] for call in end.tool_calls] == [args for _, args in LOOKS]


async def test_a_long_thought_is_streamed_piece_by_piece_and_whole():
    words = [f"word{number} " for number in range(3000)]
    pieces = []
    with ScriptedServer([{**says(json.dumps(observation([2.0])), reasoning="".join(words))}]) as server:
        client = ModelClient(connect(server.url, "scripted"), load("default"))
        await client.ask(
            "look",
            LOOK,
            Observation,
            Gate(),
            on_stream=lambda kind, text: pieces.append(text) if kind == "thought" else None,
        )
    assert "".join(pieces) == "".join(words)
    assert pieces[:400] == words[:400]
    assert len(pieces) < 2000


@pytest.mark.parametrize(
    ("said", "low", "high"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        ("nan", 0, 0),
        ("inf", 0, 0),
        ("-5", 0, 0),
        ("soon", 0, 0),
        ("", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Fri, 31 Dec 2100 23:59:59 GMT", 1e6, 1e10),
        ("Fri, 31 Dec 9999999999 23:59:59 GMT", 0, 0),
    ],
)
def test_a_wait_is_a_number_of_seconds_or_a_date(said, low, high):
    assert low <= retry_after_s({"retry-after": said}) <= high


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_named_and_not_followed(status):
    with ScriptedServer([says("elsewhere")]) as other:
        moved = Raw(status=status, headers={"location": f"{other.url}/chat/completions?key=1"})
        with ScriptedServer([moved], routes={"/v1/models": moved, "/version": moved}) as server:
            chat = await ask(server, "look")
            endpoint = Endpoint(server.url, KEY)
            with pytest.raises(ModelError) as listed:
                await endpoint.models()
            assert await endpoint.version() is None
        assert (other.bodies, other.asked) == ([], [])
    for error in (chat, listed.value):
        assert f"redirects to {other.url} ({status}); this is not followed" in str(error)


async def test_a_wait_ends_with_the_time_of_the_run(clip):
    began = time.monotonic()
    with ScriptedServer([refusal(429, "slow down", retry_after="20")]) as server:
        found = await vidagent.aanalyze_video(
            clip("h264").path,
            QUESTION,
            base_url=server.url,
            model="scripted",
            budget=vidagent.Budget(seconds=3),
        )
    assert (found.status, found.budget.ended_by) == ("partial", "seconds")
    assert time.monotonic() - began < 3 + 10  # a busy machine takes its time to begin and to end


CELLS = [
    ("choices null", 1, False),
    ("dropped in the body", 2, True),
    ("ranges reversed", 2, False),
    ("times outside", 3, False),
    ("boxes outside", 4, False),
    ("20,000 sightings", 3, True),
    ("times of NaN", 5, False),
    ("escapes in a 400", 6, False),
    (REFUSED, 3, False),
]
FATAL = {"escapes in a 400", REFUSED}
"""Faults that end a run; it recovers from the others."""


@pytest.mark.usefixtures("few_frames")
@pytest.mark.parametrize(("name", "at", "streamed"), CELLS)
async def test_a_run_with_a_fault_claims_nothing_that_is_not_so(name, at, streamed, clip):
    faulty = Faulty(Honest(), name, at)
    with ScriptedServer(faulty) as server:
        faulty.begin(server)
        found = await ended(
            vidagent.aanalyze_video(
                clip("h264").path,
                QUESTION,
                base_url=server.url,
                model="scripted",
                api_key=KEY,
                stream=streamed,
                on_event=lambda event: None,
                budget=vidagent.Budget(seconds=DEADLINE_S),
            )
        )
    assert faulty.played == 1
    if isinstance(found, Exception):
        assert is_clean(str(found))
        assert KEY not in str(found)
        assert name in FATAL
        return
    assert found.status == "answered"
    assert name not in FATAL
    low, high = SHOWN_S
    assert all(low <= item.time_s < high for item in found.evidence if item.verdict == "supported")
    assert all(low - 0.5 <= span.start_s <= span.end_s <= high + 0.5 for span in found.spans)
    for left, top, right, bottom in (item.box_px for item in found.evidence if item.box_px):
        assert 0 <= left < right <= 320
        assert 0 <= top < bottom <= 180
