import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from langchain_core.messages import HumanMessage

from tests.media.code import Code, draw_code
from vidagent.agents.client.media import place
from vidagent.agents.engines import base
from vidagent.agents.engines.base import ChatEngine, Completion, EngineCounter, _message
from vidagent.agents.engines.loading import Weights, engine, fitted
from vidagent.agents.engines.media import media_of, placeholders
from vidagent.agents.profiles import loader
from vidagent.agents.profiles.schema import Media
from vidagent.agents.prompting.messages import frames_content
from vidagent.agents.server.model_choice import choose
from vidagent.config import load
from vidagent.errors import ModelError, UsageError
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame

TOOL = {"type": "function", "function": {"name": "clip", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("name", ["vllm", "transformers"])
def test_an_engine_needs_a_model_and_no_server(name):
    with pytest.raises(UsageError, match=f"engine {name} needs a model"):
        choose(load(engine=name))
    with pytest.raises(UsageError, match="give it no base URL"):
        choose(load(engine=name, model="./tiny", base_url="http://127.0.0.1:1/v1"))


@pytest.mark.parametrize(("name", "package"), [("vllm", "vllm"), ("transformers", "torch")])
def test_a_missing_package_names_its_extra(name, package):
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed here, so that nothing is missing")
    with pytest.raises(UsageError, match=rf"package {package}: pip install 'vidagent\[{name}\]'"):
        choose(load(engine=name, model="./tiny"))


def test_settings_say_how_the_weights_are_held(monkeypatch):
    monkeypatch.setenv("VIDAGENT_ENGINE_DTYPE", "float16")
    monkeypatch.setenv("VIDAGENT_ENGINE_QUANTIZATION", "4bit")
    profile = loader.load("qwen3-vl")
    arguments = engine("vllm", "./tiny", profile, Weights.of(load())).arguments
    assert (arguments["dtype"], arguments["quantization"]) == ("float16", "bitsandbytes")
    monkeypatch.setenv("VIDAGENT_ENGINE_ATTENTION", "sdpa")
    held = Weights.of(load())
    chat = engine("transformers", "./tiny", profile, held)
    assert (chat.dtype, chat.four_bit, chat.attention) == ("float16", True, "sdpa")
    assert engine("transformers", "./tiny", profile, held) is chat
    assert engine("transformers", "./tiny", profile).dtype == "auto"
    with pytest.raises(UsageError, match="engine vllm chooses its attention itself"):
        choose(load(engine="vllm", model="./tiny"))


@pytest.mark.parametrize("name", ["dtype", "quantization", "attention"])
def test_a_bad_setting_of_the_weights_says_what_is_legal(name, monkeypatch):
    monkeypatch.setenv(f"VIDAGENT_ENGINE_{name.upper()}", "much")
    with pytest.raises(UsageError, match=rf"VIDAGENT_ENGINE_{name.upper()}.*input should be '.*got 'much'"):
        load()


@pytest.mark.parametrize(
    ("settings", "missing", "words"),
    [
        ({"engine_quantization": "4bit"}, "bitsandbytes", r"pip install 'vidagent\[quantized\]'"),
        ({"engine_attention": "flash_attention_2"}, "flash_attn", "pip install 'flash-attn'"),
        ({"engine_quantization": "4bit"}, None, "4-bit weights: this needs a GPU with CUDA"),
        ({"engine_attention": "flash_attention_2"}, None, "flash_attention_2: this needs a GPU with CUDA"),
    ],
)
def test_what_the_weights_lack_is_named(monkeypatch, settings, missing, words):
    torch = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False))
    names = ("AutoModelForImageTextToText", "AutoProcessor", "BitsAndBytesConfig")
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(**dict.fromkeys(names)))
    monkeypatch.setattr(base, "find_spec", lambda name: None if name == missing else name)
    with pytest.raises(UsageError, match=words):
        choose(load(engine="transformers", model="./tiny", **settings))


def test_a_gpu_that_is_too_small_is_one_line(monkeypatch):
    def full(*_, **__):
        raise RuntimeError("CUDA out of memory.\nTried to allocate 12.8 GiB")

    torch = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True), bfloat16=None, float16=None)
    loaded = SimpleNamespace(from_pretrained=lambda *_, **__: SimpleNamespace(to=full))
    names = ("AutoModelForImageTextToText", "AutoProcessor")
    library = SimpleNamespace(**dict.fromkeys(names, loaded), BitsAndBytesConfig=None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "transformers", library)
    monkeypatch.setattr(base, "find_spec", lambda name: name)
    with pytest.raises(
        ModelError, match=r"cannot be loaded: CUDA out of memory. Tried to allocate 12.8 GiB$"
    ):
        choose(load(engine="transformers", model="./too-large"))


def test_pictures_are_arrays_and_marks():
    shown = ShownFrame.of(0.5, jpeg.encode(draw_code(Code(1, 500))))
    video = (np.zeros((2, 4, 4, 3), np.uint8), {"fps": 1.0})
    [sent] = place([HumanMessage(frames_content([shown]))], Media(), "look").messages
    messages = [{"role": "user", "content": [*sent.content, {"type": "video", "video": video}]}]
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


def test_listed_pictures_are_a_video_with_the_times_of_the_request():
    shown = [ShownFrame.of(t, jpeg.encode(draw_code(Code(1, 500)))) for t in (0.5, 2.0)]
    made = place(
        [HumanMessage([*frames_content(shown)])], Media(forms={"look": "frames"}, per_request=True), "look"
    )
    [(frames, about)] = media_of(
        [{"role": "user", "content": made.messages[0].content}], made.body["media_io_kwargs"]["video"]
    )[1]
    assert frames.shape == (2, *draw_code(Code(1, 500)).shape)
    assert [index / about["fps"] for index in about["frames_indices"]] == [0.5, 2.0]


def test_a_models_profile_says_what_the_engine_is_started_with():
    arguments = engine("vllm", "./tiny", loader.load("qwen3-vl")).arguments
    assert arguments["max_model_len"] == -1  # as many as fit, as for `vlm serve`
    assert arguments["limit_mm_per_prompt"] == {"image": 128, "video": 4}
    assert not {"tool_call_parser", "trust_request_mm_kwargs"} & set(arguments)


def test_a_model_that_shows_frames_as_a_video_does_so_in_process():
    profile = fitted(loader.load("llava-next-video-7b"), "transformers")
    assert set(profile.media.forms.values()) == {"frames"}
    assert profile.tool_calls == "schema"
    assert fitted(loader.load("qwen3-vl"), "transformers").tool_calls == "native"


class Words(ChatEngine):
    """A tokenizer whose tokens are letters; a model that says nothing."""

    @property
    def _llm_type(self):
        return "words"

    def _load(self):
        return self

    def _tokenizer(self):
        return self

    def encode(self, text, *, add_special_tokens):
        return [ord(letter) for letter in text]

    def decode(self, tokens):
        return "".join(map(chr, tokens))

    def _complete(self, prompts, options):
        return [Completion("", 1, 0, "stop") for _ in prompts]


async def test_thoughts_are_counted_and_cut_by_the_engines_tokenizer():
    counter = EngineCounter(Words(model_name="words"))
    assert await counter.tokenize("a thought") == 9
    assert await counter.shorten("a thought", 3) == "a t"
