"""Labels of a model's family beside exact times: what is sent, and what comes back."""

import json

import pytest

from tests.agents.client.test_client import Gate, client_of
from tests.scripted_server import ScriptedServer, says, texts
from vidagent.agents.client.time_labels import with_time_labels
from vidagent.agents.prompting.messages import look_messages
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


@pytest.mark.parametrize(
    ("form", "times_s"),
    [
        ("<12.3 seconds>", (12.0, 12.04)),  # the second would be called 12.0
        ("<12.3 seconds>", (12.01, 12.04)),
        ("00:12", (12.1, 12.9)),
        ("Frame 1 sampled at 12.30 seconds:", (0.001, 0.003)),
    ],
)
def test_labels_that_cannot_be_told_apart_are_left_out(form, times_s):
    messages = look(*times_s)
    assert with_time_labels(messages, form) == (messages, {})


def test_no_label_without_a_form():
    messages = look(1.0, 2.0)
    assert with_time_labels(messages, None) == (messages, {})
