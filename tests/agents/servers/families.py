"""Servers true to the habits of a family: their field names, limits, refusals and thoughts, over one honest model.

with serve(FAMILIES["one image"]) as server:
    analyze_video(path, question, base_url=server.url)
server.bodies, spent(server)
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.scripted_server import (
    Raw,
    Reply,
    ScriptedServer,
    block_of,
    calls,
    labelled_images,
    parts,
    refusal,
    says,
    step_of,
    texts,
    tool_names,
)

PICTURE_TOKENS = 256
FIELDS = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "response_format",
    "stream",
    "stream_options",
    "max_tokens",
}
FIELDS |= {"temperature", "top_p", "stop", "n", "seed", "frequency_penalty", "max_completion_tokens"}
"""Request fields of OpenAI's API."""


def template_off(body: dict[str, Any]) -> bool:
    return (body.get("chat_template_kwargs") or {}).get("enable_thinking") is False


def effort_off(body: dict[str, Any]) -> bool:
    return body.get("reasoning_effort") == "none"


def prompt_off(body: dict[str, Any]) -> bool:
    return "/no_think" in texts(body)


@dataclass(frozen=True)
class Family:
    """The habits of a server.

    Args:
        thought: Tokens that the model thinks unless it is switched off.
        thought_field: Field of the message that holds the thought; None hides it, but counts it.
        off: Whether a request switches thinking off.
        tools: What it does with tools: calls them, ignores them, or refuses with these words.
        schema: The same for `response_format`.
        most_images: Pictures of one request.
        context: Tokens of a prompt and its reply, or None.
        too_long: Its error for a prompt that is too long; None cuts it off and says nothing.
        fields: Request fields that it takes; None takes any.
        refuses: Words about a field that it does not take.
        refused_choice: Words about a `tool_choice` that is an object, or None.
        counts: Whether it reports usage.
        sees: Whether pictures reach the model.
        box: Where the ball lies in each frame, in the form of the family; None leaves boxes out.
        errors: How it words an error.
        routes: Replies of other paths.
        loaded: Replies of other paths from the first question on, which loads the model.
        owner: `owned_by` of its models.
        model: The model's id.
    """

    thought: int = 0
    thought_field: str | None = "reasoning"
    off: Callable[[dict[str, Any]], bool] = lambda body: False
    tools: str = "calls"
    schema: str = "holds"
    most_images: int = 128
    too_many: str = "At most {most} image(s) may be provided in one prompt."
    context: int | None = None
    too_long: Callable[[int, int], Raw] | None = None
    fields: frozenset[str] | None = None
    refuses: str = "Unrecognized request argument supplied: {name}"
    refused_choice: str | None = None
    counts: bool = True
    sees: bool = True
    box: tuple[float, ...] | None = None
    errors: Callable[[int, str], Raw] = refusal
    routes: Mapping[str, Any] = field(default_factory=dict)
    loaded: Mapping[str, Any] = field(default_factory=dict)
    owner: str = "test"
    model: str = "scripted"


def serve(family: Family, port: int = 0) -> ScriptedServer:
    """Return the server of a family."""
    listed = {"id": family.model, "object": "model", "owned_by": family.owner}
    routes = {"/v1/models": {"object": "list", "data": [listed]}, **family.routes}
    asked = threading.Event()

    def reply(body: dict[str, Any]) -> Reply:
        asked.set()
        return _reply(family, body)

    for path, told in family.loaded.items():
        before = routes.get(path, {})
        routes[path] = lambda _, before=before, told=told: told if asked.is_set() else before
    return ScriptedServer(reply, models=[family.model], routes=routes, port=port)


def spent(server: ScriptedServer) -> tuple[int, int]:
    """Return the requests of a server, and their tokens, prompt and reply together."""
    return len(server.bodies), sum(body["spent"] for body in server.bodies)


def prompt_tokens(body: dict[str, Any]) -> int:
    """Count a prompt: four characters a token, and each picture."""
    chars = len(texts(body)) + len(json.dumps(body.get("tools", [])))
    return chars // 4 + PICTURE_TOKENS * _pictures(body)


def _reply(family: Family, body: dict[str, Any]) -> Reply:
    body["spent"] = 0
    refused = _refused(family, body)
    if refused is not None:
        return refused
    prompt = prompt_tokens(body)
    if family.context and family.too_long is None:
        prompt = min(prompt, family.context)
    room = body.get("max_tokens") or body.get("max_completion_tokens") or 100_000
    if family.context:
        room = min(room, family.context - prompt)
    thought = 0 if family.off(body) else min(family.thought, room)
    reply = _says(family, body)
    [choice] = reply["choices"]
    said = len(json.dumps(choice["message"])) // 4
    if thought:
        cut = thought == room
        if family.thought_field:
            choice["message"][family.thought_field] = "hm " * thought
        if cut:
            choice["message"] |= {"content": None}
            choice["message"].pop("tool_calls", None)
            choice["finish_reason"], said = "length", 0
    body["spent"] = prompt + thought + said
    reply["usage"] = {
        "prompt_tokens": prompt,
        "completion_tokens": thought + said,
        "total_tokens": prompt + thought + said,
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
    if not family.counts:
        del reply["usage"]
    return reply


def _refused(family: Family, body: dict[str, Any]) -> Raw | None:
    known = family.fields
    for name in body:
        if known is not None and name not in known | {"spent"}:
            return family.errors(400, family.refuses.format(name=name))
    if body.get("tools") and family.tools not in {"calls", "ignores"}:
        return family.errors(400, family.tools)
    if isinstance(body.get("tool_choice"), dict) and family.refused_choice:
        return family.errors(400, family.refused_choice)
    if "response_format" in body and family.schema not in {"holds", "ignores"}:
        return family.errors(400, family.schema)
    if _pictures(body) > family.most_images:
        return family.errors(400, family.too_many.format(most=family.most_images))
    prompt = prompt_tokens(body)
    if family.context and family.too_long and prompt >= family.context:
        return family.too_long(prompt, family.context)
    return None


def _says(family: Family, body: dict[str, Any]) -> dict[str, Any]:
    """Answer as an honest model that sees a ball in every frame."""
    step = step_of(body)
    if step is None:
        return _probed(family, body)
    if step == "plan":
        return _planned(family, body)
    replies: dict[str, dict[str, Any]] = {
        "route": {"question": "", "kind": "whole", "thing": "a ball", "start_s": None, "end_s": None},
        "look": {"found": True, "what": "a ball lies there", "sightings": [], "confidence": 0.9}
        | ({"sightings": _sightings(family, body)} if family.box else {}),
        "verify": {"why": "the ball is seen", "verdict": "supported", "confidence": 0.9},
    }
    return says(json.dumps(replies[step]))


def _sightings(family: Family, body: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"time_s": time_s, "text": None, "box": family.box} for time_s, _ in labelled_images(body)]


def _planned(family: Family, body: dict[str, Any]) -> dict[str, Any]:
    call: tuple[str, dict[str, Any]] = ("clip", {"start_s": 1, "end_s": 3, "question": "Is there a ball?"})
    if "L1" in (block_of(body, "ledger") or ""):
        claim = {"text": "A ball lies there.", "ledger": ["L1"], "time_s": None}
        call = ("answer", {"found": "yes", "answer": "A ball lies there.", "claims": [claim]})
    if tool_names(body):
        return calls(call) if family.tools == "calls" else says("I would look at the clip.")
    written = {"name": call[0], "arguments": call[1]}
    return says(f"<tool_call>{json.dumps(written)}</tool_call>")


def _probed(family: Family, body: dict[str, Any]) -> dict[str, Any]:
    """Answer a probe: by a call, by the schema, or in words."""
    if tool_names(body) and family.tools == "calls":
        return calls((tool_names(body)[0], {"word": "kiwi"}))
    if "response_format" in body and family.schema == "holds":
        return says('{"word": "kiwi"}')
    return says("KIWI" if family.sees and _pictures(body) else "ready")


def _pictures(body: dict[str, Any]) -> int:
    return sum(part["type"] == "image_url" for part in parts(body))


def _vllm_too_long(prompt: int, context: int) -> Raw:
    words = f"This model's maximum context length is {context} tokens. However, your request has {prompt} input tokens."
    return refusal(400, words)


def _llamacpp_too_long(prompt: int, context: int) -> Raw:
    message = "the request exceeds the available context size, try increasing it"
    error = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    return Raw({"error": {**error, "n_prompt_tokens": prompt, "n_ctx": context}}, status=400)


def _lmstudio_too_long(prompt: int, context: int) -> Raw:
    words = (
        f"Trying to keep the first {prompt} tokens when context the overflows. However, the model is loaded with "
        f"context length of only {context} tokens, which is not enough."
    )
    return Raw({"error": words}, status=400)


def _gemini_error(status: int, message: str) -> Raw:
    error = {"code": status, "message": message, "status": "INVALID_ARGUMENT"}
    return Raw(json.dumps([{"error": error}]), status=status)


def _word_error(status: int, message: str) -> Raw:
    return Raw({"error": message}, status=status)


def _openai_error(status: int, message: str) -> Raw:
    return Raw({"error": {"message": message, "type": "invalid_request_error", "code": None}}, status=status)


_EMBEDS = {"id": "text-embedding-nomic", "type": "embeddings"}
FAMILIES: dict[str, Family] = {
    "thinks 500 tokens": Family(thought=500, off=prompt_off),
    "thinks 3,000 tokens": Family(thought=3000, thought_field="reasoning_content", off=template_off),
    "thinks 10,000 tokens, no switch": Family(thought=10_000),
    "no tools": Family(
        tools='"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    ),
    "no schema": Family(schema="response_format is not supported by this server"),
    "one image": Family(most_images=1),
    "small context": Family(context=4096, too_long=_vllm_too_long),
    "strict": Family(
        fields=frozenset(FIELDS - {"max_tokens", "temperature"}),
        refuses="Unsupported parameter: '{name}' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        errors=_openai_error,
    ),
    "no usage": Family(counts=False),
    "Gemini": Family(
        thought=1500,
        thought_field=None,
        off=effort_off,
        fields=frozenset(FIELDS | {"reasoning_effort"}),
        refuses='Invalid JSON payload received. Unknown name "{name}": Cannot find field.',
        errors=_gemini_error,
        owner="google",
        model="models/gemini-3-flash",
    ),
    "Ollama": Family(
        thought=800,
        off=effort_off,
        tools="registry.ollama.ai/library/moondream:latest does not support tools",
        context=4096,
        owner="library",
        model="moondream:latest",
        routes={"/api/version": {"version": "0.32.1"}},
        loaded={"/api/ps": {"models": [{"name": "moondream:latest", "context_length": 4096}]}},
    ),
    "llama.cpp": Family(
        thought=2000,
        thought_field="reasoning_content",
        off=template_off,
        context=8192,
        too_long=_llamacpp_too_long,
        owner="llamacpp",
        model="gemma-4-12b-it-Q4_K_M.gguf",
        routes={
            "/props": {
                "default_generation_settings": {"n_ctx": 8192},
                "modalities": {"vision": True},
                "build_info": "b9990",
            }
        },
    ),
    "LM Studio": Family(
        context=4096,
        too_long=_lmstudio_too_long,
        refused_choice="Invalid tool_choice type: 'object'. Supported string values: none, auto, required",
        errors=_word_error,
        owner="organization_owner",
        model="qwen2.5-vl-7b-instruct",
        routes={"/api/v0/models": {"data": [{"id": "qwen2.5-vl-7b-instruct", "type": "vlm"}, _EMBEDS]}},
        loaded={
            "/api/v0/models": {
                "data": [
                    {"id": "qwen2.5-vl-7b-instruct", "type": "vlm", "loaded_context_length": 4096},
                    _EMBEDS,
                ]
            }
        },
    ),
    "ignores tools": Family(tools="ignores", schema="ignores"),
}
