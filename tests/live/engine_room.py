"""Engines in process at work, in vLLM's environment: `python -m tests.live.engine_room ENGINE MODEL PROFILE FOLDER`.

Puts what each test asks to one loaded model, and prints one line of JSON with what came of it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import sys
import threading
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage

import vidagent
from tests.media.code import Code, draw_code
from tests.media.make import encode
from vidagent.agents.client.chat_call import ChatCall
from vidagent.agents.client.limits import CallLimits
from vidagent.agents.client.request_builder import RequestBuilder
from vidagent.agents.engines.base import ChatEngine, EngineCounter
from vidagent.agents.engines.loading import engine, fitted
from vidagent.agents.engines.media import read_video
from vidagent.agents.profiles import loader
from vidagent.agents.profiles.schema import Profile
from vidagent.agents.prompting.messages import verify_messages
from vidagent.agents.prompting.replies import Judgement
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame
from vidagent.types import Budget

TOKENS = 12
THOUGHT = 16
_WEIGHTS = "*.safetensors"
_TOOL = {"type": "function", "function": {"name": "clip", "parameters": {"type": "object", "properties": {}}}}


def put_all(name: Any, model: str, profile: Profile, folder: Path) -> dict[str, Any]:
    """Load the model and put every question to it."""
    chat = engine(name, model, profile)
    if name == "vllm":
        chat.arguments["allowed_local_media_path"] = str(folder)
    chat.ready()
    film = folder / "clip.mp4"
    encode(film)
    done = _said(chat, film)
    done["budget"] = asyncio.run(_thought(chat, fitted(profile, name)))
    done["run"] = _run(name, model, profile, film)
    if name == "transformers":
        done["stops"] = _stopping()
    return done


def _said(chat: ChatEngine, film: Path) -> dict[str, Any]:
    picture = base64.b64encode(jpeg.encode(draw_code(Code(1, 500)))).decode()
    text = {"type": "text", "text": "What is it?"}
    image = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}}
    frames, fewer = ({"type": "video", "video": read_video(film, num_frames=n)} for n in (4, 2))
    path = {"type": "video_url", "video_url": {"url": film.as_uri()}}

    def ask(*questions: list[Any], **options: Any) -> Any:
        replies = chat.answer_all([[HumanMessage([*one])] for one in questions], max_tokens=TOKENS, **options)
        counts = [[r.usage_metadata["input_tokens"], r.usage_metadata["output_tokens"]] for r in replies]
        return counts if len(questions) > 1 else counts[0]

    sampled = {"media_io_kwargs": {"video": {"num_frames": 4}}}
    return {
        "text": ask([text]),
        "image": ask([image, text]),
        "frames": ask([frames, text]),
        "path": ask([path, text], extra_body=sampled),
        "both": ask([image, frames, text]),
        "batch": ask([image, text], [frames, text]),
        "fewer": ask([fewer, text]),
        "uneven": ask([frames, text], [fewer, text]),
        "tools": ask([text], tools=[_TOOL]),
    }


def _stopping() -> dict[str, Any]:
    """Say where and how generating is stopped; `meta` stands for a GPU."""
    import torch

    from vidagent.agents.engines.transformers_engine import _stop_when_set

    left = threading.Event()
    ids = torch.ones((2, 3), dtype=torch.long)
    told = [_stop_when_set(left)(ids, None).tolist()]
    left.set()
    told.append(_stop_when_set(left)(ids, None).tolist())
    return {"told": told, "device": _stop_when_set(left)(ids.to("meta"), None).device.type}


async def _thought(chat: ChatEngine, profile: Profile) -> dict[str, Any]:
    shown = [ShownFrame.of(t / 2, jpeg.encode(draw_code(Code(t, 500 * t)))) for t in range(2)]
    messages = verify_messages("When?", "the bar is red", shown)
    limits = CallLimits(completion_tokens=64, thinking_tokens=THOUGHT)
    call = ChatCall(chat, profile.thinking, endpoint=EngineCounter(chat))
    # Greedily, random weights say one blank after another, of which no thought is left.
    drawn = dataclasses.replace(profile, sampling={"temperature": 1.0, "seed": 1})
    reply = await call.run(RequestBuilder(drawn).ask("verify", messages, Judgement, limits))
    thought = reply.additional_kwargs.get("reasoning_content", "")
    counts = [one.counts for one in call.usages if one.counts is not None]
    return {
        "prompts": [usage["input_tokens"] for usage in counts],
        "made": [usage["output_tokens"] for usage in counts],
        "thought": len(chat.tokens_of(thought.removesuffix("."))),
    }


def _run(name: str, model: str, profile: Profile, film: Path) -> dict[str, Any]:
    budget = Budget(steps=1, model_calls=3, completion_tokens=400)
    answer = vidagent.analyze_video(film, "When is it red?", engine=name, model=model, budget=budget)
    used = answer.usage
    return {
        "status": answer.status,
        "calls": used.model_calls,
        "prompt_tokens": used.prompt_tokens,
        "thinking_tokens": used.thinking_tokens,
    }


def weighed(model: Path, folder: Path) -> Path:
    """Return the model, or a copy with random weights where it has only a description."""
    if any(model.glob(_WEIGHTS)):
        return model
    import shutil

    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    made = folder / model.name
    shutil.copytree(model, made)
    torch.manual_seed(0)
    AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(model)).float().save_pretrained(made)
    return made


def main() -> None:
    """Print what came of every question."""
    name, model, profile, folder = sys.argv[1:]
    path = str(weighed(Path(model), Path(folder)) if name == "transformers" else model)
    with contextlib.redirect_stdout(sys.stderr):
        done = put_all(name, path, loader.load(profile), Path(folder))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
