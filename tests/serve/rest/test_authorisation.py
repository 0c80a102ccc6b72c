"""Every route of the app, whatever it is, closed to those it is not for; a new one is covered by being there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from tests.serve.core.http.test_server import fault
from tests.serve.core.storage.test_files import upload
from tests.serve.core.storage.test_keys import tenants  # noqa: F401 - a fixture
from tests.serve.rest.routes.test_chat import CHAT
from tests.serve.rest.routes.test_langserve_routes import ASKED, body
from tests.serve.rest.test_jobs import added, ended
from vidagent.serve.core.http.options import ServerOptions
from vidagent.serve.rest.app import make
from vidagent.serve.rest.routes.page import Page

pytestmark = pytest.mark.network
OPEN = frozenset({"/healthz", "/readyz"}) | Page(keyed=True, max_bytes=1).paths
"""What tells nothing of anybody's: health, and the files of the page."""
DOCS_FILE = "/static-offline-docs/swagger-ui-bundle.js"
OF_A_VIDEO = frozenset({"/v1/videos/content", "/v1/videos/frame", "/v1/videos/transcript"})
UNSCOPED = frozenset({"/docs", "/docs/oauth2-redirect", "/openapi.json", DOCS_FILE})
"""What tells of the server itself, to everybody who has a key."""


def named(path: str, name: str = "none") -> str:
    """Return a path with names in the places of its parameters."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda part: "0" if part[1] == "number" else name, path)


def paths(routes: list[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the method and the path of every route, also of those of routers inside."""
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if hasattr(route, "methods"):
            yield from ((method, before + route.path) for method in route.methods or ())
        elif isinstance(inner, StaticFiles):
            assert DOCS_FILE.startswith(f"{route.path}/")
            yield "GET", DOCS_FILE
        elif hasattr(inner, "routes"):
            yield from paths(inner.routes, before + getattr(route, "path", ""))
        else:
            pytest.fail(f"what are the routes of {route!r}?")


@pytest.fixture
def every(tmp_path) -> list[tuple[str, str]]:
    options = ServerOptions(insecure_local=True, development=True, data_dir=tmp_path / "other")
    found = sorted(set(paths(make(options).routes)))
    app = make(ServerOptions(insecure_local=True, data_dir=tmp_path / "third"))
    told = {(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item}
    assert told <= set(found)
    return [(method, path) for method, path in found if path not in OPEN]


def test_every_route_is_closed_without_a_key_or_with_a_wrong_one(tenants, every):  # noqa: F811 - the fixture
    key = tenants.acme.headers["authorization"]
    assert len(every) > 30
    for method, path in every:
        for header in ({}, {"Authorization": f"{key}x"}, {"Authorization": key.replace("Bearer", "Basic")}):
            reply = tenants.stranger.request(method, named(path), headers=header)
            assert reply.status_code == 401, (method, path)
            if method != "HEAD":
                assert fault(reply) == (401, "no_key"), (method, path)


def test_every_route_asks_for_its_scope(tenants, tmp_path):  # noqa: F811 - likewise
    app = make(ServerOptions(insecure_local=True, data_dir=tmp_path / "other"))
    for method, path in sorted(set(paths(app.routes))):
        if path in OPEN | UNSCOPED or method == "HEAD":
            continue
        client = tenants.acme if path == "/metrics" else tenants.narrow
        assert fault(client.request(method, named(path))) == (403, "no_scope"), (method, path)


def test_every_route_hides_what_is_another_tenants(tenants, root, tmp_path):  # noqa: F811 - likewise
    file = upload(tenants.acme, (root / "clip.mp4").read_bytes()).json()["id"]
    job = added(tenants.acme, video=file)
    run = ended(tenants.acme, job)["run_id"]
    ids = {"/v1/files": file, "/v1/jobs": job, "/v1/runs": run, "/v1/conversations": job}
    chat = {**CHAT, "messages": [{"role": "user", "content": [
        {"type": "video_url", "video_url": {"url": file}}, {"type": "text", "text": "What?"},
    ]}]}  # fmt: skip
    bodies = {
        "/v1/jobs": {**ASKED, "video": file},
        "/v1/chat/completions": chat,
        "/v1/conversations/{id}": {"title": "mine"},
        **{
            f"/vidagent/{route}": body(route, video=file)
            for route in ("invoke", "batch", "stream", "stream_events")
        },
    }
    app = make(ServerOptions(insecure_local=True, data_dir=tmp_path / "other"))
    for method, path in sorted(set(paths(app.routes))):
        if path in OPEN | UNSCOPED | {"/metrics", "/v1/pass"} or method == "HEAD":
            continue
        prefix = "/".join(path.split("/")[:3])
        if "{" in path and prefix == "/v1/models":
            continue
        place = named(path, ids.get(prefix, "none"))
        asked = {"params": {"video": file}} if path in OF_A_VIDEO else {}
        reply = tenants.rival.request(
            method, place, json=bodies.get(path) if method in {"POST", "PATCH"} else None, **asked
        )
        if "{" in path or (method == "POST" and path in bodies) or asked:
            told = reply.text if "event-stream" in reply.headers["content-type"] else None
            assert reply.status_code == 404 or (told and "no_such_file" in told), (method, path, reply.text)
        elif method == "POST":
            assert (path, reply.status_code) == ("/v1/files", 415)
        else:
            for secret in (file, job, run):
                assert secret not in reply.text, (method, path)
    assert tenants.acme.get(f"/v1/files/{file}").status_code == 200
    assert tenants.acme.get(f"/v1/runs/{run}/frames/0.jpg").status_code == 200
