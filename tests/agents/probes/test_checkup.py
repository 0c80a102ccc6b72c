"""Trials of a server: one that can everything, one that refuses each thing in its own words, and worse ones."""

import json
import time

import pytest

from tests.able_server import WORDS, Able
from tests.scripted_server import DROPPED, HANG, PAGE, Raw, ScriptedServer, completion, refusal, says
from vidagent.agents.probes.checkup import examine
from vidagent.config import load
from vidagent.errors import ModelError, UsageError

pytestmark = pytest.mark.network

ROWS = [
    *[("replies", name) for name in ("text", "system message", "several turns", "streaming")],
    *[("pictures", name) for name in ("one", "several", "by id")],
    *[("video", name) for name in ("mp4", "options per request", "fps and num_frames", "frames with times")],
    *[("thinking", name) for name in ("thinks", "can be switched off", "budget by the server", "budget by two phases")],
    *[("tools", name) for name in ("auto", "required", "named", "strict arguments")],
    *[("typed replies", name) for name in ("json_schema", "structured_outputs")],
    *[("tokens", name) for name in ("usage", "prefix cache", "tokenizer")],
]  # fmt: skip
TEN = {"frames_per_call": 10, "overview_frames": 10}


async def tried(server, **settings):
    return await examine(load(base_url=server.url, **settings), lambda trial: None)


async def tried_able(able, server=None, **settings):
    with able.server(**(server or {})) as running:
        return await tried(running, **settings)


def outcomes(checkup):
    return {(finding.group, finding.name): finding.outcome for finding in checkup.findings}


def others(checkup, value="yes"):
    """Return the rows that have another value."""
    return {row for row, outcome in outcomes(checkup).items() if outcome.value != value}


def mends(checkup):
    return {advice.key: advice.mend for advice in checkup.advice}


@pytest.fixture
def profile(tmp_path):
    """Return a function that writes a profile and returns its path."""

    def write(text):
        path = tmp_path / f"own-{len(list(tmp_path.iterdir()))}.toml"  # a profile is read once
        path.write_text(text)
        return str(path)

    return write


async def test_a_server_that_can_everything():
    asked = []
    with Able().server() as server:
        checkup = await examine(load(base_url=server.url), asked.append)
    assert [(finding.group, finding.name) for finding in checkup.findings] == ROWS
    assert len(asked) == len(ROWS)
    assert others(checkup) == set()
    assert (checkup.advice, checkup.unusable, checkup.lost) == ((), None, None)
    assert (checkup.kind, checkup.version, checkup.profile.name) == ("vLLM", "0.32.0", "tiny")
    assert (checkup.model.name, checkup.model.root, checkup.model.context_tokens) == (
        "tiny",
        "org/tiny",
        16384,
    )
    found = outcomes(checkup)
    assert found["pictures", "one"].facts == {"tokens": 50, "read": True}
    assert found["pictures", "several"].facts == {"most": 8, "wanted": 8}
    assert found["thinking", "budget by the server"].detail == "16 of 16 tokens, 96 without it"
    assert found["video", "frames with times"].detail == "160 tokens for 8 frames"
    assert found["tokens", "tokenizer"].detail == "texts and whole prompts: 19 tokens"


@pytest.mark.parametrize(
    ("feature", "rows", "key", "mend"),
    [
        ("tools", {("tools", n) for n in ("auto", "required", "named", "strict arguments")}, "tool_calls",
         'tool_calls = "schema", or start the server with --enable-auto-tool-choice --tool-call-parser hermes'),
        ("required", {("tools", n) for n in ("required", "named", "strict arguments")}, "tool_choice",
         'tool_choice = "auto"'),
        ("strict", {("tools", "strict arguments")}, "strict_tools", "strict_tools = false"),
        ("json_schema", {("typed replies", "json_schema")}, "structured", 'structured = "tool"'),
        ("choices", {("typed replies", "structured_outputs")}, None, None),
        ("budget", {("thinking", "budget by the server")}, "thinking.budget_field", "--reasoning-parser qwen3"),
        ("media_options", {("video", n) for n in ("options per request", "fps and num_frames", "frames with times")},
         "media.per_request", "--trust-request-mm-kwargs"),
        ("both", {("video", "fps and num_frames")}, "media.sampling", 'sampling = "one"'),
        ("ids", {("pictures", "by id")}, "media.image_ids", "image_ids = false"),
        ("id_reuse", {("pictures", "by id")}, None, None),
        ("video", {("video", n) for n in ("mp4", "fps and num_frames", "frames with times")}, None, None),
        ("system", {("replies", "system message")}, None, None),
        ("continue", {("thinking", "budget by two phases")}, None, None),
    ],
)  # fmt: skip
async def test_each_thing_refused_is_a_no_in_the_servers_words(feature, rows, key, mend):
    checkup = await tried_able(Able(lacks={feature}))
    assert others(checkup) == rows
    found = outcomes(checkup)
    assert {found[row].value for row in rows} == {"no"}
    assert any(WORDS[feature] in found[row].detail for row in rows)
    if key:
        assert mend in mends(checkup)[key]
    else:
        assert key not in mends(checkup)
    assert checkup.unusable is None


@pytest.mark.parametrize(
    ("feature", "row", "value", "said"),
    [
        ("num_frames", ("video", "fps and num_frames"), "no", "num_frames is ignored"),
        ("cache", ("tokens", "prefix cache"), "no", "0 of 2,1"),
        ("tokenizer", ("tokens", "tokenizer"), "no", "no /tokenize"),
        ("details", ("tokens", "prefix cache"), "unknown", "--enable-prompt-tokens-details"),
    ],
)
async def test_what_is_lacking_without_a_word(feature, row, value, said):
    checkup = await tried_able(Able(lacks={feature}))
    assert others(checkup) == {row}
    assert outcomes(checkup)[row].value == value
    assert said in outcomes(checkup)[row].detail


@pytest.mark.parametrize(
    ("feature", "rows", "said"),
    [
        ("tools", [("tools", "auto"), ("tools", "required")], "tools are dropped"),
        ("required", [("tools", "required"), ("tools", "named")], "taken, but no call came: 'banana KIWI'"),
        ("strict", [("tools", "strict arguments")], "taken, but the arguments were {'word': 'banana'}"),
        ("json_schema", [("typed replies", "json_schema")], "taken, but the reply was 'banana KIWI'"),
        ("choices", [("typed replies", "structured_outputs")], "taken, but the reply was 'banana KIWI'"),
        ("budget", [("thinking", "budget by the server")], "the thought had 96 tokens, not 16"),
        ("continue", [("thinking", "budget by two phases")], "is taken, but the message is not continued"),
    ],
)
async def test_what_is_taken_and_ignored_is_a_no(feature, rows, said):
    checkup = await tried_able(Able(drops={feature}))
    found = outcomes(checkup)
    assert {found[row].value for row in rows} == {"no"}
    assert any(said in found[row].detail for row in rows)


async def test_pictures_that_are_dropped_make_a_server_unusable():
    checkup = await tried_able(Able(drops={"pictures"}))
    found = outcomes(checkup)
    assert found["pictures", "one"].value == "no"
    assert "it is dropped" in found["pictures", "one"].detail
    assert found["pictures", "several"].facts == {"most": 0, "wanted": 8}
    assert checkup.unusable == "it takes no pictures"


async def test_a_model_without_eyes_is_unusable():
    checkup = await tried_able(Able(lacks={"pictures"}))
    assert outcomes(checkup)["pictures", "one"].detail == "refused (400): tiny is not a multimodal model"
    assert checkup.unusable == "it takes no pictures"


async def test_a_profile_that_sends_no_pictures_needs_none(profile):
    own = profile(
        "context_tokens = 4096\n[media]\nforms = "
        "{ plan = 'frames', overview = 'frames', look = 'frames', verify = 'frames' }"
    )
    checkup = await tried_able(Able(lacks={"pictures", "thinking"}), profile=own)
    assert (checkup.unusable, checkup.advice) == (None, ())
    assert outcomes(checkup)["thinking", "budget by two phases"].value == "yes"
    checkup = await tried_able(Able(lacks={"pictures", "video"}), profile=own)
    assert checkup.unusable is not None
    assert "it takes no video as profile own" in checkup.unusable


async def test_fewer_pictures_than_the_profile_sends():
    checkup = await tried_able(Able(most_pictures=5))
    several = outcomes(checkup)["pictures", "several"]
    assert (several.value, several.facts["most"]) == ("no", 5)
    assert several.detail == (
        "5 of the 8 that the profile sends; refused (400): At most 5 image(s) may be provided in one prompt."
    )
    assert mends(checkup)["frames_per_call"] == (
        "frames_per_call = 5, or start the server with --limit-mm-per-prompt '{\"image\": 8}'"
    )
    assert "overview_frames" in mends(checkup)


async def test_the_number_of_pictures_is_searched_for_where_the_server_does_not_say_it():
    able = Able()
    counts = []

    def script(body):
        counts.append(json.dumps(body).count('"image_url": {'))
        return refusal(400, "too much") if counts[-1] > 6 else able(body)

    with able.server() as server:
        server._script = script
        checkup = await tried(server)
    assert outcomes(checkup)["pictures", "several"].facts["most"] == 6
    assert len([count for count in counts if count > 1]) <= 4


async def test_a_model_that_does_not_think():
    checkup = await tried_able(Able(lacks={"thinking", "budget"}))
    assert others(checkup) == {("thinking", "thinks"), ("thinking", "budget by the server")}
    assert outcomes(checkup)["thinking", "can be switched off"].detail == "it does not think"
    assert mends(checkup) == {
        "thinking.can": "can = false, or start the server with --reasoning-parser qwen3",
    }


async def test_a_budget_that_is_taken_by_a_model_that_does_not_think():
    budget = outcomes(await tried_able(Able(lacks={"thinking"})))["thinking", "budget by the server"]
    assert (budget.value, budget.detail) == (
        "unknown", "thinking_token_budget is taken, but the model does not think",
    )  # fmt: skip


async def test_a_model_that_always_thinks_is_held_short_and_still_tried():
    with Able(lacks={"switch"}).server() as server:
        checkup = await tried(server)
    assert others(checkup) == {("thinking", "can be switched off")}
    assert "nothing switches thinking off" in {advice.found for advice in checkup.advice}
    long = [body for body in server.bodies if body["max_tokens"] > 1000]
    assert long == []


async def test_a_model_that_thinks_whatever_it_is_told_gets_room():
    checkup = await tried_able(Able(lacks={"switch", "budget"}))
    assert outcomes(checkup)["tools", "required"].value == "unknown"
    assert outcomes(checkup)["tools", "required"].detail == "the reply was cut before a call was whole"
    assert outcomes(checkup)["typed replies", "json_schema"].value == "unknown"


async def test_a_thought_in_the_text_is_counted_by_the_tokenizer():
    checkup = await tried_able(Able(tagged=True))
    found = outcomes(checkup)
    assert found["thinking", "thinks"].facts == {"tagged": True, "by_itself": True}
    assert found["thinking", "budget by the server"].value == "yes"
    checkup = await tried_able(Able(tagged=True, lacks={"tokenizer"}))
    budget = outcomes(checkup)["thinking", "budget by the server"]
    assert (budget.value, budget.detail) == (
        "unknown", "thinking_token_budget is taken, but nobody counts the thought's tokens",
    )  # fmt: skip


async def test_a_server_that_counts_nothing():
    found = outcomes(await tried_able(Able(lacks={"counts"})))
    assert found["tokens", "usage"].value == "no"
    assert found["pictures", "one"].value == "yes"
    assert found["pictures", "one"].detail.startswith("taken; its word was read")
    assert found["video", "fps and num_frames"].value == "unknown"
    assert found["thinking", "budget by two phases"].value == "unknown"
    assert "no usage at the end" in found["replies", "streaming"].detail


async def test_a_smaller_context_than_the_profiles():
    checkup = await tried_able(Able(), {"context_tokens": 4096})
    assert mends(checkup) == {
        "context_tokens": "context_tokens = 4096, or start the server with --max-model-len 16384"
    }


async def test_a_profile_that_says_less_than_the_model_does(profile):
    checkup = await tried_able(Able(), profile=profile("context_tokens = 4096"))
    assert mends(checkup) == {
        "thinking.can": "can = true",
        "thinking.off_body": "off_body = { chat_template_kwargs = { enable_thinking = false } }",
    }
    own = "context_tokens = 4096\ntool_choice = 'required'\n[thinking]\ncan = true\n"
    own += "off_body = { chat_template_kwargs = { enable_thinking = false } }"
    assert mends(await tried_able(Able(), profile=profile(own))) == {
        "thinking.budget_field": 'budget_field = "thinking_token_budget"',
        "strict_tools": "strict_tools = true",
    }


async def test_a_profile_that_sends_video(profile):
    own = profile(
        "context_tokens = 4096\n[media]\nper_request = true\nforms = { look = 'frames', verify = 'mp4' }"
    )
    keys = {advice.key for advice in (await tried_able(Able(lacks={"thinking"}), profile=own)).advice}
    assert keys == set()
    checkup = await tried_able(Able(lacks={"thinking", "video"}), profile=own)
    assert [(advice.key, advice.found) for advice in checkup.advice] == [
        ("media.forms", "the server takes no frames as a video"),
        ("media.forms", "the server takes no mp4"),
    ]
    checkup = await tried_able(Able(lacks={"thinking", "media_options"}), profile=own)
    assert mends(checkup)["media.per_request"].endswith('the form "images" in the place of "frames"')


async def test_one_thing_that_hangs_leaves_the_others():
    began = time.monotonic()
    checkup = await tried_able(Able(hangs_at="response_format"), reply_seconds=3)
    assert time.monotonic() - began < 60
    assert others(checkup) == {("typed replies", "json_schema")}
    assert outcomes(checkup)["typed replies", "json_schema"].detail == "no reply within 3 s"
    assert checkup.unusable is None


async def test_a_server_that_dies_on_the_way_is_asked_no_more():
    with Able(hangs_at="video/mp4", dies=True).server() as server:
        checkup = await tried(server, reply_seconds=3)
    found = outcomes(checkup)
    assert found["pictures", "one"].value == "yes"
    assert found["video", "mp4"].value == "unknown"
    assert found["tools", "auto"].detail == "not tried, as the server no longer answers"
    assert checkup.unusable == "the server stopped answering at video: mp4"
    assert checkup.advice == ()
    assert not any("tools" in body for body in server.bodies)


async def test_a_server_that_is_busy_has_not_said_no():
    able = Able()

    def script(body):
        return refusal(503, "overloaded") if "tools" in body else able(body)

    with able.server() as server:
        server._script = script
        checkup = await tried(server)
    assert others(checkup) == {("tools", name) for name in ("auto", "required", "named", "strict arguments")}
    assert outcomes(checkup)["tools", "auto"].value == "unknown"
    assert outcomes(checkup)["tools", "auto"].detail == "the server was busy (503): overloaded"


@pytest.mark.parametrize(
    "reply",
    [
        DROPPED,
        Raw({"choices": []}),
        completion({"role": "assistant", "content": None}, usage={"prompt_tokens": "many"}),
        {**says("ok"), "usage": ["many"]},
        Raw("[1, 2]"),
        Raw('{"choices": [{"message"'),
        refusal(500, "EngineCore encountered an issue"),
    ],
    ids=["dropped", "no choices", "odd counts", "odd usage", "a list", "cut", "crash"],
)
async def test_odd_replies_to_one_thing_spoil_nothing(reply):
    able = Able()

    def script(body):
        return reply if "response_format" in body else able(body)

    with able.server() as server:
        server._script = script
        checkup = await tried(server)
    assert others(checkup) == {("typed replies", "json_schema")}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (HANG, r"model 'scripted' at \S+ sent no reply within 0\.3 s"),
        (PAGE, "answered with a page, not JSON"),
        (refusal(500, "dead"), r"failed \(500\): dead"),
        ({**says("ok"), "choices": "none"}, "replied without choices"),
    ],
    ids=["hangs", "page", "crash", "odd"],
)
async def test_a_server_without_a_word_is_one_error(reply, said):
    with ScriptedServer([reply]) as server, pytest.raises(ModelError, match=said):
        await tried(server, reply_seconds=0.3)


async def test_the_key_is_refused():
    with ScriptedServer([says("ok")], api_key="right") as server, pytest.raises(ModelError) as caught:
        await tried(server, api_key="wrong-one")
    assert "VIDAGENT_API_KEY" in str(caught.value)
    assert "wrong-one" not in str(caught.value)


async def test_a_server_without_a_list_of_models_is_tried_with_the_model_named():
    with Able().server(
        routes={"/v1/models": Raw(b"", status=404), "/version": Raw(b"", status=404)}
    ) as server:
        checkup = await tried(server, model="tiny")
        assert (checkup.kind, checkup.model.name, checkup.model.context_tokens) == (None, "tiny", None)
        with pytest.raises(ModelError, match="models answered 404"):
            await tried(server)


async def test_the_model_named_is_the_one_tried():
    listed = {"data": [{"id": "other"}, {"id": "tiny", "max_model_len": 512}]}
    with Able().server(routes={"/v1/models": listed}) as server:
        checkup = await tried(server, model="tiny")
    assert (checkup.model.context_tokens, checkup.others) == (512, ("other",))


async def test_the_embedded_model_has_no_server():
    with pytest.raises(UsageError, match="'signals' is embedded"):
        await examine(load(model="signals"), lambda trial: None)
