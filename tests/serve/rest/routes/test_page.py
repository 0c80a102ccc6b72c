"""The page's files as they are sent: what browsers may keep, and what the page may do."""

from __future__ import annotations

import re

import pytest

from tests.serve.core.http.test_server import fault

pytestmark = pytest.mark.network


def assets(client) -> list[str]:
    """Return the paths of all that the page loads, what its scripts import among it."""
    html = client.get("/").text
    found = re.findall(r'(?:src|href)="(/page/[^"]+)"', html)
    script = next(path for path in found if path.endswith("main.js"))
    base, waiting = script.removesuffix("main.js"), ["main.js"]
    while waiting:
        for name in re.findall(r'from "\./([\w.]+)"', client.get(base + waiting.pop()).text):
            if base + name not in found:
                found.append(base + name)
                waiting.append(name)
    return sorted(set(found))


def test_the_page_needs_nothing_from_elsewhere_and_no_string_becomes_code(client):
    reply = client.get("/")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        part.strip().partition(" ")[::2] for part in reply.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert re.search(r"<style|<script(?! type=\"module\" src)|\son\w+=|style=|https?://", reply.text) is None
    assert "{{" not in reply.text


def test_every_file_is_there_and_kept_for_good(client):
    every = assets(client)
    assert len(every) > 12
    for path in every:
        reply = client.get(path)
        assert (reply.status_code, reply.headers["x-content-type-options"]) == (200, "nosniff"), path
        assert "immutable" in reply.headers["cache-control"]
        assert "innerHTML" not in reply.text
    kinds = {path.rpartition(".")[2]: client.get(path).headers["content-type"] for path in every}
    assert kinds == {
        "js": "text/javascript; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml",
    }


def test_the_page_itself_is_asked_for_again_and_not_sent_again(client):
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    for tag in (first.headers["etag"], f'"other", W/{first.headers["etag"]}'):
        again = client.get("/", headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200
    head = client.head("/")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])


@pytest.mark.parametrize("path", ["/page", "/page/", "/page/0/main.js", "/index.html", "/page/../page.py"])
def test_nothing_else_is_there(client, path):
    assert client.get(path).status_code == 404


def test_with_keys_the_page_is_open_and_all_else_closed(tenants):
    every = ["/", *assets(tenants.stranger)]
    for path in every:
        assert tenants.stranger.get(path).status_code == 200, path
    assert 'data-keys="needed"' in tenants.stranger.get("/").text
    base = every[1].rpartition("/")[0]
    for method, path in [("POST", "/"), ("DELETE", every[1])]:
        assert tenants.stranger.request(method, path).status_code == 405, path
    server = str(tenants.stranger.base_url).rstrip("/")
    for path in (f"{base}/none.js", f"{base}/", base, "/page/", "//", f"/{every[1]}", "/%2e"):
        assert fault(tenants.stranger.get(server + path)) == (401, "no_key"), path
    assert fault(tenants.stranger.get("/page/0/main.js")) == (401, "no_key")
    assert fault(tenants.stranger.get(f"{base}/../../v1/jobs")) == (401, "no_key")


def test_without_keys_it_asks_for_none(client):
    assert 'data-keys="none"' in client.get("/").text
