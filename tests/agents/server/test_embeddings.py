"""The embedding client: any form for pictures, the vectors in order, and errors in plain words."""

from __future__ import annotations

import numpy as np
import pytest

from tests.embedding_server import COLOURS, EmbeddingScript
from tests.scripted_server import Raw, ScriptedServer, refusal, says
from vidagent import config
from vidagent.agents.server.embeddings import EmbeddingClient, connect
from vidagent.errors import ModelError, UsageError

pytestmark = pytest.mark.network
PICTURES = [np.full((16, 16, 3), COLOURS[name], np.uint8) for name in ("red", "blue", "white")]


def served(reply):
    return ScriptedServer([says("")], models=("first", "second"), routes={"/v1/embeddings": reply})


@pytest.mark.parametrize(("form", "requests"), [("chat", 3), ("objects", 3), ("urls", 4)])
def test_pictures_go_in_the_form_that_the_server_takes(form, requests):
    script = EmbeddingScript(form)
    with served(script) as server:
        client = EmbeddingClient(server.url, "second")
        found = client.pictures(PICTURES)
        texts = client.texts(["red", "blue", "white"])
        assert len([body for body in script.bodies if body["model"] == "second"]) == requests + 1
        client.pictures(PICTURES[:1])
    assert len(script.bodies) == requests + 2, "the form is known then"
    assert script.pictures == 4
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found @ texts.T).argmax(axis=1).tolist() == [0, 1, 2]


def test_the_first_model_is_asked_where_none_is_named(monkeypatch):
    with served(EmbeddingScript()) as server:
        monkeypatch.setenv("VIDAGENT_EMBEDDING_BASE_URL", server.url)
        client = connect(config.load())
        assert client.model == "first"
        assert client.texts([]).shape == (0, 0)


def test_nothing_is_connected_without_a_server():
    assert connect(config.load()) is None


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (refusal(401, "no"), r"refused the key \(401\); set VIDAGENT_EMBEDDING_API_KEY"),
        (refusal(404, "no such model"), "answered 404: no such model"),
        (Raw("<html>", content_type="text/html"), "sent no JSON; is the base URL right"),
        (Raw({"data": []}), "sent no usable vectors: 0 for 1 inputs"),
        (
            Raw({"data": [{"index": 0, "embedding": [0.0, 0.0]}]}),
            "sent no usable vectors: of no finite length",
        ),
        (Raw({"data": [{"index": 0, "embedding": ["a"]}]}), "sent no usable vectors"),
        (
            Raw("", status=307, headers={"Location": "http://10.0.0.1/v1/embeddings"}),
            r"redirects to http://10.0.0.1/v1 ",
        ),
    ],
)
def test_errors_say_what_is_wrong(reply, message):
    with served(reply) as server, pytest.raises(ModelError, match=message):
        EmbeddingClient(server.url, "first", "secret-key").texts(["x"])


def test_a_server_of_texts_alone_is_told_apart():
    def texts_only(body):
        if "messages" in body or not all(one == "x" for one in body["input"]):
            return refusal(400, "input must be a list of texts")
        return Raw({"data": [{"index": 0, "embedding": [1.0, 0.0]}]})

    with served(texts_only) as server:
        client = EmbeddingClient(server.url, "first")
        assert client.texts(["x"]).tolist() == [[1.0, 0.0]]
        with pytest.raises(
            ModelError, match=r"takes no pictures with the model 'first'.*input must be a list of texts"
        ):
            client.pictures(PICTURES[:1])


def test_a_server_that_drops_what_it_does_not_know_is_asked_in_the_other_forms():
    script = EmbeddingScript("urls")

    def drops(body):
        known = "input" in body and not any(isinstance(one, dict) for one in body["input"])
        return script(body) if known else Raw({"data": []}, sent=0)

    with served(drops) as server:
        assert EmbeddingClient(server.url, "first").pictures(PICTURES).shape[0] == 3
        assert script.pictures == 3


def test_the_key_is_sent_and_never_shown(monkeypatch):
    seen = []

    def refuses(body):
        seen.append(body)
        return refusal(400, "bad key secret-key")

    with served(refuses) as server, pytest.raises(ModelError) as caught:
        EmbeddingClient(server.url, "first", "secret-key").texts(["x"])
    assert "secret-key" not in str(caught.value)
    monkeypatch.setenv("VIDAGENT_EMBEDDING_BASE_URL", "ftp://x")
    with pytest.raises(UsageError, match="not an http or https address"):
        config.load()
