"""What errors and replies say about a server, in the words of real ones."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from vidagent.agents.client.corrections import from_error, from_reply, is_lost_in_thought
from vidagent.agents.client.request_builder import Request
from vidagent.agents.profiles.loader import load
from vidagent.agents.profiles.thinking_switch import ALL_OFF
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.facts import ServerFacts, applied

PROFILE = load("default")
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,"}}


def request(pictures=0, **fields):
    shown = [HumanMessage([{"type": "text", "text": "a" * 4000}, *[PICTURE] * pictures])]
    return Request(messages=shown, **fields)


def learned(detail, status=400, facts=None, **fields):
    error = ServerError(detail, status=status, detail=detail)
    found = from_error(error, request(**fields), facts or ServerFacts(), PROFILE)
    return None if found is None else found.facts


@pytest.mark.parametrize(
    ("detail", "context"),
    [
        ("This model's maximum context length is 8192 tokens. However, your request has 9000 input tokens.", 8192),
        ("This model's maximum context length is 4,096 tokens, however you requested 5,000 tokens", 4096),
        ("the request exceeds the available context size, try increasing it [n_ctx=4096]", 4096),
        ("Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context "
         "length of only 4096 tokens, which is not enough.", 4096),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 32768),
        ("prompt is too long: 210000 tokens > 200000 maximum", 32768),
        ("Requested token count exceeds the model's maximum context length of 8192 tokens.", 8192),
    ],
)  # fmt: skip
def test_a_context_is_learned(detail, context):
    facts = learned(detail, pictures=8)
    assert facts.context_tokens == context
    assert applied(PROFILE, facts).context_tokens == context


def test_a_prompt_that_is_still_too_long_is_made_shorter_until_it_is_no_use():
    facts = ServerFacts()
    scales = []
    while (facts := learned("maximum context length is 4096 tokens", facts=facts)) is not None:
        scales.append(facts.token_scale)
    assert scales == sorted(scales)
    assert len(scales) < 12


@pytest.mark.parametrize(
    ("detail", "status", "images"),
    [
        ("At most 4 image(s) may be provided in one prompt. (parameter=image)", 400, 4),
        ("Too many images and documents: 32 + 0 > 20", 400, 16),
        ("This model supports a maximum of 10 images per request", 400, 10),
        ("The number of images (32) exceeds the limit of 8 images", 400, 8),
        ("only one image is supported per message", 400, 1),
        ("This model does not support multiple images", 400, 1),
        ("request entity too large", 413, 16),
        ("image exceeds 5 MB maximum", 400, 16),
        ("tiny is not a multimodal model", 400, 0),
        (
            "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
            500,
            0,
        ),
        ("No endpoints found that support image input", 404, 0),
        ("This model does not support image input", 400, 0),
    ],
)
def test_pictures_are_learned(detail, status, images):
    assert learned(detail, status, pictures=32).images == images


@pytest.mark.parametrize(
    ("detail", "uses", "feature"),
    [
        ("registry.ollama.ai/library/x does not support tools", {"tools"}, "tools"),
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser', {"tools"}, "tools"),
        ("tools param requires --jinja flag", {"tools"}, "tools"),
        ("No endpoints found that support tool use", {"tools"}, "tools"),
        (
            "Invalid tool_choice type: 'object'. Supported string values: none, auto",
            {"tools", "forced_tool"},
            "forced_tool",
        ),
        ("'response_format.type' must be 'text'", {"schema"}, "schema"),
        ("Extra inputs are not permitted: uuid", {"image_ids"}, "image_ids"),
    ],
)
def test_features_are_learned(detail, uses, feature):
    assert learned(detail, 404 if "endpoints" in detail else 400, uses=frozenset(uses)).refused == (feature,)


@pytest.mark.parametrize(
    ("detail", "names"),
    [
        ("Unrecognized request argument supplied: chat_template_kwargs", ("chat_template_kwargs",)),
        ('Invalid JSON payload. Unknown name "chat_template_kwargs": Cannot find field.', ("chat_template_kwargs",)),
        ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
         ("max_tokens",)),
        ("Unsupported value: 'temperature' does not support 0.0 with this model.", ("temperature",)),
        ("reasoning_effort: Extra inputs are not permitted", ("reasoning_effort",)),
    ],
)  # fmt: skip
def test_fields_are_learned(detail, names):
    body = {"chat_template_kwargs": {}, "reasoning_effort": "none"}
    options = {"temperature": 0.0, "max_tokens": 9, "extra_body": body}
    assert learned(detail, options=options).parameters == names


@pytest.mark.parametrize(
    ("detail", "status"),
    [
        ("the engine died", 500),
        ("Incorrect API key provided", 401),
        ("rate limit", 429),
        ("bad gateway", 502),
    ],
)
def test_other_errors_teach_nothing(detail, status):
    assert learned(detail, status, pictures=4, uses=frozenset({"tools", "schema"})) is None


def reply(text="", *, cut=True, **fields):
    reason = {"finish_reason": "length" if cut else "stop"}
    return AIMessage(text, additional_kwargs=fields, response_metadata=reason)


def test_a_thought_that_takes_the_reply_is_switched_off_then_given_room():
    facts = ServerFacts()
    rooms = []
    for _ in range(6):
        sent = request(options={"max_tokens": applied(PROFILE, facts).completion_tokens["look"]})
        found, again = from_reply(reply(reasoning_content="hm"), sent, "look", facts, applied(PROFILE, facts))
        if found is None:
            break
        assert again
        facts = found.facts
        rooms.append(facts.thought_tokens)
    assert facts.off == ALL_OFF
    assert rooms == [0, 4096, 16384, 24576]
    assert applied(PROFILE, facts).thinking.off_body == ALL_OFF.body


def test_a_reply_beside_a_thought_is_used_and_thinking_switched_off_for_the_next():
    found, again = from_reply(
        reply("a ball", cut=False, reasoning_content="hm " * 100), request(), "look", ServerFacts(), PROFILE
    )
    assert found.facts.thinks
    assert not again


def test_a_step_whose_own_thought_took_the_reply_thinks_no_more():
    found, again = from_reply(
        reply(reasoning_content="hm"), request(thinking="free"), "plan", ServerFacts(), PROFILE
    )
    assert (found.facts.quiet, again) == (("plan",), True)


def test_a_plain_reply_teaches_nothing():
    for plain in (reply("a ball", cut=False), reply("a ball", cut=False, reasoning_content="\n")):
        assert from_reply(plain, request(), "look", ServerFacts(), PROFILE) == (None, False)
    assert not is_lost_in_thought(reply("half a sent"))
