"""A script for `ScriptedServer` that can all that vLLM can, less what a test takes away, in vLLM's words.

    able = Able(lacks={"tools"})
    with able.server() as server:
        ...

Its prompts have a length: words, pictures and frames count. Its thoughts never end by themselves.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from tests.scripted_server import Raw, Reply, ScriptedServer, calls, completion, parts, refusal, says

PICTURE, FRAME, MESSAGE, TOOL, TURN = 50, 20, 4, 30, 3
CLIP_FRAMES = 16
BLOCK = 16

WORDS = {
    "tools": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    "required": '"required" tool choice requires --tool-call-parser to be set',
    "strict": "strict is not supported",
    "json_schema": "response_format is not supported by this server",
    "choices": "structured_outputs is not supported by this server",
    "budget": "thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser",
    "media_options": "Per-request media_io_kwargs are disabled by default because they can change multimodal media "
    "loading resource usage. Start the server with --trust-request-mm-kwargs only when clients are trusted.",
    "both": "fps and num_frames cannot be set together",
    "ids": "Extra inputs are not permitted: uuid",
    "id_reuse": "Cache miss for image at index 0 but data is not provided.",
    "video": "At most 0 video(s) may be provided in one prompt.",
    "pictures": "tiny is not a multimodal model",
    "continue": "continue_final_message is not supported",
    "system": "System role not supported",
}
"""What refuses, and its words. `num_frames`, `switch`, `thinking`, `counts`, `details`, `cache` and `tokenizer` are
lacking without a word."""


class Able:
    """Answers like a vLLM server.

    Args:
        lacks: What it cannot do: keys of `WORDS`, and those named there.
        drops: What it takes and ignores: `pictures`, `tools`, `required`, `strict`, `json_schema`, `choices`,
            `continue`, `budget`.
        most_pictures: Pictures it takes in one prompt.
        tagged: Whether thoughts come as `<think>` in the text.
        hangs_at: A field of requests at which it hangs, such as `tools`.
        dies: Whether it answers nothing any more from there on.
    """

    def __init__(
        self,
        lacks: Collection[str] = (),
        *,
        drops: Collection[str] = (),
        most_pictures: int = 64,
        tagged: bool = False,
        hangs_at: str | None = None,
        dies: bool = False,
    ) -> None:
        self.lacks, self.drops, self.most_pictures, self.tagged = (
            set(lacks),
            set(drops),
            most_pictures,
            tagged,
        )
        self.hangs_at, self.dies, self.dead = hangs_at, dies, False
        self.seen_ids: set[str] = set()
        self.seen_prompts: set[str] = set()

    def server(self, model: str = "tiny", context_tokens: int = 16384, **kwargs: Any) -> ScriptedServer:
        """Return the server; `kwargs` go to `ScriptedServer`."""
        card = {"id": model, "owned_by": "vllm", "root": "org/tiny", "max_model_len": context_tokens}
        routes: dict[str, Any] = {"/v1/models": {"data": [card]}, "/version": {"version": "0.32.0"}}
        if "tokenizer" not in self.lacks:
            routes["/tokenize"] = self.tokenize
        return ScriptedServer(self, models=[model], routes=routes | kwargs.pop("routes", {}), **kwargs)

    def tokenize(self, body: dict[str, Any]) -> Reply:
        """Count a text's words, or a prompt."""
        return {"count": len(body["prompt"].split()) if "prompt" in body else self.length(body)}

    def __call__(self, body: dict[str, Any]) -> Reply:
        if self.dead or (self.hangs_at and self.hangs_at in json.dumps(body)):
            self.dead = self.dies
            return Raw(hang=True)
        refused = self.refused(body)
        return refused or self.reply(body)

    def refused(self, body: dict[str, Any]) -> Raw | None:
        """Refuse what is lacking, or too much."""
        shown = parts(body)
        strict = any(tool["function"].get("strict") for tool in body.get("tools", []))
        pictures = sum(part["type"] == "image_url" for part in shown)
        asked = {
            "system": body["messages"][0]["role"] == "system",
            "tools": "tools" in body,
            "required": "tools" in body and body.get("tool_choice") != "auto",
            "strict": strict,
            "json_schema": "response_format" in body,
            "choices": "structured_outputs" in body,
            "budget": "thinking_token_budget" in body,
            "media_options": "media_io_kwargs" in body,
            "both": len(body.get("media_io_kwargs", {}).get("video", {})) == 2,
            "ids": any("uuid" in part for part in shown),
            "id_reuse": any(part.get("image_url", "") is None for part in shown),
            "video": any(part["type"] == "video_url" for part in shown),
            "pictures": pictures > 0,
            "continue": "continue_final_message" in body,
        }
        for feature, words in WORDS.items():
            if asked[feature] and feature in self.lacks:
                return refusal(400, words)
        if pictures > self.most_pictures:
            words = f"At most {self.most_pictures} image(s) may be provided in one prompt. (parameter=image)"
            return refusal(400, words)
        for part in shown:
            if (
                part["type"] == "image_url"
                and part["image_url"] is None
                and part["uuid"] not in self.seen_ids
            ):
                return refusal(400, WORDS["id_reuse"])
            self.seen_ids.add(part.get("uuid", ""))
        return None

    def length(self, body: dict[str, Any]) -> int:
        """Return the length of a prompt."""
        shown = parts(body)
        words = sum(len(part["text"].split()) for part in shown if part["type"] == "text")
        pictures = 0 if "pictures" in self.drops else sum(part["type"] == "image_url" for part in shown)
        frames = sum(self.frames(body, part) for part in shown if part["type"] == "video_url")
        tools = 0 if "tools" in self.drops else len(body.get("tools", []))
        goes_on = body.get("continue_final_message") and "continue" not in self.drops
        return (
            words + pictures * PICTURE + frames * FRAME + tools * TOOL
            + (MESSAGE * len(body["messages"]) + (0 if goes_on else TURN))
        )  # fmt: skip

    def frames(self, body: dict[str, Any], part: dict[str, Any]) -> int:
        """Return how many frames of a video are in the prompt."""
        asked = body.get("media_io_kwargs", {}).get("video", {})
        if "frames_indices" in asked:
            return len(asked["frames_indices"])
        return CLIP_FRAMES if "num_frames" in self.lacks else min(asked.get("num_frames", 4), CLIP_FRAMES)

    def reply(self, body: dict[str, Any]) -> Reply:
        """Think, if it may, then say what is asked for."""
        room = body["max_tokens"]
        thought = self.thought(body)[:room]
        message = self.message(body)
        said = str(message["content"] or "").split()[: room - len(thought)]
        message["content"] = " ".join(said) or None
        cut = len(thought) == room
        if cut:
            message.pop("tool_calls", None)
        if thought and self.tagged:
            message["content"] = f"<think>{' '.join(thought)}</think> {message['content'] or ''}"
        elif thought:
            message["reasoning"] = " ".join(thought)
        usage = self.usage(body, len(said) or 1, len(thought))
        return completion(message, finish_reason="length" if cut else "stop", usage=usage)

    def thought(self, body: dict[str, Any]) -> list[str]:
        """Return the words of a thought without end, or up to its budget."""
        if "thinking" in self.lacks or body.get("continue_final_message"):
            return []
        off = body.get("chat_template_kwargs", {}).get("enable_thinking") is False
        if off and "switch" not in self.lacks:
            return []
        held = None if "budget" in self.drops else body.get("thinking_token_budget")
        return ["hm"] * (10_000 if held is None else held)

    def message(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return what is said after the thought."""
        if "response_format" in body and "json_schema" not in self.drops:
            return {"role": "assistant", "content": '{"word":"kiwi"}'}
        if "structured_outputs" in body and "choices" not in self.drops:
            return {"role": "assistant", "content": "kiwi"}
        if body.get("tools") and not {"tools", "required"} & self.drops:
            strict = body["tools"][0]["function"].get("strict") and "strict" not in self.drops
            made = calls(("note", {"word": "kiwi" if strict else "banana"}))
            return dict(made["choices"][0]["message"])
        return dict(says("banana KIWI")["choices"][0]["message"])

    def usage(self, body: dict[str, Any], said: int, thought: int) -> dict[str, Any] | None:
        """Count, as vLLM does with `--enable-prompt-tokens-details` and a reasoning parser."""
        if "counts" in self.lacks:
            return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        length, text = self.length(body), json.dumps(body["messages"])
        cached = length // BLOCK * BLOCK if text in self.seen_prompts and "cache" not in self.lacks else 0
        self.seen_prompts.add(text)
        total = {
            "prompt_tokens": length,
            "completion_tokens": said + thought,
            "total_tokens": length + said + thought,
        }
        if "details" in self.lacks:
            return total
        parsed = {} if self.tagged else {"completion_tokens_details": {"reasoning_tokens": thought}}
        return {**total, "prompt_tokens_details": {"cached_tokens": cached}, **parsed}
