"""The embedded model sorts questions by rules."""

import json

import pytest

from vidagent.agents.prompting.messages import read_step, route_messages
from vidagent.agents.signals.classifier import sort
from vidagent.agents.signals.model import ChatSignals


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ('When is the text "GATE 72" shown?', "locate"),
        ("Where is the QR code?", "locate"),
        ("How many shots are there?", "count"),
        ('How often is "EXIT" shown?', "count"),
        ("List every text with its time.", "count"),
        ("How long is the screen red?", "how_long"),
        ("How many seconds does the picture stay still?", "how_long"),
        ("What does the sign say at 0:42?", "at_time"),
        ("Which words are written?", "read"),
        ('Is the word "SALE" shown?', "whether"),
        ("What happens after the door closes?", "order"),
        ('What text is shown before "END" appears?', "order"),
        ("What does the speaker talk about?", "speech"),
        ("What is this video about?", "whole"),
    ],
)
def test_kinds(question, kind):
    assert sort(question, None).kind == kind


def test_options_count_where_nothing_else_fits():
    assert sort("Which of these fits best?", ["a", "b"]).kind == "choice"
    assert sort("How many shots are there?", ["3", "4"]).kind == "count"


@pytest.mark.parametrize(
    ("question", "range_s"),
    [
        ("How many shots are there between 10 s and 0:30?", (10, 30)),
        ("What is written at 1:05?", (65, 65)),
        ("How many shots are there after 20 s?", (20, None)),
        ("How many shots are there?", (None, None)),
    ],
)
def test_ranges(question, range_s):
    route = sort(question, None)
    assert (route.start_s, route.end_s) == range_s


def test_the_event_of_an_order():
    route = sort('What text is shown right before "END" appears?', None)
    assert (route.kind, route.side, route.anchor) == ("order", "before", "quoted appears")
    assert sort("How many cuts come after 20 s?", None).anchor is None


def test_the_model_answers_the_step():
    messages = route_messages("How many shots are there?", None, "duration 60.000 s")
    assert read_step(messages) == "route"
    told = json.loads(ChatSignals().invoke(messages).text)
    assert (told["kind"], told["question"]) == ("count", "How many shots are there?")
