"""The server itself: what is open, how errors look, what is logged, and what it refuses to be started as."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.serve.running import process, running
from vidagent.errors import UsageError
from vidagent.serve.core.http.options import ServerOptions

pytestmark = pytest.mark.network
ID = re.compile(r"req-[0-9a-f]{16}")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with running(tmp_path_factory.mktemp("data")) as client:
        yield client


def fault(reply: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of an error, whose form is checked."""
    error = reply.json()["error"]
    assert set(error) <= {"code", "message", "id", "details"}
    assert error["id"] == reply.headers["x-request-id"]
    assert ID.fullmatch(error["id"])
    assert "Traceback" not in reply.text
    return reply.status_code, error["code"]


def test_health(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_follows_the_model(client, monkeypatch):
    assert client.get("/readyz").status_code == 200


def test_not_ready_where_the_model_is_away(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDAGENT_BASE_URL", "http://127.0.0.1:1/v1")
    with running(tmp_path) as client:
        reply = client.get("/readyz")
        assert fault(reply) == (503, "not_ready")
        assert reply.headers["retry-after"] == "5"
        assert client.get("/healthz").status_code == 200


def test_the_routes_are_told(client):
    assert "swagger-ui" in client.get("/docs").text
    document = client.get("/openapi.json").json()
    default = document["paths"]["/healthz"]["get"]["responses"]["default"]
    schema = default["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert set(document["components"]["schemas"][schema]["properties"]) == {"error"}


def test_what_is_not_there_is_a_json_error(client):
    assert fault(client.get("/nowhere")) == (404, "not_found")


def test_a_wrong_method_is_a_json_error(client):
    reply = client.post("/healthz")
    assert fault(reply) == (405, "wrong_method")
    assert reply.headers["allow"] == "GET"


def test_requests_have_ids_of_their_own(client):
    ids = {client.get("/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "", "[::1", "192.168.0.1:80"])
def test_other_names_of_this_machine_are_refused_without_keys(client, host):
    assert fault(client.get("/healthz", headers={"Host": host})) == (403, "wrong_host")


@pytest.mark.parametrize("origin", ["https://example.org", "null", "http://127.0.0.1:1"])
def test_pages_of_other_sites_are_refused_without_keys(client, origin):
    assert fault(client.get("/healthz", headers={"Origin": origin})) == (403, "wrong_origin")


def test_pages_of_this_server_are_let_in(client):
    assert client.get("/healthz", headers={"Origin": str(client.base_url).rstrip("/")}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "example.org", "::"])
def test_no_keys_only_on_the_loopback(host):
    with pytest.raises(UsageError, match=f"localhost; got '{host}'"):
        ServerOptions(host=host, insecure_local=True)


def test_nothing_is_served_to_all(command, tmp_path):
    done = command("serve", "--data-dir", str(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("vidagent: there are no API keys")


def test_bad_options_are_one_line(command, tmp_path):
    done = command("serve", "--insecure-local", "--host", "0.0.0.0")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    done = command("serve", "--development", "--data-dir", str(tmp_path))
    assert done.err.endswith("it needs --insecure-local\n")
    done = command("serve", "--port", "99999", "--insecure-local")
    assert done.err == "vidagent: --port must be 0 to 65535; got 99999\n"
    done = command("serve", "--insecure-local", "--root", str(tmp_path / "none"))
    assert done.err == f"vidagent: --root must be a folder; got '{tmp_path / 'none'}'\n"


def test_a_taken_port_is_one_line_and_exit_2(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("serve", "--insecure-local", "--port", str(port), "--data-dir", str(tmp_path))
    assert done.code == 2
    assert done.err.splitlines()[-1] == f"vidagent: cannot listen on 127.0.0.1 port {port}: is it taken?"


@pytest.mark.parametrize("words", [["--help"], ["serve", "--help"], ["serve", "keys", "list", "--help"]])
def test_help_loads_nothing_of_the_server(words):
    code = f"import sys; from vidagent.serve.cli.app import run; run({words!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {
        "fastapi",
        "langserve",
        "prometheus_client",
        "pydantic_settings",
        "sqlite3",
        "sse_starlette",
        "uvicorn",
    }
    assert heavy & set(done.stderr.split()) == set()


def test_the_process_logs_json_and_ends_on_a_signal(tmp_path):
    with process(tmp_path) as (url, serving):
        id_ = httpx.get(f"{url}/nowhere").headers["x-request-id"]
        serving.send_signal(signal.SIGTERM)
        said = serving.stderr.read().splitlines()
    logged = [json.loads(line) for line in said]
    (line,) = [line for line in logged if line["message"] == "request"]
    assert line["request"] == id_
    assert (line["method"], line["status"], line["client"]) == ("GET", 404, "local")
    assert serving.returncode in {0, -signal.SIGTERM}
