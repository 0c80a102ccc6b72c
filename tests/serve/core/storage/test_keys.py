"""Keys: every route is closed without one, narrower with one of another scope, and empty with another tenant's."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import httpx
import pytest
from langserve import RemoteRunnable

from tests.serve.core.http.test_server import fault
from tests.serve.core.storage.test_files import upload
from tests.serve.rest.routes.test_langserve_routes import ASKED, body
from tests.serve.running import QUESTION, running, until
from vidagent.errors import UsageError
from vidagent.serve.core.http.options import ServerOptions
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.keys import ApiKeys
from vidagent.serve.rest.app import make

pytestmark = pytest.mark.network
OPEN = {"/healthz", "/readyz"}
HIDDEN = (
    "/docs",
    "/openapi.json",
    "/vidagent/input_schema",
    "/nowhere",
    "/v1/files/",
    "//healthz",
    "/healthz/",
)


@dataclass
class Tenants:
    """A server with keys, and a client for each kind of them."""

    acme: httpx.Client
    rival: httpx.Client
    narrow: httpx.Client
    stranger: httpx.Client
    keys: ApiKeys


@pytest.fixture
def tenants(model, root, tmp_path):
    store = Store(tmp_path)
    keys = ApiKeys(store)
    made = {name: keys.add(name, ("ask", "files")) for name in ("acme", "rival")}
    made["narrow"] = keys.add("acme", ("metrics",))
    with running(tmp_path, insecure_local=False, roots=(root,)) as stranger:
        clients = {
            name: httpx.Client(
                base_url=stranger.base_url, timeout=60, headers={"Authorization": f"Bearer {key}"}
            )
            for name, key in made.items()
        }
        yield Tenants(**clients, stranger=stranger, keys=keys)
        for client in clients.values():
            client.close()
    store.close()


def routes(tmp_path) -> list[tuple[str, str]]:
    """Return the method and the path of every route that the server tells of."""
    app = make(ServerOptions(insecure_local=True, data_dir=tmp_path / "other"))
    told = [(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item]
    return [(method, path.replace("{id}", f"file-{'0' * 64}")) for method, path in told if path not in OPEN]


def test_every_route_is_closed_without_a_key(tenants, tmp_path):
    every = routes(tmp_path) + [("GET", path) for path in HIDDEN]
    assert len(every) > 14
    server = str(tenants.stranger.base_url).rstrip("/")  # as httpx takes `//name` for the name of a server
    for method, path in every:
        reply = tenants.stranger.request(method, server + path)
        assert fault(reply) == (401, "no_key"), path
        assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "given",
    ["Bearer", "Bearer none", "Basic {key}", "{key}"]
    + [f"Bearer {key}" for key in ("{key}x", "{cut}", "{other}", "{id}")],
)
def test_every_route_is_closed_with_a_wrong_key(tenants, tmp_path, given):
    key = tenants.acme.headers["authorization"].removeprefix("Bearer ")
    rival = tenants.rival.headers["authorization"].removeprefix("Bearer ")
    header = given.format(key=key, cut=key[:-1], other=key[:12] + rival[12:], id=key[:11])
    for method, path in routes(tmp_path):
        reply = tenants.stranger.request(method, path, headers={"Authorization": header})
        assert fault(reply) == (401, "no_key"), path


def test_every_route_asks_for_its_scope(tenants, tmp_path):
    for method, path in routes(tmp_path):
        if path != "/metrics":
            assert fault(tenants.narrow.request(method, path)) == (403, "no_scope"), path


def test_health_is_open(tenants):
    assert [tenants.stranger.get(path).status_code for path in sorted(OPEN)] == [200, 200]


def test_a_key_opens_what_it_is_for(tenants, root):
    data = (root / "clip.mp4").read_bytes()
    id_ = upload(tenants.acme, data).json()["id"]
    output = tenants.acme.post("/vidagent/invoke", json=body("invoke", video=id_)).json()["output"]
    assert output["answer"] == "Something is to be seen."
    remote = RemoteRunnable(
        f"{tenants.acme.base_url}/vidagent",
        headers={"Authorization": tenants.acme.headers["authorization"]},
    )
    assert remote.invoke(ASKED)["answer"] == "Something is to be seen."


def test_files_are_seen_by_their_owner_alone(tenants, root):
    id_ = upload(tenants.acme, (root / "clip.mp4").read_bytes()).json()["id"]
    for method, path in [("GET", ""), ("GET", "/content"), ("DELETE", "")]:
        assert fault(tenants.rival.request(method, f"/v1/files/{id_}{path}")) == (404, "no_such_file")
    assert tenants.rival.get("/v1/files").json()["data"] == []
    for route in ("invoke", "batch"):
        reply = tenants.rival.post(f"/vidagent/{route}", json=body(route, video=id_))
        assert fault(reply) == (404, "no_such_file")
    assert "no_such_file" in tenants.rival.post("/vidagent/stream", json=body("stream", video=id_)).text
    assert tenants.acme.get(f"/v1/files/{id_}").status_code == 200


def test_one_owner_deletes_what_the_other_keeps(tenants, root):
    data = (root / "clip.mp4").read_bytes()
    (id_,) = {upload(client, data).json()["id"] for client in (tenants.acme, tenants.rival)}
    assert tenants.acme.delete(f"/v1/files/{id_}").status_code == 200
    assert tenants.rival.get(f"/v1/files/{id_}/content").content == data


def test_sessions_are_their_owners(tenants, model):
    asked = body("invoke", session="talk")
    for client in (tenants.acme, tenants.rival):
        assert client.post("/vidagent/invoke", json=asked).status_code == 200
    before = len(model.bodies)
    again = body("invoke", session="talk", question="And when is it seen again?")
    assert tenants.acme.post("/vidagent/invoke", json=again).status_code == 200
    assert any(QUESTION in str(sent) for sent in model.bodies[before:])


def test_a_revoked_key_opens_nothing_at_once(tenants):
    assert tenants.acme.get("/v1/files").status_code == 200
    (id_, *_) = [key.id for key in tenants.keys.all() if key.owner == "acme" and "files" in key.scopes]
    tenants.keys.revoke(id_)
    assert fault(tenants.acme.get("/v1/files")) == (401, "no_key")


def test_the_log_names_the_owner_and_no_key(tenants, caplog):
    caplog.set_level("INFO", "vidagent.serve")
    tenants.acme.get("/v1/files")
    lines: list = []

    def logged() -> bool:  # which the server does once the reply is on its way
        lines[:] = [record for record in caplog.records if getattr(record, "route", "") == "/v1/files"]
        return bool(lines)

    until(logged)
    (line,) = lines
    assert line.client == "acme"
    assert "vk-" not in str(vars(line))


def test_keys_on_the_command_line(command, tmp_path):
    where = ("--data-dir", str(tmp_path))
    done = command("serve", "keys", "add", "acme", *where)
    assert done.code == 0
    key = done.out.strip()
    told = command("serve", "keys", "list", "--json", *where).json()["keys"]
    assert [(one["id"], one["owner"], one["scopes"]) for one in told] == [
        (key[3:11], "acme", ["ask", "files"])
    ]
    assert "acme" in command("serve", "keys", "list", *where).out
    assert key not in (tmp_path / "serve.sqlite").read_bytes().decode("latin-1")
    assert command("serve", "keys", "revoke", key[3:11], *where).code == 0
    assert command("serve", "keys", "list", *where).out.startswith("no keys;")
    assert command("serve", "keys", "revoke", "none", *where).err.startswith(
        "vidagent: there is no key 'none'"
    )


@pytest.mark.parametrize("owner", ["", "Acme", "a b", "-a", "a-", "a--b", "../a", "a.b", "x" * 25])
def test_owners_are_plain_words(tmp_path, owner):
    store = Store(tmp_path)
    with pytest.raises(UsageError, match="an owner is"):
        ApiKeys(store).add(owner, ("ask",))
    with pytest.raises(UsageError, match="--scope must be one of ask, files, metrics; got 'all'"):
        ApiKeys(store).add("acme", ("all",))
    store.close()


def test_a_folder_that_cannot_be_used_is_one_line(command, tmp_path):
    (tmp_path / "serve.sqlite").write_text(
        "no database, but a text that is longer than a header would be" * 9
    )
    done = command("serve", "keys", "list", "--data-dir", str(tmp_path))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "cannot be used" in done.err
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(tmp_path / "serve.sqlite").execute("SELECT 1 FROM sqlite_schema")
