"""LLaVA-NeXT-Video on real vLLM: its frames have no times, so we write them; it has no parsers, so we bind it."""

from __future__ import annotations

import pytest

from tests.live.gate import Gate
from tests.media.code import Code, draw_code
from vidagent.agents.client.chat_model import connect
from vidagent.agents.client.client import ModelClient
from vidagent.agents.client.media import place
from vidagent.agents.profiles.loader import load
from vidagent.agents.prompting.messages import look_messages
from vidagent.agents.prompting.replies import Observation
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame

pytestmark = [pytest.mark.vllm, pytest.mark.network]

FRAME_TOKENS = (224 // 14 // 2) ** 2
FRAMES = [ShownFrame.of(t / 2, jpeg.encode(draw_code(Code(t, 500 * t)))) for t in range(8)]
LOOK = look_messages("When?", None, "the red bar", FRAMES)
PROFILE = load("llava-next-video-7b")


def test_the_times_of_its_frames_are_ours(llava_server):
    made = place(LOOK, PROFILE.media, "look")
    messages = connect(llava_server.url, llava_server.model)._get_request_payload(made.messages)[
        "extra_body"
    ]["messages"]
    prompt = llava_server.prompt(messages, **made.body)
    assert prompt.count("<video>") == FRAME_TOKENS * len(FRAMES)
    assert "in order, in seconds: 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5" in prompt
    assert "sampled at" not in prompt
    assert "seconds>" not in prompt


async def test_its_look_is_typed(llava_server):
    client, gate = ModelClient(connect(llava_server.url, llava_server.model), PROFILE), Gate()
    assert isinstance(await client.ask("look", LOOK, Observation, gate), Observation)
    assert gate.spent[-1].prompt_tokens > FRAME_TOKENS * len(FRAMES)
