"""Uploads: streamed, checked, named by their content, and gone when deleted."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from tests.serve.core.http.test_server import fault
from tests.serve.rest.routes.test_langserve_routes import body
from tests.serve.running import running, until

pytestmark = pytest.mark.network


def upload(client: httpx.Client, data: bytes, name: str = "talk.mp4") -> httpx.Response:
    return client.post("/v1/files", files={"file": (name, data, "video/mp4")}, data={"purpose": "user_data"})


def left(data_dir: Path) -> list[str]:
    return [path.name for path in (data_dir / "files").rglob("*") if path.is_file()]


@pytest.fixture
def data(root) -> bytes:
    return (root / "clip.mp4").read_bytes()


def test_a_video_is_kept_under_its_hash(client, data, tmp_path):
    reply = upload(client, data)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert told["id"] == f"file-{hashlib.sha256(data).hexdigest()}"
    assert (told["object"], told["bytes"], told["filename"]) == ("file", len(data), "talk.mp4")
    assert told["video"]["duration_s"] == 4.0
    assert client.get(f"/v1/files/{told['id']}").json() == told
    assert left(tmp_path) == [told["id"]]
    assert (tmp_path / "files" / "local" / told["id"]).read_bytes() == data


def test_the_same_video_is_there_once(client, data, tmp_path):
    first, second = upload(client, data).json(), upload(client, data, "other.mp4").json()
    assert first["id"] == second["id"]
    assert [told["filename"] for told in client.get("/v1/files").json()["data"]] == ["other.mp4"]
    assert len(left(tmp_path)) == 1


def test_it_is_asked_about_by_its_id(client, data):
    id_ = upload(client, data).json()["id"]
    output = client.post("/vidagent/invoke", json=body("invoke", video=id_)).json()["output"]
    assert (output["answer"], output["video"]["path"]) == ("Something is to be seen.", id_)


def test_it_comes_back_whole_and_in_ranges(client, data):
    id_ = upload(client, data, 'a"b\n.html').json()["id"]
    whole = client.get(f"/v1/files/{id_}/content")
    assert whole.content == data
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = client.get(f"/v1/files/{id_}/content", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])


def test_a_deleted_file_is_gone(client, data, tmp_path):
    id_ = upload(client, data).json()["id"]
    assert client.delete(f"/v1/files/{id_}").json() == {"id": id_, "object": "file", "deleted": True}
    assert left(tmp_path) == []
    assert fault(client.get(f"/v1/files/{id_}")) == (404, "no_such_file")
    assert fault(client.delete(f"/v1/files/{id_}")) == (404, "no_such_file")
    assert fault(client.post("/vidagent/invoke", json=body("invoke", video=id_))) == (404, "no_such_file")


def test_files_outlive_the_server(model, root, data, tmp_path):
    with running(tmp_path, roots=(root,)) as client:
        id_ = upload(client, data).json()["id"]
        (tmp_path / "files" / "local" / ".part-cut-off").write_bytes(b"half")
    with running(tmp_path, roots=(root,)) as client:
        assert client.get(f"/v1/files/{id_}").json()["id"] == id_
        assert left(tmp_path) == [id_]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b\\passwd", "/etc/passwd"])
def test_names_have_no_folders(client, data, name, tmp_path):
    assert upload(client, data, name).json()["filename"] == "passwd"
    assert len(left(tmp_path)) == 1


@pytest.mark.parametrize(
    "id_", ["none", "file-", f"file-{'0' * 64}", "..", "%2e%2e%2f%2e%2e", "local", "a" * 5000]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_other_ids_are_not_there(client, id_, method):
    assert fault(client.request(method, f"/v1/files/{id_}"))[0] == 404


def test_what_is_no_video_is_not_kept(client, tmp_path):
    for junk in (b"", b"no video", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/x.ts\n"):
        reply = upload(client, junk)
        assert fault(reply) == (422, "video")
        assert str(tmp_path) not in reply.text
    assert left(tmp_path) == []


FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
END = b"\r\n--b--\r\n"
BOUND = "multipart/form-data; boundary=b"
FORMS = {
    "no form": ("application/json", b"{}", 415),
    "no boundary": ("multipart/form-data", FORM + b"x" + END, 415),
    "no file": (BOUND, FORM.replace(b'"file"', b'"video"') + b"x" + END, 422),
    "a field for a file": (BOUND, FORM.replace(b'; filename="x"', b"") + b"x" + END, 422),
    "two files": (BOUND, FORM + b"x\r\n" + FORM + b"y" + END, 422),
    "cut off": (BOUND, FORM + b"xxxx", 422),
    "damaged": (BOUND, b"nonsense", 422),
    "a long header": (BOUND, b"--b\r\nX: " + b"x" * 10_000 + b"\r\n" + END, 422),
    "nothing": (BOUND, b"", 422),
    "many parts": (
        BOUND,
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n' * 20 + FORM + b"x" + END,
        422,
    ),
    "much before the file": (
        BOUND,
        FORM.replace(b'"file"', b'"other"') + b"x" * 70_000 + b"\r\n" + FORM + b"x" + END,
        422,
    ),
    "much behind the file": (BOUND, FORM + b"x" + END + b"\0" * 70_000, 422),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_that_are_none(client, form, tmp_path):
    content_type, content, status = FORMS[form]
    reply = client.post("/v1/files", content=content, headers={"Content-Type": content_type})
    assert fault(reply)[0] == status
    assert left(tmp_path) == []


def test_a_large_file_is_refused_before_or_while_it_comes(root, data, tmp_path):
    with running(tmp_path, roots=(root,), max_file_mb=0.01) as client:
        large = data + b"\0" * 200_000
        assert fault(upload(client, large)) == (413, "too_large")

        def pieces():
            yield FORM + data
            for _ in range(100):
                yield b"\0" * 1000
            yield END

        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        assert fault(client.post("/v1/files", content=pieces(), headers=kind)) == (413, "too_large")
        assert left(tmp_path) == []


def test_a_client_that_leaves_leaves_no_file(client, data, tmp_path):
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address) as leaving:
        head = (
            f"POST /v1/files HTTP/1.1\r\nHost: {address[0]}\r\nContent-Length: 9999999\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        leaving.sendall(head.encode() + FORM + data)
        until(lambda: left(tmp_path))
    assert until(lambda: not left(tmp_path)) < 1
    assert client.get("/v1/files").json()["data"] == []


def test_lists_go_on_page_by_page(client, data):
    ids = {upload(client, data + b"\0" * number).json()["id"] for number in range(3)}
    first = client.get("/v1/files", params={"limit": 2}).json()
    assert (len(first["data"]), first["has_more"]) == (2, True)
    rest = client.get("/v1/files", params={"limit": 2, "after": first["data"][-1]["id"]}).json()
    assert (len(rest["data"]), rest["has_more"]) == (1, False)
    assert {told["id"] for told in first["data"] + rest["data"]} == ids
    assert fault(client.get("/v1/files", params={"after": "none"})) == (404, "no_such_file")
    assert fault(client.get("/v1/files", params={"limit": 0})) == (422, "invalid")


def test_openai_clients_upload(client, root):
    openai = OpenAI(base_url=f"{client.base_url}/v1", api_key="none")
    with openai, (root / "clip.mp4").open("rb") as video:
        file = openai.files.create(file=video, purpose="user_data")
        assert (file.filename, file.bytes) == ("clip.mp4", (root / "clip.mp4").stat().st_size)
        assert [told.id for told in openai.files.list()] == [file.id]
        assert openai.files.delete(file.id).deleted
