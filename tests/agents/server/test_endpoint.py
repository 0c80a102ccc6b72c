"""What a server offers beside chat: what it has, what it lacks, and what is said when it fails."""

import asyncio
import time

import pytest

from tests.scripted_server import DROPPED, HANG, PAGE, Raw, ScriptedServer, refusal
from vidagent.agents.server.connection import ServerError
from vidagent.agents.server.endpoint import Endpoint, ServedModel

pytestmark = pytest.mark.network

CARD = {"id": "m", "object": "model", "owned_by": "vllm", "root": "org/m", "max_model_len": 4096}
NOT_FOUND = Raw({"detail": "Not Found"}, status=404)
CHAT = [{"role": "user", "content": "hello there"}]


def count(body):
    """Count the words of a prompt, or of the messages and what shapes them."""
    text = body.get("prompt") or " ".join([*(m["content"] for m in body["messages"]), *body.get("also", [])])
    return {"count": len(text.split()), "max_model_len": 4096, "tokens": []}


def serving(**routes):
    return ScriptedServer([], routes={f"/{name.replace('_', '/')}": reply for name, reply in routes.items()})


async def test_a_server_that_has_everything():
    with serving(
        v1_models={"data": [CARD, {"id": "lora", "root": None}]},
        version={"version": "0.32.0"},
        health=Raw(b""),
        tokenize=count,
    ) as server:
        endpoint = Endpoint(server.url)
        assert await endpoint.models() == [
            ServedModel("m", root="org/m", context_tokens=4096, owner="vllm"),
            ServedModel("lora"),
        ]
        assert await endpoint.version() == "0.32.0"
        assert await endpoint.healthy()
        assert await endpoint.tokenize("one two three") == 3
        assert await endpoint.tokenize_messages(CHAT) == 2
        assert await endpoint.tokenize_messages(CHAT, also=["my", "friend"]) == 4


async def test_what_is_sent_to_the_tokenizer():
    seen = []

    def script(body):
        seen.append(body)
        return {"count": 1}

    with serving(tokenize=script) as server:
        await Endpoint(server.url, model="m").tokenize("hm")
        await Endpoint(server.url).tokenize_messages(CHAT, add_generation_prompt=False)
    assert seen == [
        {"model": "m", "prompt": "hm", "add_special_tokens": False},
        {"messages": CHAT, "add_generation_prompt": False},
    ]


@pytest.mark.parametrize(
    "reply",
    [
        NOT_FOUND,
        Raw(b"", status=405),
        refusal(403, "not yours"),
        PAGE,
        Raw("<p>no such model page", status=404, content_type="text/html"),
        Raw("{"),
    ],
    ids=["404", "405", "403", "page", "page with 404", "cut"],
)
async def test_what_a_server_lacks_is_asked_for_once(reply):
    with serving(tokenize=reply, version=reply) as server:
        endpoint = Endpoint(server.url)
        for _ in range(3):
            assert await endpoint.tokenize("hm") is None
            assert await endpoint.tokenize_messages(CHAT) is None
            assert await endpoint.version() is None
        assert sorted(server.asked) == ["/tokenize", "/version"]


async def test_a_count_that_is_none_is_no_count():
    with serving(tokenize={"count": "many"}, version={"version": 3}) as server:
        assert await Endpoint(server.url).tokenize("hm") is None
        assert await Endpoint(server.url).version() is None


async def test_an_unknown_model_is_no_missing_tokenizer():
    with serving(tokenize=refusal(404, "The model `nope` does not exist.")) as server:
        endpoint = Endpoint(server.url, model="nope")
        for _ in range(2):
            with pytest.raises(
                ServerError, match=r"refused /tokenize \(404\): The model `nope` does not exist"
            ):
                await endpoint.tokenize("hm")


async def test_a_refusal_is_told_in_the_servers_words_and_asked_again_later():
    replies = [refusal(400, "Per-request media_io_kwargs are disabled"), {"count": 7}]
    with serving(tokenize=lambda body: replies.pop(0)) as server:
        endpoint = Endpoint(server.url)
        with pytest.raises(ServerError, match="media_io_kwargs are disabled") as caught:
            await endpoint.tokenize_messages(CHAT, media_io_kwargs={})
        assert (caught.value.status, caught.value.retried) == (400, False)
        assert await endpoint.tokenize("hm") == 7


@pytest.mark.parametrize("health", [refusal(503, "dead"), HANG, DROPPED], ids=["503", "hangs", "drops"])
async def test_an_ill_server(health):
    with serving(health=health) as server:
        assert not await Endpoint(server.url, timeout_s=0.3).healthy()


async def test_a_server_that_says_nothing_of_its_health_is_well_if_it_answers():
    with serving() as server:
        assert await Endpoint(server.url).healthy()
    assert not await Endpoint(server.url).healthy()


async def test_no_server():
    with serving() as server:
        url = server.url
    with pytest.raises(ServerError) as caught:
        await Endpoint(url).models()
    assert str(caught.value) == f"no model server answers at {url}: Connection refused"


async def test_a_server_that_hangs_is_left_in_time():
    with serving(tokenize=HANG) as server:
        began = time.monotonic()
        with pytest.raises(ServerError, match=r"nothing came within 1 s"):
            await Endpoint(server.url, timeout_s=1).tokenize("hm")
        assert time.monotonic() - began < 5


async def test_a_server_that_drops_the_line():
    with serving(tokenize=DROPPED) as server, pytest.raises(ServerError, match="broke") as caught:
        await Endpoint(server.url).tokenize("hm")
    assert caught.value.retried


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (PAGE, "is not a list of models; is the base URL right, such as http://127.0.0.1:8000/v1?"),
        ({"data": [{"name": "m"}]}, "is not a list of models"),
        (Raw("[1]"), "is not a list of models"),
        (NOT_FOUND, "/models answered 404; is the base URL right?"),
        (refusal(401, "Unauthorized"), r"refused the API key \(401\); set VIDAGENT_API_KEY"),
    ],
)
async def test_a_place_without_models(reply, said):
    with serving(v1_models=reply) as server, pytest.raises(ServerError, match=said):
        await Endpoint(server.url).models()


async def test_the_key_goes_to_the_server_and_into_no_message():
    with serving(tokenize=refusal(400, "what is sk-secret-1 to me")) as server:
        with pytest.raises(ServerError) as caught:
            await Endpoint(server.url, "sk-secret-1").tokenize("hm")
        assert "sk-secret-1" not in str(caught.value) + caught.value.detail
        assert str(caught.value).endswith("what is *** to me")


@pytest.mark.parametrize("key", ["sk-secret\n", "sk-secreté"])
async def test_a_key_that_no_header_can_carry(key):
    with serving(tokenize={"count": 1}) as server, pytest.raises(ServerError) as caught:
        await Endpoint(server.url, key).tokenize("hm")
    assert "VIDAGENT_API_KEY" in str(caught.value)
    assert "sk-secret" not in str(caught.value)


async def test_user_and_password_of_the_address_are_not_told():
    with serving() as server:
        url = server.url.replace("//", "//user:secret@")
    with pytest.raises(ServerError) as caught:
        await Endpoint(url).models()
    assert "secret" not in str(caught.value)


async def test_servers_here_are_reached_past_a_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(tokenize={"count": 1}) as server:
        assert await Endpoint(server.url).tokenize("hm") == 1
    with pytest.raises(ServerError, match="Connection refused"):
        await Endpoint("http://server.invalid/v1").tokenize("hm")


def test_it_outlives_an_event_loop():
    with serving(tokenize=count) as server:
        endpoint = Endpoint(server.url)
        assert [asyncio.run(endpoint.tokenize("a b")) for _ in range(3)] == [2, 2, 2]


async def test_a_base_url_without_v1():
    with ScriptedServer([], routes={"/models": {"data": [CARD]}, "/tokenize": {"count": 5}}) as server:
        endpoint = Endpoint(server.url.removesuffix("/v1") + "/")
        assert [model.name for model in await endpoint.models()] == ["m"]
        assert await endpoint.tokenize("hm") == 5


def letters(body):
    """Read each letter as a token, but what was cut in half as three."""
    tokens = [ord(letter) for mark in body["prompt"] for letter in (mark * 3 if mark == "\ufffd" else mark)]
    return {"count": len(tokens), "tokens": tokens}


def spelled(body):
    return {"prompt": "".join(map(chr, body["tokens"]))}


@pytest.mark.parametrize(
    ("text", "tokens", "kept"),
    [
        ("abc", 5, "abc"),
        ("abcdefg", 5, "abcde"),
        ("ab\ufffdcd", 4, "ab"),
        ("\ufffd\ufffd", 1, ""),
        ("abc", 0, ""),
    ],
)
async def test_a_text_is_cut_to_its_tokens(text, tokens, kept):
    with serving(tokenize=letters, detokenize=spelled) as server:
        assert await Endpoint(server.url, model="m").shorten(text, tokens) == kept


async def test_a_text_stays_whole_where_nobody_counts():
    with serving(tokenize=NOT_FOUND) as server:
        assert await Endpoint(server.url).shorten("abcdefg", 3) == "abcdefg"
    with serving(tokenize=letters, detokenize=NOT_FOUND) as server:
        assert await Endpoint(server.url).shorten("abcdefg", 3) == "abcdefg"
