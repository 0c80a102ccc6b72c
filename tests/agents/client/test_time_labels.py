"""Labels of a model's family beside exact times: what is sent, and what comes back."""

import json

import pytest

from tests.agents.client.test_client import TOOLS, Gate, client_of
from tests.scripted_server import ScriptedServer, calls, says, texts
from vidagent.agents.client.time_labels import with_time_labels
from vidagent.agents.prompting.messages import look_messages, plan_messages
from vidagent.agents.prompting.replies import Observation
from vidagent.images.shown_frame import ShownFrame

LABELS = [
    ("<12.3 seconds>", "t = 12.480 s <12.5 seconds>", "12.5"),
    ("12.3 seconds", "t = 12.480 s 12.5 seconds", "12.5 seconds"),
    ("12.3", "t = 12.480 s 12.5", 12.5),
    ("00:12", "t = 12.480 s 00:12", "00:12"),
    ("Frame 1 sampled at 12.30 seconds:", "t = 12.480 s Frame 2 sampled at 12.48 seconds:", 12.48),
]


def look(*times_s):
    frames = [ShownFrame.of(time_s, b"\xff\xd8a", size_wh=(64, 48)) for time_s in times_s]
    return look_messages("When?", None, "the ball", frames)


@pytest.mark.network
@pytest.mark.parametrize(("form", "sent", "copied"), LABELS)
async def test_a_time_copied_from_either_label_is_the_exact_one(form, sent, copied):
    for written in (copied, 12.48, "t = 12.480 s", sent, sent.removeprefix("t = 12.480 s ")):
        seen = {"found": True, "what": "a ball", "sightings": [{"time_s": written}], "confidence": 1}
        with ScriptedServer([says(json.dumps(seen))]) as server:
            client = client_of(server, time_label=form)
            found = await client.ask("look", look(10.0, 12.48, 14.96), Observation, Gate())
        assert sent in texts(server.bodies[0]).splitlines()
        assert [sighting.time_s for sighting in found.sightings] == [12.48]


@pytest.mark.network
@pytest.mark.parametrize(
    ("form", "times_s", "sent"),
    [
        ("<12.3 seconds>", (12.0, 12.04), "t = 12.040 s <12.040 seconds>"),  # it would be called 12.0
        ("<12.3 seconds>", (12.01, 12.04), "t = 12.040 s <12.040 seconds>"),
        ("12.3 seconds", (12.01, 12.04), "t = 12.040 s 12.040 seconds"),
        ("12.3", (12.01, 12.04), "t = 12.040 s 12.040"),
        ("00:12", (12.1, 12.9), "t = 12.900 s 00:12.900"),
        ("00:12", (72.1, 72.9), "t = 72.900 s 01:12.900"),
        (
            "Frame 1 sampled at 12.30 seconds:",
            (0.001, 0.003),
            "t = 0.003 s Frame 2 sampled at 0.003 seconds:",
        ),
    ],
)
async def test_labels_that_cannot_be_told_apart_are_exact(form, times_s, sent):
    for written in (sent, sent.partition(" s ")[2]):
        seen = {"found": True, "what": "a ball", "sightings": [{"time_s": written}], "confidence": 1}
        with ScriptedServer([says(json.dumps(seen))]) as server:
            found = await client_of(server, time_label=form).ask("look", look(*times_s), Observation, Gate())
        assert sent in texts(server.bodies[0]).splitlines()
        assert [sighting.time_s for sighting in found.sightings] == [times_s[1]]


@pytest.mark.network
async def test_the_planner_has_exact_labels_as_its_calls_hold_other_times_too():
    frames = [ShownFrame.of(time_s, b"\xff\xd8a", size_wh=(64, 48)) for time_s in (2.0, 12.48)]
    messages = plan_messages("When?", None, "60 s", frames, "", 1, 8, [])
    with ScriptedServer([calls(("clip", {"start_s": 12.5, "question": "?"}))]) as server:
        planned = await client_of(server, time_label="<12.3 seconds>").plan(messages, TOOLS, Gate())
    assert "t = 12.480 s <12.480 seconds>" in texts(server.bodies[0]).splitlines()
    assert planned.tool_calls[0]["args"]["start_s"] == 12.5


def test_no_label_without_a_form():
    messages = look(1.0, 2.0)
    assert with_time_labels(messages, None) == (messages, {})
