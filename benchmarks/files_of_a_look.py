"""Count the files and functions of vidagent that one look runs, from the graph's node down.

    python -m benchmarks.files_of_a_look [--tool clip] [--recorded] [--text]

The video is a drawn clip of eight seconds, the model a scripted one in this process. Only what runs in this process
is counted, in all of its threads: decoding happens in another one. A first look runs uncounted, so that what is done
once for each process, such as reading the prompts, is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.runtime import Runtime

import vidagent
from tests.media.make import CLIPS
from vidagent.agents.client.client import ModelClient
from vidagent.agents.profiles.loader import load
from vidagent.api.assemble import make_run
from vidagent.graphs.answer_graph import build
from vidagent.graphs.state import Run
from vidagent.runs.folder import new_run_folder
from vidagent.runs.request import make_request
from vidagent.types import Budget
from vidagent.video.video import Video

PACKAGE = Path(vidagent.__file__).parent
CALLS: dict[str, dict[str, Any]] = {
    "clip": {"start_s": 1.0, "end_s": 4.0, "question": "Where is the bar?"},
    "crop": {"time_s": 2.5, "grid": "2x2", "question": "What is in the corners?"},
    "overview": {"question": "What is shown?"},
    "resample": {"start_s": 2.0, "end_s": 2.5, "fps": 10.0, "question": "When does it move?"},
}


class ScriptedChat(BaseChatModel):
    """A chat model that sees the same in all frames."""

    model_name: str = "scripted"
    text: str | None = None
    """What it reads there."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *args: object, **kwargs: object) -> ChatResult:
        sighting = {"time_s": 2.0, "text": self.text}
        reply = {"what": "A bar.", "found": True, "sightings": [sighting], "confidence": 0.9}
        return ChatResult(generations=[ChatGeneration(message=AIMessage(json.dumps(reply)))])

    async def _agenerate(self, messages: list[BaseMessage], *args: object, **kwargs: object) -> ChatResult:
        return self._generate(messages)


def functions_run(work: Callable[[], object]) -> dict[str, set[str]]:
    """Do some work and return the functions of vidagent that it ran, by file, in all threads."""
    found: dict[str, set[str]] = defaultdict(set)

    def enter(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)):
            found[str(Path(code.co_filename).relative_to(PACKAGE))].add(code.co_qualname)

    threading.setprofile_all_threads(enter) if sys.version_info >= (3, 12) else threading.setprofile(enter)
    sys.setprofile(enter)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile_all_threads(None) if sys.version_info >= (3, 12) else threading.setprofile(None)
    return found


def look_once(node: Callable[..., Any], run: Run, tool: str) -> None:
    """Take the graph's node through one look."""
    call = {"turn": 1, "id": "call_1", "entry": "L1", "tool": tool, "args": CALLS[tool]}
    state = {"question": "Where is the bar?", "options": None, "calls": [call], "asked": [call]}
    update = asyncio.run(node(state, Runtime(context=run)))
    entry = update["ledger"][0]
    assert entry["observation"]["found"], entry
    assert entry["look"]["stills"], entry


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tool", choices=sorted(CALLS), default="clip")
    parser.add_argument("--recorded", action="store_true", help="keep the requests, as a run does")
    parser.add_argument(
        "--text", action="store_true", help="have the observer read a text, which the index keeps"
    )
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        record = new_run_folder(Path(folder))
        client = ModelClient(ScriptedChat(text="bar" if args.text else None), load("default"))
        if args.recorded:
            client = client.recorded(lambda line: None)
        video = Video.open(CLIPS["h264"](Path(folder)).path)
        try:
            request, budget = make_request("Where is the bar?"), Budget(seconds=600)
            run = make_run(client, video, request, record, budget, lambda event: None)
            run.meter.resume({}, time.monotonic())
            node = build().builder.nodes["look"].runnable.afunc
            look_once(node, run, args.tool)
            found = functions_run(lambda: look_once(node, run, args.tool))
        finally:
            video.close()
    for file, names in sorted(found.items()):
        print(f"{file}: {', '.join(sorted(names))}")
    print(f"{len(found)} files, {sum(map(len, found.values()))} functions")


if __name__ == "__main__":
    main()
