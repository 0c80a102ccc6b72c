from importlib.util import find_spec

import numpy as np
import pytest
from langchain_core.messages import HumanMessage

from tests.media.code import Code, draw_code
from vidagent.agents.choice import choose, describe
from vidagent.agents.engines.base import Completion, _message
from vidagent.agents.engines.media import media_of, placeholders
from vidagent.agents.messages import ShownFrame, frames_content
from vidagent.config import load
from vidagent.errors import UsageError
from vidagent.images import jpeg

TOOL = {"type": "function", "function": {"name": "clip", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_an_engine_needs_a_model_and_no_server(engine):
    with pytest.raises(UsageError, match=f"engine {engine} needs a model"):
        choose(load(engine=engine))
    with pytest.raises(UsageError, match="give it no base URL"):
        choose(load(engine=engine, model="./tiny", base_url="http://127.0.0.1:1/v1"))
    assert "in this process" in describe(choose(load(engine=engine, model="./tiny")))


@pytest.mark.parametrize(("engine", "package"), [("vllm", "vllm"), ("transformers", "torch")])
def test_a_missing_package_names_its_extra(engine, package):
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed here, so that nothing is missing")
    chat = choose(load(engine=engine, model="./tiny"))._chat
    with pytest.raises(UsageError, match=rf"package {package}: pip install 'vidagent\[{engine}\]'"):
        chat.invoke([HumanMessage("What is it?")])


def test_pictures_are_arrays_and_marks():
    shown = ShownFrame(0.5, jpeg.encode(draw_code(Code(1, 500))))
    video = (np.zeros((2, 4, 4, 3), np.uint8), {"fps": 1.0})
    messages = [{"role": "user", "content": [*frames_content([shown]), {"type": "video", "video": video}]}]
    images, videos = media_of(messages)
    assert images[0].shape == draw_code(Code(1, 500)).shape
    assert videos == [video]
    assert [part["type"] for part in placeholders(messages)[0]["content"]] == ["text", "image", "video"]


def test_thoughts_and_calls_are_read_from_the_text():
    text = '<think>look</think><tool_call>{"name": "clip", "arguments": {"start_s": 1}}</tool_call>'
    message = _message(Completion(text, 3, 4, "stop"), [TOOL])
    assert message.additional_kwargs["reasoning_content"] == "look"
    assert message.tool_calls[0]["args"] == {"start_s": 1}
    assert message.usage_metadata["total_tokens"] == 7
