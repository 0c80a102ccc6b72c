"""Passes: a cookie that lets the page's player read what it shows, and is good for nothing else."""

from __future__ import annotations

from http.cookies import SimpleCookie

import httpx
import pytest

from tests.serve.core.http.test_server import fault
from tests.serve.core.storage.test_files import upload
from tests.serve.core.storage.test_keys import routes
from tests.serve.rest.routes.test_langserve_routes import ASKED
from tests.serve.running import until
from vidagent.serve.core.http import media_cookies as module
from vidagent.serve.core.http.media_cookies import COOKIE

pytestmark = pytest.mark.network


def given(client: httpx.Client, **headers: str) -> httpx.Response:
    reply = client.post("/v1/pass", headers=headers)
    assert (reply.status_code, reply.headers["cache-control"]) == (204, "no-store")
    client.cookies.clear()  # each request says itself what it has
    return reply


def pass_of(reply: httpx.Response) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={SimpleCookie(reply.headers['set-cookie'])[COOKIE].value}"}


@pytest.fixture
def shown(tenants, root) -> str:
    """Return the path of a video that the page's player shows."""
    id_ = upload(tenants.acme, (root / "clip.mp4").read_bytes()).json()["id"]
    return f"/v1/files/{id_}/content"


def test_a_pass_opens_a_video_for_its_player_alone(tenants, shown):
    cookie = pass_of(given(tenants.acme))
    reply = tenants.stranger.get(
        shown, headers={**cookie, "Range": "bytes=0-9", "Sec-Fetch-Site": "same-origin"}
    )
    assert (reply.status_code, len(reply.content)) == (206, 10)
    assert reply.headers["cache-control"].startswith("private")
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert "cookie" in reply.headers["vary"].lower()
    assert tenants.stranger.get(shown, headers=cookie).status_code == 200


def test_a_pass_says_no_more_than_it_must(tenants):
    plain = given(tenants.acme).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/v1", "Max-Age=3600"} <= set(plain.split("; "))
    assert "Secure" not in plain
    assert "Domain" not in plain
    assert "Secure" in given(tenants.acme, Origin="https://videos.example").headers["set-cookie"].split("; ")
    key = tenants.acme.headers["authorization"].removeprefix("Bearer ")
    assert not any(part in plain for part in (key, key[3:11], key[12:]))


def test_a_pass_opens_nothing_but_what_the_page_shows(tenants, tmp_path, shown):
    cookie = pass_of(given(tenants.acme))
    every = [
        (method, path)
        for method, path in routes(tmp_path)
        if "content" not in path and "/v1/runs/" not in path and path != "/v1/videos/frame"
    ]
    assert {("POST", "/v1/jobs"), ("DELETE", "/v1/pass"), ("GET", "/v1/jobs"), ("GET", "/v1/files")} <= set(
        every
    )
    for method, path in [
        *every,
        ("GET", "/docs"),
        ("GET", "/nowhere"),
        ("GET", f"{shown}/"),
        ("GET", f"/{shown}"),
    ]:
        assert fault(tenants.stranger.request(method, path, headers=cookie)) == (401, "no_key"), path
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert fault(tenants.stranger.request(method, shown, headers=cookie)) == (401, "no_key"), method
    reply = tenants.stranger.post("/v1/jobs", json=ASKED, headers=cookie)
    assert fault(reply) == (401, "no_key")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port or a name beside ours has the cookie, too
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Authorization": "Bearer none"},
    ],
)
def test_other_pages_cannot_use_a_pass(tenants, shown, headers):
    cookie = pass_of(given(tenants.acme))
    assert fault(tenants.stranger.get(shown, headers={**cookie, **headers})) == (401, "no_key")


def test_a_pass_shows_its_owner_only_what_is_theirs(tenants, shown):
    cookie = pass_of(given(tenants.rival))
    assert fault(tenants.stranger.get(shown, headers=cookie)) == (404, "no_such_file")


@pytest.mark.parametrize("value", ["", "x", '"', "\u00e4", "a" * 4000, "vk-00000000"])
def test_what_is_no_pass_opens_nothing(tenants, shown, value):
    headers = {"Cookie": f"{COOKIE}={value}".encode("latin-1")}
    assert fault(tenants.stranger.get(shown, headers=headers)) == (401, "no_key")


def test_a_pass_ends_with_its_key(tenants, shown):
    cookie = pass_of(given(tenants.acme))
    (id_, *_) = [key.id for key in tenants.keys.all() if key.owner == "acme" and "files" in key.scopes]
    tenants.keys.revoke(id_)
    assert fault(tenants.stranger.get(shown, headers=cookie)) == (401, "no_key")


def test_a_pass_is_taken_back(tenants, shown):
    cookie = pass_of(given(tenants.acme))
    reply = tenants.acme.delete("/v1/pass", headers=cookie)
    assert reply.status_code == 204
    assert "Max-Age=0" in reply.headers["set-cookie"]
    assert fault(tenants.stranger.get(shown, headers=cookie)) == (401, "no_key")


def test_a_pass_ends_by_itself_and_the_oldest_gives_way(tenants, shown, monkeypatch):
    first = pass_of(given(tenants.acme))
    for _ in range(module._MAX_PER_KEY):
        last = pass_of(given(tenants.acme))
    assert fault(tenants.stranger.get(shown, headers=first)) == (401, "no_key")
    assert tenants.stranger.get(shown, headers=last).status_code == 200
    monkeypatch.setattr(module, "_LIFETIME_S", -1)
    assert fault(tenants.stranger.get(shown, headers=pass_of(given(tenants.acme)))) == (401, "no_key")


def test_no_pass_stands_in_the_log(tenants, shown, caplog):
    caplog.set_level("INFO", "vidagent.serve")
    cookie = pass_of(given(tenants.acme))
    tenants.stranger.get(shown, headers=cookie)
    until(lambda: sum(getattr(record, "route", "") == "/v1/files/{id}/content" for record in caplog.records))
    token = cookie["Cookie"].partition("=")[2]
    assert not any(token in str(vars(record)) for record in caplog.records)


def test_where_no_key_is_asked_for_there_is_no_pass(client):
    assert "set-cookie" not in given(client).headers
