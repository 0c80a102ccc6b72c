"""An OpenAI-compatible server on the loopback that follows a script, for the client and whole runs.

The script is a callable that gets each request's JSON body and returns a reply: `says(...)`, `calls(...)`, a
completion dict, or a `Raw` that misbehaves. A list of replies is played in order, its last one over and over.

    def script(body):
        if step_of(body) == "plan":
            return calls(("clip", {"start_s": 0, "end_s": 10, "question": "?"}))
        return says('{"found": true, "what": "a red ball", "sightings": [], "confidence": 0.9}')

    with ScriptedServer(script) as server:
        analyze_video(path, question, base_url=server.url, model="scripted")
    pictures = labelled_images(server.bodies[0])
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

LABEL = re.compile(r"t = (\d+(?:\.\d+)?) s\b(?!.*\(a grid).*")
GRID = re.compile(r"t = (.*) \(a grid of frames, row by row from the top left\)")
STEPS = {
    "ledger": "plan",
    "looking_for": "look",
    "claim": "verify",
    "overview": "describe",
    "facts": "route",
    "videos": "turn",
    "parts": "together",
}


@dataclass(frozen=True)
class Raw:
    """A reply byte by byte: any status, any body, late, slow, or never whole.

    Args:
        body: The body; a dict becomes JSON.
        status: The HTTP status.
        content_type: Its media type.
        headers: Further headers.
        delay_s: Seconds before the first byte.
        drip_s: Seconds between one byte of the body and the next; 0 sends it at once.
        sent: Bytes of the body after which the connection is dropped; None sends all.
        hang: Whether to read the request and never answer.
        pieces: Makes the body piece by piece instead, as long as anybody reads it.
        length: The length that the head claims, if another than the body's; pieces claim none by themselves.
    """

    body: bytes | str | dict[str, Any] = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float = 0.0
    sent: int | None = None
    hang: bool = False
    pieces: Callable[[], Iterable[bytes]] | None = None
    length: int | None = None

    @property
    def data(self) -> bytes:
        if isinstance(self.body, dict):
            return json.dumps(self.body).encode()
        return self.body.encode() if isinstance(self.body, str) else self.body


Reply = dict[str, Any] | Raw
Script = Callable[[dict[str, Any]], Reply] | Sequence[Reply]

PAGE = Raw("<!doctype html><title>It works</title>", content_type="text/html")
HANG = Raw(hang=True)
DROPPED = Raw({"choices": []}, sent=0)


def says(content: str | None, **extra: Any) -> dict[str, Any]:
    """Return a completion that says something; `reasoning=` and other message fields may be added."""
    return completion({"role": "assistant", "content": content, **extra})


def calls(*wanted: tuple[str, Any], content: str | None = None, **extra: Any) -> dict[str, Any]:
    """Return a completion with function calls; arguments that are no text become JSON."""
    tool_calls = [
        {
            "id": f"call-{next(_ids)}",
            "type": "function",
            "function": {"name": name, "arguments": args if isinstance(args, str) else json.dumps(args)},
        }
        for name, args in wanted
    ]
    message = {"role": "assistant", "content": content, "tool_calls": tool_calls, **extra}
    return completion(message, finish_reason="tool_calls")


def completion(
    message: dict[str, Any], *, finish_reason: str = "stop", usage: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return a chat completion with one choice."""
    counted = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110} if usage is None else usage
    return {
        "id": f"chatcmpl-{next(_ids)}",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": counted,
    }


def dripping(reply: dict[str, Any], drip_s: float = 0.0004) -> Raw:
    """Return a completion as a stream that comes byte by byte."""
    return Raw(_events(reply), content_type="text/event-stream", drip_s=drip_s)


def refusal(status: int, message: str, **headers: str) -> Raw:
    """Return an error as vLLM words it."""
    body = {"error": {"message": message, "type": "BadRequestError", "param": None, "code": status}}
    return Raw(
        body, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


class ScriptedServer:
    """Serves `/v1/chat/completions` from a script and `/v1/models` from a list; a context manager.

    Attributes:
        url: The base URL, ending in `/v1`.
        routes: Replies of other paths, such as `/tokenize`: a reply, or a callable that gets the body (None for
            a GET; the content type and the bytes of a form).
        asked: The paths of all requests, in order of arrival.
        bodies: The JSON body of every chat request, in order of arrival.
        headers: Their headers, names in lower case.
        gone: How many clients hung up before they had their whole reply.
    """

    def __init__(
        self,
        script: Script,
        *,
        models: Sequence[str] = ("scripted",),
        port: int = 0,
        api_key: str | None = None,
        routes: Mapping[str, Reply | Callable[[Any], Reply]] | None = None,
    ) -> None:
        self.routes, self.asked = dict(routes or {}), list[str]()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.gone = 0
        self._script, self._models, self._api_key = script, tuple(models), api_key
        self._failure: BaseException | None = None
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (_Handler,), {"owner": self}))
        self._http.daemon_threads, self._http.block_on_close = True, False
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        """Stop; raise what the script raised, so that its assertions count."""
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        if self._failure is not None and args[0] is None:
            raise self._failure

    def refuse(self) -> None:
        """Refuse all connections from now on; those that are open go on."""
        self._http.shutdown()
        self._http.server_close()

    @property
    def steps(self) -> list[str | None]:
        """The step of every request, as its blocks tell."""
        return [step_of(body) for body in self.bodies]

    def _reply(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            number = len(self.bodies) - 1
        if self._api_key and headers.get("authorization") != f"Bearer {self._api_key}":
            return refusal(401, "Unauthorized")
        if body.get("model") not in self._models:
            return refusal(404, f"The model `{body.get('model')}` does not exist.")
        if not callable(self._script):
            return self._script[min(number, len(self._script) - 1)]
        try:
            return self._script(body)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - a server's thread would swallow it; it is raised again on exit
            self._failure = error
            return refusal(500, f"the script failed: {error!r}")

    def _beside(self, path: str, body: Any) -> Raw | None:
        """Return the reply of a path beside chat: the routes, then the list of models; None if there is none."""
        self.asked.append(path)
        reply = self.routes.get(path)
        if reply is None and path.rstrip("/") == "/v1/models":
            listed = [{"id": name, "object": "model", "owned_by": "test"} for name in self._models]
            reply = {"object": "list", "data": listed}
        reply = reply(body) if callable(reply) else reply
        return Raw(reply) if isinstance(reply, dict) else reply


class _Handler(BaseHTTPRequestHandler):
    """Answers requests as its owner's script says."""

    owner: ScriptedServer

    def log_message(self, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self._send(self.owner._beside(self.path, None) or Raw(b"", status=404))

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        body = _body(self.headers.get("content-type", ""), data)
        beside = self.owner._beside(self.path, body)
        if beside is not None or self.path.rstrip("/") != "/v1/chat/completions":
            return self._send(beside or Raw({"detail": "Not Found"}, status=404))
        reply = self.owner._reply(body, {name.lower(): value for name, value in self.headers.items()})
        if isinstance(reply, dict) and body.get("stream"):
            return self._send(Raw(_events(reply), content_type="text/event-stream"))
        return self._send(reply if isinstance(reply, Raw) else Raw(reply))

    def _send(self, reply: Raw) -> None:
        try:
            self._try_to_send(reply)
        except OSError:
            self.owner.gone += 1

    def _try_to_send(self, reply: Raw) -> None:
        if reply.hang:
            self.owner._closing.wait()
            return self._drop()
        self.owner._closing.wait(reply.delay_s)
        data = reply.data
        if reply.sent == 0:
            return self._drop()
        self._head(reply, len(data))
        if reply.pieces is not None:
            return self._pour(reply.pieces())
        shown = data[: reply.sent]
        step = 1 if reply.drip_s else max(len(shown), 1)
        for start in range(0, len(shown), step):
            if self.owner._closing.wait(reply.drip_s):
                return self._drop()
            self.wfile.write(shown[start : start + step])
        return self._drop() if reply.sent is not None else None

    def _head(self, reply: Raw, length: int) -> None:
        self.send_response(reply.status)
        for name, value in {"content-type": reply.content_type, **reply.headers}.items():
            self.send_header(name, value)
        claimed = length if reply.length is None and reply.pieces is None else reply.length
        if claimed is not None:
            self.send_header("content-length", str(claimed))
        self.end_headers()

    def _pour(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if self.owner._closing.is_set():
                return self._drop()
            self.wfile.write(piece)
        return None

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the content parts of all messages, in order."""
    found: list[dict[str, Any]] = []
    for message in body["messages"]:
        content = message.get("content") or []
        found += [{"type": "text", "text": content}] if isinstance(content, str) else content
    return found


def texts(body: dict[str, Any]) -> str:
    """Return all the text of a request."""
    return "\n".join(part["text"] for part in parts(body) if part["type"] == "text")


def block_of(body: dict[str, Any], name: str) -> str | None:
    """Return the text of the block `<name>`, or None."""
    match = re.search(rf"^<{name}>\n(.*?)\n?</{name}>$", texts(body), re.DOTALL | re.MULTILINE)
    return None if match is None else match[1]


def claims_of(body: dict[str, Any]) -> list[tuple[str, float | None, float | None]]:
    """Return the claims of a request for verdicts, each with the stretch of its frames where the request says it."""
    found = re.findall(r"^<claim>\n(.*?)\n?</claim>$", texts(body), re.DOTALL | re.MULTILINE)
    if len(found) < 2:
        return [(claim, None, None) for claim in found]
    claim = re.compile(r"\d+\. (?:\(frames? ([\d.]+)(?:-([\d.]+))? s\) )?(.*)", re.DOTALL)
    parts = [match for text in found if (match := claim.fullmatch(text))]
    return [
        (
            part[3],
            None if part[1] is None else float(part[1]),
            None if part[1] is None else float(part[2] or part[1]),
        )
        for part in parts
    ]


def judges(body: dict[str, Any], judge: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Reply to a request for verdicts with what `judge` says of each claim."""
    told = [judge(claim) for claim, _, _ in claims_of(body)]
    if len(told) == 1:
        return says(json.dumps(told[0]))
    return says(json.dumps({"verdicts": [{"claim": n, **one} for n, one in enumerate(told, 1)]}))


def step_of(body: dict[str, Any]) -> str | None:
    """Return the step that a request belongs to."""
    return next((step for name, step in STEPS.items() if block_of(body, name) is not None), None)


def routes(kind: str = "whole", **changed: Any) -> dict[str, Any]:
    """Return a reply that sorts the question."""
    told = {"question": "", "kind": kind, "thing": "it", "start_s": None, "end_s": None}
    return says(json.dumps({**told, "anchor": None, "side": None, **changed}))


def tool_names(body: dict[str, Any]) -> list[str]:
    """Return the names of the tools on offer."""
    return [tool["function"]["name"] for tool in body.get("tools", [])]


def must_call(body: dict[str, Any]) -> str | None:
    """Return the one tool that the model has to call, or None."""
    choice = body.get("tool_choice")
    return choice["function"]["name"] if isinstance(choice, dict) else None


def tool_results(body: dict[str, Any]) -> list[str]:
    """Return the texts of the tool messages, in order."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


def frames_shown(body: dict[str, Any]) -> int:
    """Count the frames that a request shows: the single ones, and those in grids."""
    return len(labelled_images(body)) + sum(len(times) for times, _ in grids(body))


def grids(body: dict[str, Any]) -> list[tuple[list[float], bytes]]:
    """Return the grids of a request: the times of their frames, and the picture's bytes."""
    found, label = [], None
    for part in parts(body):
        if part["type"] == "image_url" and label is not None:
            data = part["image_url"]["url"].partition(",")[2]
            times = [float(time_s) for time_s in re.findall(r"(\d+\.\d+) s", label[1])]
            found.append((times, base64.b64decode(data, validate=True)))
        label = GRID.fullmatch(part.get("text", ""))
    return found


def labelled_images(body: dict[str, Any]) -> list[tuple[float, bytes]]:
    """Return the time written beside each picture of a single frame in a request, and the picture's bytes.

    Raises:
        AssertionError: If a picture has no label, or is not a data URL.
    """
    found, label, grid = [], None, None
    for part in parts(body):
        if part["type"] == "image_url" and grid is None:
            assert label is not None, "a picture without a time before it"
            head, _, data = part["image_url"]["url"].partition(",")
            assert head == "data:image/jpeg;base64", head
            found.append((float(label[1]), base64.b64decode(data, validate=True)))
        label, grid = (form.fullmatch(part.get("text", "")) for form in (LABEL, GRID))
    return found


def _body(content_type: str, data: bytes) -> Any:
    """Return a form as its content type and bytes, and anything else as JSON."""
    return (content_type, data) if content_type.startswith("multipart/form-data") else json.loads(data)


def _events(reply: dict[str, Any]) -> bytes:
    """Cut a completion into the events of a stream: the role, the words, the calls, the end, the usage."""
    choice = reply["choices"][0]
    message = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for name in ("reasoning", "reasoning_content", "content"):
        deltas += [{name: word} for word in re.findall(r"\S+\s*|\s+", message.get(name) or "")]
    deltas += [
        {"tool_calls": [{"index": index, **call}]}
        for index, call in enumerate(message.get("tool_calls") or [])
    ]
    base = {"id": reply["id"], "object": "chat.completion.chunk", "created": 0, "model": reply["model"]}
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    chunks.append({**base, "choices": [], "usage": reply["usage"]})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


_ids = itertools.count(1)
