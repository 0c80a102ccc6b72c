"""Function calling as text: tools, calls and results, for servers without a tool-call parser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from vidagent.agents.prompting.messages import block, parts_of, render


def in_words(
    messages: Sequence[BaseMessage], tools: Sequence[BaseTool | dict[str, Any]], must_call: str | None
) -> list[BaseMessage]:
    """Write as text what function calling would carry: the tools, the calls made, and their results."""
    described = [json.dumps(convert_to_openai_tool(tool)["function"], ensure_ascii=False) for tool in tools]
    spoken: list[BaseMessage] = []
    for message in messages:
        turn = _spoken(message)
        if isinstance(turn, HumanMessage) and spoken and isinstance(spoken[-1], HumanMessage):
            turn = HumanMessage([*parts_of(spoken.pop()), *parts_of(turn)])
        spoken.append(turn)
    guide = render("tools_text", tools="\n".join(described))
    if must_call:  # at the end, as servers cache the beginning of prompts
        spoken.append(_joined(spoken.pop(), f"Now call {must_call!r}, and nothing else."))
    if isinstance(spoken[0], SystemMessage):
        return [SystemMessage(f"{spoken[0].text}\n\n{guide}"), *spoken[1:]]
    return [SystemMessage(guide), *spoken]


def _joined(message: BaseMessage, words: str) -> BaseMessage:
    return message.model_copy(
        update={"content": [*parts_of(message), {"type": "text", "text": f"\n{words}"}]}
    )


def _spoken(message: BaseMessage) -> BaseMessage:
    if isinstance(message, ToolMessage):
        return HumanMessage(block("tool_response", message.text))
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = [
            json.dumps({"name": call["name"], "arguments": call["args"]}, ensure_ascii=False)
            for call in message.tool_calls
        ]
        said = [message.text] if message.text else []
        return AIMessage("\n".join([*said, *(f"<tool_call>{call}</tool_call>" for call in calls)]))
    return message
