import asyncio
import json
import threading

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from tests.agents.signals.vision.test_observer import plain, written
from vidagent.agents.client.media import place
from vidagent.agents.profiles.schema import Media
from vidagent.agents.prompting.messages import (
    ClaimToCheck,
    frames_content,
    look_messages,
    plan_messages,
    verify_many_messages,
    verify_messages,
)
from vidagent.agents.signals import model as signals
from vidagent.agents.signals.language import wording
from vidagent.agents.signals.model import ChatSignals, _noted
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame

FACTS = "duration 60.000 s (1:00.000)\n1280x720, 25.000 frames a second, h264"
TOOLS = ["overview", "search", "clip", "resample", "crop", "answer"]
QUESTION = 'When is the text "GATE 72" shown?'


@pytest.fixture(scope="module")
def chat():
    return ChatSignals()


def frame(time_s, rgb):
    return ShownFrame.of(time_s, jpeg.encode(rgb))


def sent(messages):
    """Return messages as a server without a profile gets them."""
    return place(messages, Media(), "look").messages


def planned(chat, question=QUESTION, history=(), options=None, tools=TOOLS):
    messages = plan_messages(question, options, FACTS, (), "", 1, None, history)
    return chat.bind(tool_names=tools).invoke(messages).tool_calls


def read(message):
    return json.loads(message.content)


def test_it_plans_with_the_tools_it_is_offered(chat):
    (call,) = planned(chat)
    assert call["name"] == "search"
    assert call["args"]["query"].startswith("Texts on screen: ")


def test_it_reads_what_came_back(chat):
    told = {"id": "L1", "tool": "overview", "start_s": 0.0, "end_s": 60.0, "frame_times_s": [0.0, 30.0]}
    calls = [{"name": "overview", "args": {"question": wording.is_shown("GATE 72")}, "id": "call_0_0"}]
    history = [AIMessage("", tool_calls=calls), ToolMessage(json.dumps(told), tool_call_id="call_0_0")]
    (call,) = planned(chat, history=history)
    assert (call["name"], call["args"]["page"], call["id"]) == ("search", 1, "call_1_0")


def test_it_answers_when_it_has_to(chat):
    (call,) = planned(chat, tools=["answer"])
    assert (call["name"], call["args"]["found"]) == ("answer", "cannot_judge")


def test_binding_tools_takes_their_names():
    tools = [
        {"type": "function", "function": {"name": name, "description": "", "parameters": {}}}
        for name in TOOLS
    ]
    assert ChatSignals().bind_tools(tools).kwargs == {"tool_names": TOOLS}
    assert ChatSignals().bind_tools(tools, tool_choice="answer").kwargs == {"tool_names": ["answer"]}
    assert ChatSignals().bind_tools(tools, tool_choice="any").kwargs == {"tool_names": TOOLS}


def test_it_sees_the_pictures_in_the_message_with_the_times_beside_them(chat):
    shown = [frame(1.25, plain()), frame(7.5, written("GATE 72"))]
    seen = read(chat.invoke(sent(look_messages(QUESTION, None, wording.is_shown("GATE 72"), shown))))
    assert (seen["found"], [s["time_s"] for s in seen["sightings"]]) == (True, [7.5])


def test_it_answers_the_sub_question_and_not_the_question(chat):
    shown = [frame(1.0, written("BERTH 14"))]
    seen = read(chat.invoke(sent(look_messages(QUESTION, None, wording.ANY_TEXT, shown))))
    assert [s["text"] for s in seen["sightings"]] == ["BERTH 14"]


def test_a_picture_without_its_label_is_not_seen(chat):
    (human,) = [m for m in look_messages(QUESTION, None, wording.ANY_TEXT, ()) if isinstance(m, HumanMessage)]
    human.content.append(frames_content([frame(1.0, written("BERTH 14"))])[1])
    assert read(chat.invoke(sent([human])))["found"] is False


def test_it_judges_a_claim(chat):
    for text, verdict in (("GATE 72", "supported"), ("BERTH 14", "unsupported")):
        messages = verify_messages(QUESTION, wording.claim_text("GATE 72", 2.0), [frame(2.0, written(text))])
        assert read(chat.invoke(sent(messages)))["verdict"] == verdict


def test_it_judges_several_claims_in_one_request(chat):
    claims = [ClaimToCheck(wording.claim_text(text, 2.0), 2.0, 2.0) for text in ("GATE 72", "BERTH 14")]
    messages = verify_many_messages(QUESTION, claims, [frame(2.0, written("BERTH 14"))])
    told = read(chat.invoke(sent(messages)))["verdicts"]
    assert [(one["claim"], one["verdict"]) for one in told] == [(1, "unsupported"), (2, "supported")]


def test_other_messages_are_told_what_it_is_for(chat):
    assert "vidagent ask" in chat.invoke([HumanMessage("hello")]).content


def test_a_reply_that_nobody_waits_for_any_more_ends(chat, monkeypatch):
    begun, stopped = threading.Event(), threading.Event()

    class Slow(signals.Looker):
        def observe(self, question, pictures):
            begun.set()
            if self.stop.wait(10):
                stopped.set()
            return super().observe(question, pictures[:0])

    monkeypatch.setattr(signals, "Looker", Slow)

    async def give_up():
        task = asyncio.create_task(chat.ainvoke(look_messages("?", None, wording.ANY_TEXT, ())))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert stopped.wait(10)


def test_a_broken_picture_is_an_error_and_not_an_empty_one(chat):
    broken = ShownFrame.of(1.0, jpeg.encode(np.zeros((8, 8, 3), np.uint8))[:40], size_wh=(8, 8))
    with pytest.raises(ValueError, match=r"\w"):
        chat.invoke(sent(look_messages(QUESTION, None, wording.ANY_TEXT, [broken])))


NOTES = """file 3.000-4.000 s: shot 3
file 9.000-12.000 s: shot 7
on screen 1.000-2.000 s, box 1,2,3,4, sure 1.00: 20:00
spoken 5.000-6.000 s: Good morning"""


@pytest.mark.parametrize(
    ("claim", "stands"),
    [
        ("Shots 3 to 7.", True),
        ("Shots 3 to 8.", False),
        ("Shot 3.", True),
        ("Shot 4.", False),
        ('"20:00" is on screen.', True),
        ('"20:00" is said.', False),
        ('"Good morning" is said.', True),
        ('"morning" is said.', True),
        ('"morn" is said.', False),
    ],
)
def test_a_sentence_of_a_summary_stands_if_a_line_says_it(claim, stands):
    judged = _noted(claim, NOTES, [])
    assert (judged is not None and judged.verdict == "supported") is stands
