"""Each request of the guide to NVIDIA's NIM for vision-language models, put to any OpenAI-compatible server.

    python examples/nim_requests.py photo.jpg talk.mp4 --base-url http://127.0.0.1:8000/v1

The two files are sent as base64; `--image-url` and `--video-url` are for the server to fetch. Prints a streamed reply
as it comes, then a table: what each request cost, and how its reply begins. Ends with 1 if a request failed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from functools import partial

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool

from vidagent import VidagentError
from vidagent.agents.client.chat_model import connect
from vidagent.agents.direct import VLM, Question, Reply, image, video

WEB_IMAGE = (
    "https://upload.wikimedia.org/wikipedia/commons/thumb/d/dd/Gfp-wisconsin-madison-the-nature-boardwalk.jpg/"
    "2560px-Gfp-wisconsin-madison-the-nature-boardwalk.jpg"
)
WEB_VIDEO = (
    "https://blogs.nvidia.com/wp-content/uploads/2023/04/nvidia-studio-itns-wk53-scene-in-omniverse-1280w.mp4"
)
SEEN, SHOWN = "What is in this image?", "What is in this video?"

Came = Reply | AIMessage | VidagentError


@tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"-4 degrees and snow in {city}"


def single(given: argparse.Namespace) -> dict[str, Question]:
    """Return the requests that are one question each."""
    ask = partial(Question, max_tokens=given.max_tokens)
    web, film = image(given.image_url), given.video_url
    return {
        "image, URL": ask(SEEN, (web,)),
        "image, base64": ask(SEEN, (image(given.image),)),
        "image, 3 tiles": ask(SEEN, (web,), max_num_tiles=3),
        "image, /think": ask(SEEN, (web,), think=True),
        "video, URL": ask(SHOWN, (video(film),)),
        "video, base64": ask(SHOWN, (video(given.video),)),
        "video, 1 fps": ask(SHOWN, (video(film, fps=1.0),)),
        "video, 16 frames": ask(SHOWN, (video(film, num_frames=16),)),
        "text alone": ask("Plan a week in Southeast Asia.", system="You are a helpful assistant"),
    }


async def streamed(vlm: VLM, given: argparse.Namespace) -> list[Came]:
    """Print the words of a reply as they come."""
    hear = partial(print, end="", flush=True)
    shown = image(given.image_url)
    reply = await vlm.ask(SEEN, shown, max_tokens=given.max_tokens, on_text=lambda _, words: hear(words))
    print("\n")
    return [reply]


async def turns(vlm: VLM, given: argparse.Namespace) -> list[Came]:
    """Ask on: the image and the first reply go along."""
    first = await vlm.ask(SEEN, image(given.image_url), max_tokens=given.max_tokens)
    season = "What would be the best season to visit this place?"
    return [first, await vlm.ask(season, history=first.history, max_tokens=given.max_tokens)]


async def tools(vlm: VLM, given: argparse.Namespace) -> list[Came]:
    """Offer a function; call it as the model says, and give it the result."""
    first = await vlm.ask("Is it cold in Oslo?", tools=[get_weather], max_tokens=given.max_tokens)
    if not first.tool_calls:
        return [first]
    history = [*first.history, *map(get_weather.invoke, first.tool_calls)]
    return [first, await vlm.ask("", history=history, tools=[get_weather], max_tokens=given.max_tokens)]


async def langchain(vlm: VLM, given: argparse.Namespace) -> list[Came]:
    """Invoke LangChain's client for OpenAI, of which `connect` makes one that keeps thoughts."""
    key = os.environ.get("VIDAGENT_API_KEY")
    chat = connect(given.base_url, vlm.name, api_key=key, max_tokens=given.max_tokens)
    shown = {"type": "image_url", "image_url": {"url": given.image_url}}
    return [await chat.ainvoke([HumanMessage([{"type": "text", "text": SEEN}, shown])])]


async def at_once(vlm: VLM, given: argparse.Namespace) -> list[Came]:
    """Ask two things about one video at the same time."""
    ask, film = partial(Question, max_tokens=given.max_tokens), video(given.video_url)
    prompts = ("What is happening in this video?", "Describe the main objects in this video.")
    return list(await vlm.batch([ask(prompt, (film,)) for prompt in prompts]))


async def put_all(given: argparse.Namespace) -> list[tuple[str, Came]]:
    """Put each request, one after the other; return what came back, by name."""
    vlm = VLM.connect(given.base_url, given.model, profile=given.profile)
    came: list[tuple[str, Came]] = []
    for name, question in single(given).items():
        came += [(name, reply) for reply in await vlm.batch([question])]
    for several in (streamed, turns, tools, langchain, at_once):
        try:
            replies = await several(vlm, given)
        except VidagentError as error:
            replies = [error]
        came += [(several.__name__, reply) for reply in replies]
    return came


def row(name: str, came: Came) -> str:
    """Return a line of the table: tokens of the prompt and the reply, and its first words."""
    if isinstance(came, VidagentError):
        return f"{name:16}      -      -  failed: {came}"
    if isinstance(came, AIMessage):
        used = came.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
        prompt, made, said = used["input_tokens"], used["output_tokens"], str(came.text)
    else:
        called = ", ".join(f"{call['name']}({call['args']})" for call in came.tool_calls)
        prompt, made, said = came.usage.prompt_tokens, came.usage.completion_tokens, called or came.text
    return f"{name:16} {prompt:6} {made:6}  {' '.join(said.split())[:60]}"


def main(arguments: Sequence[str]) -> int:
    """Put all requests, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description="Each request of the guide to NVIDIA's NIM.")
    parser.add_argument("image", help="an image file")
    parser.add_argument("video", help="a video file")
    parser.add_argument("--base-url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--model", help="the model's name; the first that the server lists")
    parser.add_argument("--profile", default="nim", help="how it is asked (%(default)s)")
    parser.add_argument("--image-url", default=WEB_IMAGE)
    parser.add_argument("--video-url", default=WEB_VIDEO)
    parser.add_argument("--max-tokens", type=int, default=1024)
    came = asyncio.run(put_all(parser.parse_args(arguments)))
    print("request          prompt  reply  words", *(row(*one) for one in came), sep="\n")
    return int(any(isinstance(reply, VidagentError) for _, reply in came))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
