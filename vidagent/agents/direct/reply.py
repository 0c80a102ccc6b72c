"""What came of a question put to a model directly."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_core.messages import AIMessage, ToolCall
from langchain_core.utils.function_calling import convert_to_openai_tool

from vidagent.agents.client.chat_call import thought_in
from vidagent.agents.client.limits import CallUsage
from vidagent.agents.direct.question import Question, Turn
from vidagent.agents.parsing.reply_parser import UnreadableError, parse_calls, split_thought


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model replied.

    Args:
        text: Its words; empty where it only calls functions.
        thought: What it thought before, as far as the server shows it.
        tool_calls: The functions it calls, with arguments in dicts.
        usage: What it cost: prompt, completion, thinking and cached tokens, seconds, requests, pictures.
        finish_reason: Why it ended, as the server says: `stop`, `length`, `tool_calls`.
        notes: Where it was asked otherwise than wanted, and why.
        history: The conversation up to here, for the next question.
    """

    text: str
    thought: str
    tool_calls: tuple[ToolCall, ...]
    usage: CallUsage
    finish_reason: str | None
    notes: tuple[str, ...]
    history: tuple[Turn, ...]


def read(message: AIMessage, question: Question, usage: CallUsage) -> Reply:
    """Read a reply: function calls also where the model wrote them into its text."""
    text = split_thought(message.text)[1]
    calls, problem = _calls(message, text, question)
    text = "" if calls and not message.tool_calls else text
    return Reply(
        text=text,
        thought=thought_in(message),
        tool_calls=calls,
        usage=usage,
        finish_reason=message.response_metadata.get("finish_reason"),
        notes=() if problem is None else (problem,),
        history=(*question.history, *question.turn, AIMessage(text, tool_calls=list(calls))),
    )


def _calls(message: AIMessage, text: str, question: Question) -> tuple[tuple[ToolCall, ...], str | None]:
    """Return the functions called, however they are written, and what is wrong if they cannot be used."""
    if not question.tools:
        return (), None
    known = [str(convert_to_openai_tool(tool)["function"]["name"]) for tool in question.tools]
    spoken = message.model_copy(update={"additional_kwargs": {}}) if text else message
    try:
        return tuple(parse_calls(spoken, known)), None
    except UnreadableError as error:
        tried = message.tool_calls or message.invalid_tool_calls
        return (), f"a function call cannot be used: {error}" if tried else None
