"""Boxes in the form of a model's family: what is asked for, and what is read."""

import json

import pytest

from tests.agents.client.test_client import Gate, client_of
from tests.scripted_server import ScriptedServer, says, texts
from vidagent.agents.profiles import loader
from vidagent.agents.prompting.messages import look_messages, verify_messages
from vidagent.agents.prompting.replies import Judgement, Observation
from vidagent.images.shown_frame import ShownFrame

FORMS = [
    ("x_first", "[left, top, right, bottom], each from 0 to 1000", [250, 500, 500, 1000]),
    ("y_first", "[top, left, bottom, right], each from 0 to 1000", [500, 250, 1000, 500]),
    ("fraction", "[left, top, right, bottom], each from 0 to 1,", [0.25, 0.5, 0.5, 1]),
    ("pixels", "[left, top, right, bottom], in pixels of that picture", [320, 360, 640, 720]),
    ("point", "its middle as [x, y], each from 0 to 1000", [375, 750]),
]
BOX = (250, 500, 500, 1000)
AROUND = (350, 725, 400, 775)
"""A point has no size, and a box of 5% around it."""


def frames():
    sizes = {1.0: (64, 48), 2.0: (1280, 720)}
    return [ShownFrame.of(time_s, b"\xff\xd8a", size_wh=size) for time_s, size in sizes.items()]


def look():
    return look_messages("Where?", None, "the ball", frames())


async def seen_as(form, box, **seen):
    """Return the box that is read where a model of this form writes `box`, and what it was asked."""
    reply = {"found": True, "what": "A ball.", "sightings": [{"time_s": 2, "text": None, "box": box}]}
    with ScriptedServer([says(json.dumps(reply | {"confidence": 1} | seen))]) as server:
        found = await client_of(server, boxes=form).ask("look", look(), Observation, Gate())
    return found.sightings[0].box, server.bodies[0]


@pytest.mark.network
@pytest.mark.parametrize(("form", "asked", "written"), FORMS)
async def test_a_box_is_asked_for_and_read_in_the_form_of_the_family(form, asked, written):
    box, body = await seen_as(form, written)
    assert box == pytest.approx(AROUND if form == "point" else BOX)
    assert texts(body).count(asked) == 1
    assert [other for other, words, _ in FORMS if words in texts(body)] == [form]
    sighting = body["response_format"]["json_schema"]["schema"]["$defs"]["Sighting"]["properties"]["box"]
    assert asked in sighting["description"]
    assert sighting["anyOf"][0]["minItems"] == len(written)


@pytest.mark.network
@pytest.mark.parametrize("form", [form for form, _, _ in FORMS])
async def test_fractions_are_read_under_any_form_and_nonsense_under_none(form):
    fractions = [0.5, 0.25, 1, 0.5] if form == "y_first" else [0.25, 0.5, 0.5, 1]
    assert (await seen_as(form, fractions))[0] == pytest.approx(BOX)
    for nonsense in (None, [1], [5, 5, 5, 5], "somewhere", [1, 2, 3], ["a", 1, 2, 3]):
        assert (await seen_as(form, nonsense))[0] is None


@pytest.mark.network
async def test_a_reply_that_was_cut_has_its_boxes_read_too():
    long = "word " * 800
    reply = {
        "found": True,
        "what": f"A ball. {long}",
        "sightings": [{"time_s": 2, "box": [500, 250, 1000, 500]}],
    }
    cut = says(json.dumps(reply | {"what": reply["what"][:4000], "confidence": 1}))
    with ScriptedServer([cut, cut]) as server:
        client = client_of(server, boxes="y_first", time_label="12.3")
        found = await client.ask("look", look(), Observation, Gate())
    assert (found.what, found.sightings[0].box) == ("A ball.", BOX)


@pytest.mark.network
async def test_a_check_begins_like_a_look():
    """The system prompt of both is one text, so that a server computes it once."""
    judged = json.dumps({"why": "So.", "verdict": "supported", "confidence": 1})
    with ScriptedServer([says(judged)]) as server:
        client = client_of(server, boxes="y_first")
        await client.ask("verify", verify_messages("Where?", "there", frames()), Judgement, Gate())
    _, body = await seen_as("y_first", None)
    assert server.bodies[0]["messages"][0] == body["messages"][0]


def test_each_form_belongs_to_a_family():
    used = {loader.load(name).boxes for name in loader.names()}
    assert used == {form for form, _, _ in FORMS}
