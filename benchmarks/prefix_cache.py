"""How much of its prompts a run finds in the server's prefix cache, for one question and for a second one.

Whole runs of `analyze_video` go to a real vLLM server through a proxy on the loopback. It leaves prompts as they are
and writes the replies: a model of random weights cannot plan, so each request is bound to one literal reply
(`structured_outputs` with one `choice`). Tokens are those that the server counted, as the answer reports them. A salt
of its own makes each pair of questions start with an empty cache.

`--against FOLDER` measures an older working tree of the project, too, and prints both.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PROFILE = """
planner = "{planner}"
tool_choice = "auto"
overview_frames = 16
frames_per_call = 12
frame_side_px = 640
crop_side_px = 640
context_tokens = 16384
frame_tokens = 240
look_concurrency = 1
[completion_tokens]
plan = 512
look = 512
verify = 512
compose = 512
"""
FIRST = "What does the person hold, and when is it put down?"
SECOND = "Which colour is the thing that is put down?"
STEPS = {"ledger": "plan", "looking_for": "look", "claim": "verify", "claims": "compose"}
Calls = list[tuple[str, dict[str, Any]]]


def turns(question: str, whole_s: float) -> list[Calls]:
    """Return the planner's turns: first an overview, clips, a finer look, a crop; then the same places again."""
    early = {"start_s": round(0.2 * whole_s, 2), "end_s": round(0.5 * whole_s, 2)}
    late = {"start_s": round(0.5 * whole_s, 2), "end_s": round(0.8 * whole_s, 2)}
    at_s = round(0.3 * whole_s, 2)
    crop = {"time_s": at_s, "grid": "1x1"}
    if question == SECOND:
        claims = [{"text": "The thing put down is red.", "ledger": ["L2"], "time_s": at_s}]
        return [
            [("clip", {**early, "question": "Which colour is the thing?"})],
            [("crop", {**crop, "question": "Which colour is the thing?"})],
            [answer("It is red.", claims)],
        ]
    fine = {"start_s": at_s, "end_s": round(at_s + 1.5, 2), "fps": 4}
    claims = [
        {"text": "The person holds a cup.", "ledger": ["L5"], "time_s": at_s},
        {"text": "The cup is put down.", "ledger": ["L4"], "time_s": round(at_s + 0.75, 2)},
    ]
    return [
        [("overview", {"question": "What happens, and where in the video?"})],
        [("clip", {**part, "question": "Is a thing put down?"}) for part in (early, late)],
        [("resample", {**fine, "question": "When does the thing touch the table?"})],
        [("crop", {**crop, "question": "What is in the hand?"})],
        [answer("A cup, put down soon after.", claims)],
    ]


def answer(text: str, claims: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Return the call that ends the planning."""
    return "answer", {"found": "yes", "answer": text, "claims": claims, "spans": [], "confidence": 0.9}


class Planner:
    """Writes the replies of one run.

    Args:
        question: The question asked.
    """

    def __init__(self, question: str) -> None:
        """Start before the first turn."""
        self.question, self.turn = question, 0

    def reply(self, body: dict[str, Any]) -> str:
        """Return the literal reply to a request."""
        text = json.dumps(body["messages"])
        step = next(step for name, step in STEPS.items() if f"<{name}>\\n" in text)
        if step == "plan":
            match = re.search(r"duration ([\d.]+) s", text)
            whole_s = float(match[1]) if match else 0.0
            calls, self.turn = turns(self.question, whole_s)[self.turn], self.turn + 1
            return "\n".join(map(_written, calls))
        replies = {
            "look": {"found": True, "what": "A red cup in a hand.", "sightings": [], "confidence": 0.9},
            "verify": {"why": "It is seen.", "verdict": "supported", "confidence": 0.9},
            "compose": {"answer": "A red cup, put down.", "choice": None, "confidence": 0.9},
        }
        return json.dumps(replies[step])


def _written(call: tuple[str, dict[str, Any]]) -> str:
    name, args = call
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': args})}\n</tool_call>"


@contextmanager
def proxy(base_url: str, planner: Planner, salt: str) -> Iterator[str]:
    """Stand between the program and the server; the prompts stay as they are, the replies are the planner's."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            self._pass(None)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body.pop("response_format", None)
            for tool in body.get("tools", []):
                tool["function"].pop("strict", None)
            if "tools" in body:
                body["tool_choice"] = "auto"
            body["structured_outputs"] = {"choice": [planner.reply(body)]}
            body["chat_template_kwargs"] = {"enable_thinking": False}
            body["cache_salt"] = salt
            self._pass(json.dumps(body).encode())

        def _pass(self, data: bytes | None) -> None:
            url = base_url.removesuffix("/v1") + self.path
            request = urllib.request.Request(url, data, {"content-type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=600) as reply:
                    status, said = reply.status, reply.read()
            except urllib.error.HTTPError as refused:
                status, said = refused.code, refused.read()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def measure(base_url: str, model: str, video: Path, planner: str) -> dict[str, Any]:
    """Ask both questions, one after the other, and return what each step took of them."""
    import vidagent  # the one of this process, which may be an older one

    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "prefix.toml"
        profile.write_text(PROFILE.format(planner=planner))
        os.environ |= {"VIDAGENT_PROFILE": str(profile), "VIDAGENT_CACHE_DIR": folder}
        salt, found = secrets.token_hex(8), {}
        for question in (FIRST, SECOND):
            with proxy(base_url, Planner(question), salt) as url:
                told = vidagent.analyze_video(video, question, base_url=url, model=model).to_dict()
            found[question] = [told["usage"], *told["usage"]["by_step"]]
    return found


def row(name: str, arms: list[list[dict[str, Any]]]) -> str:
    """Return a line of the table: the calls, and for each arm tokens, cached tokens and their share."""
    cells = [name, str(sum(step["model_calls"] for step in arms[0]))]
    for steps in arms:
        prompt, cached = (sum(step[f"{kind}_tokens"] for step in steps) for kind in ("prompt", "cached"))
        cells += [f"{prompt:,}", f"{cached:,}", f"{cached / max(prompt, 1):.0%}"]
    return "| " + " | ".join(cells) + " |"


def table(arms: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of one table."""
    heads = [f"{head}, {name}" for name in arms for head in ("prompt tokens", "cached", "share")]
    yield "| question, step | calls | " + " | ".join(heads) + " |"
    yield "|---|---|" + "---|" * len(heads)
    for number, question in enumerate((FIRST, SECOND), 1):
        for step in STEPS.values():
            steps = [[one for one in arm[question][1:] if one["step"] == step] for arm in arms.values()]
            yield row(f"{number}, {step}", steps)
        yield row(f"{number}, all", [[arm[question][0]] for arm in arms.values()])
    yield row("both", [[arm[question][0] for question in (FIRST, SECOND)] for arm in arms.values()])


def measured_apart(tree: Path, given: argparse.Namespace, planner: str) -> dict[str, Any]:
    """Measure a working tree in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), str(given.video.resolve()), "--one", planner]
    command += ["--base-url", given.base_url, "--model", given.model]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(tree)}, cwd=tree, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


def main() -> None:
    """Measure one working tree or two, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, help="a video of 10 s or more")
    parser.add_argument("--base-url", default="http://127.0.0.1:8000/v1", help="a vLLM server")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--against", type=Path, help="another working tree of the project, to compare with")
    parser.add_argument("--one", choices=["free", "phased"], help="measure one planner, print JSON")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.base_url, given.model, given.video, given.one)))
        return
    here = Path(__file__).resolve().parent.parent
    trees = {"before": given.against, "after": here} if given.against else {"now": here}
    for planner in ("phased", "free"):
        arms = {name: measured_apart(tree.resolve(), given, planner) for name, tree in trees.items()}
        print(f"\nPlanner `{planner}`:\n", *table(arms), sep="\n", flush=True)


if __name__ == "__main__":
    main()
