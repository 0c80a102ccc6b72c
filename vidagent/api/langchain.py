"""The agent as a part of other agents: a LangChain tool, and a graph of messages for chats and deepagents."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Annotated, Any, Unpack

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from vidagent.agents.prompting.video_findings import names_of
from vidagent.agents.signals.language.wording import CONNECT
from vidagent.api.ask import aanalyze_video, analyze_video, run_to_its_end
from vidagent.api.ask_many import StrPath, paths_of
from vidagent.api.videos import probe_video
from vidagent.errors import VidagentError
from vidagent.graphs.events import Event, Listener
from vidagent.runs.request import AgentArguments, check_listed, make_request, with_listed_keywords
from vidagent.types import Answer
from vidagent.video.clock import format_time

_ABOUT = (
    "Ask a question about {videos}. An agent searches the whole video and checks what it finds; the answer says when "
    "it was seen, each claim with its time and verdict, or plainly that it was not found. Good for: when something "
    "happens, how often, how long, what is written, what comes before or after. It takes from seconds to minutes."
)
_ADVICE = "name another model or its server (`model`, `base_url`)"
_WHICH = "Which video? Write its path on this machine, in quotes if it has spaces."
_WHAT = "What do you want to know about {name}?"
_WORD = re.compile(r"\"([^\"]+)\"|'([^']+)'|`([^`]+)`|(\S+)")
_ANY = "What is shown?"
"""A question by which the arguments are checked before the first one is asked."""
_AROUND = ".,;:!?()[]<>"


class _Arguments(BaseModel):
    """What the tool is called with."""

    question: str = Field(description="the question, complete in itself")
    options: list[str] | None = Field(
        default=None,
        description="at least two different answers to choose from; leave out for an open question",
    )


class _Conversation(TypedDict):
    """State of the graph: its messages, and the videos that they named last."""

    messages: Annotated[list[AnyMessage], add_messages]
    videos: list[str]


class _Messages(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


MessagesGraph = CompiledStateGraph[Any, None, Any, Any]


@with_listed_keywords
def as_tool(video: StrPath | Sequence[StrPath], **arguments: Unpack[AgentArguments]) -> BaseTool:
    """Return a LangChain tool by which another agent asks about a video, or about several together.

        >>> agent = create_agent("openai:gpt-5", [as_tool("talk.mp4", budget={"seconds": 120})])

    The tool, `ask_video`, takes a question and options to choose from. Its content is the answer in words, with places
    and checked claims; its artifact is the whole `Answer` as JSON. An error is told to the agent that calls it.

    Args:
        video: As `path` of `analyze_video`.
        model: As for `analyze_video`, like those that follow.
        base_url: Base URL of the model's server.
        engine: `server`, `vllm` or `transformers`.
        api_key: API key of the server.
        budget: Limits of each question.
        fps: Frames per second of the first overview.
        num_frames: Number of its frames.
        decoder: `pyav`, `decord` or `torchcodec`.
        video_stream: Number of the video stream.

    Raises:
        VideoError: If a video is missing, unreadable or unsupported.
        UsageError: If there are too many, or an argument is out of range.
    """
    check_listed(as_tool, arguments)
    paths = paths_of(video)
    make_request(_ANY, **arguments)

    def ask(question: str, options: list[str] | None = None) -> tuple[str, dict[str, Any]]:
        try:
            answer = analyze_video(paths, question, options=options, **arguments)
        except VidagentError as error:
            raise ToolException(str(error)) from error
        return in_words(answer), answer.to_dict()

    async def aask(question: str, options: list[str] | None = None) -> tuple[str, dict[str, Any]]:
        try:
            answer = await aanalyze_video(
                paths, question, options=options, on_event=custom_stream(), **arguments
            )
        except VidagentError as error:
            raise ToolException(str(error)) from error
        return in_words(answer), answer.to_dict()

    return StructuredTool.from_function(
        ask,
        aask,
        name="ask_video",
        description=_ABOUT.format(videos=_described(paths, arguments)),
        args_schema=_Arguments,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


@with_listed_keywords
def as_graph(
    video: StrPath | Sequence[StrPath] | None = None, **arguments: Unpack[AgentArguments]
) -> MessagesGraph:
    """Return a LangGraph graph whose state has `messages`: the last one is the question, the reply is added.

    It serves chats (Agent Chat UI) and other agents (deepagents: `CompiledSubAgent(runnable=as_graph("talk.mp4"), …)`).
    With a checkpointer, the questions of a thread about one video follow each other. The reply's `response_metadata`
    has the whole `Answer` as `answer`, or an `error` with its type and message; the run's events are the custom stream.

    Args:
        video: As `path` of `analyze_video`. None: the messages name it, by a path on this machine; so whoever can send
            a message can ask about every video that this process can read.
        model: As for `as_tool`, like those that follow.
        base_url: Base URL of the model's server.
        engine: `server`, `vllm` or `transformers`.
        api_key: API key of the server.
        budget: Limits of each question.
        fps: Frames per second of the first overview.
        num_frames: Number of its frames.
        decoder: `pyav`, `decord` or `torchcodec`.
        video_stream: Number of the video stream.

    Raises:
        UsageError: If there are too many videos.
    """
    check_listed(as_graph, arguments)
    bound = None if video is None else [os.fspath(path) for path in paths_of(video)]

    async def reply(state: _Conversation, config: RunnableConfig) -> dict[str, Any]:
        question = _last_question(state["messages"])
        videos = bound or []
        if bound is None:
            question, named = _named_videos(question)
            videos = named or state.get("videos", [])
        if not videos or not question:
            text = _WHAT.format(name=", ".join(names_of(videos))) if videos else _WHICH
            return {"messages": [AIMessage(text)], "videos": videos}
        session = _session(config, videos)
        try:
            answer = await aanalyze_video(
                videos, question, session=session, on_event=custom_stream(), **arguments
            )
        except VidagentError as error:
            told = {"type": type(error).__name__, "message": str(error)}
            message = AIMessage(f"No answer: {error}", response_metadata={"error": told})
            return {"messages": [message], "videos": videos}
        message = AIMessage(in_words(answer), response_metadata={"answer": answer.to_dict()})
        return {"messages": [message], "videos": videos}

    def reply_now(state: _Conversation, config: RunnableConfig) -> dict[str, Any]:
        return run_to_its_end(lambda: reply(state, config))

    graph = StateGraph(_Conversation, input_schema=_Messages, output_schema=_Messages)
    graph.add_node("vidagent", RunnableLambda(reply_now, reply))
    graph.add_edge(START, "vidagent")
    graph.add_edge("vidagent", END)
    return graph.compile(name="vidagent")


def in_words(answer: Answer) -> str:
    """Return an answer as text for another model: the words, then places, checked claims and what was looked at."""
    names = names_of([info.path for info in answer.videos])

    def place(video: int | None) -> str:
        return "" if video is None else f" in {names[video]}"

    told = {part.text for part in answer.parts}
    spans = () if answer.parts else answer.spans
    when = [f"{span.start_s:.3f} to {span.end_s:.3f} s{place(span.video)}" for span in spans]
    lines = [
        answer.answer.replace(CONNECT, _ADVICE),
        "",
        f"status: {answer.status}"
        + (f", ended by {answer.budget.ended_by}" if answer.budget.ended_by else ""),
        *([f"when: {'; '.join(when)}"] if when else []),
        *(
            f"evidence: {item.time_s:.3f} s{place(item.video)}, {item.verdict}: {item.claim}"
            for item in answer.evidence
            if item.claim not in told
        ),
        f"seen: {answer.coverage.share}; confidence {answer.confidence:.2f}",
    ]
    return "\n".join(lines)


def custom_stream() -> Listener | None:
    """Return a listener that passes a run's events to the custom stream of the graph around it; None outside of one."""
    try:
        write = get_stream_writer()
    except RuntimeError:
        return None
    context = copy_context()

    def report(event: Event) -> None:
        if event.kind != "answer":
            context.copy().run(write, {"kind": event.kind, "step": event.step, "text": event.text})

    return report


def _described(paths: Sequence[StrPath], arguments: AgentArguments) -> str:
    """Name the videos, each with its length.

    Raises:
        VideoError: If one cannot be read.
    """
    stream = arguments.get("video_stream")
    infos = [probe_video(Path(path), video_stream=stream).info for path in paths]
    names = names_of([info.path for info in infos])
    each = [
        f"{name} ({format_time(info.duration_s)} long, {info.width}x{info.height})"
        for name, info in zip(names, infos, strict=True)
    ]
    return f"the video {each[0]}" if len(each) == 1 else f"the videos {', '.join(each)}, together"


def _last_question(messages: Sequence[AnyMessage]) -> str:
    asked = [message for message in messages if isinstance(message, HumanMessage)]
    return str(asked[-1].text).strip() if asked else ""


def _named_videos(text: str) -> tuple[str, list[str]]:
    """Return the text with "the video" in place of the paths of files in it, and these paths; no text if only paths."""
    places = list(_paths_in(text))
    found = list(dict.fromkeys(path for _, path in places))
    if not found:
        return text, []
    for written, path in reversed(places):
        number = f" {found.index(path) + 1}" if len(found) > 1 else ""
        text = f"{text[: written.start]}the video{number}{text[written.stop :]}"
    left = re.sub(r"the video( \d+)?", "", text)
    return (text if re.search(r"\w", left) else ""), found


def _paths_in(text: str) -> Iterator[tuple[slice, str]]:
    """Yield each path of an existing file in a text: where it is written there, and the path."""
    for match in _WORD.finditer(text):
        quoted = match[1] or match[2] or match[3]
        written = match[0] if quoted else match[0].strip(_AROUND)
        start = match.start() + match[0].find(written)
        path = os.path.expanduser(quoted or written)  # noqa: PTH111 - Path's raises an error for a word that is none
        if re.search(r"[./]", written) and os.path.isfile(path):  # noqa: PTH113 - likewise
            yield slice(start, start + len(written)), path


def _session(config: RunnableConfig, videos: Sequence[str]) -> str | None:
    """Return the name of the session of a thread about one video; None outside of threads and within another graph.

    Another agent's graph may ask several questions of one thread at once, which a session does not take.
    """
    place = config.get("configurable", {})
    thread = place.get("thread_id")
    if thread is None or len(videos) > 1 or "|" in place.get("checkpoint_ns", ""):
        return None
    return "chat-" + hashlib.sha256(f"{thread}\n{Path(videos[0]).absolute()}".encode()).hexdigest()[:24]
