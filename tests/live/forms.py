"""The guides' request forms put twice to a server: by plain curl, and by our client."""

from __future__ import annotations

import base64
import functools
import json
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
from langchain_core.messages import HumanMessage

from tests.live import guides
from tests.media.code import Code, draw_code
from tests.media.make import encode
from vidagent.agents.direct import VLM, Question, Reply, image, video
from vidagent.images import jpeg

MAX_TOKENS = 8
VLLM, NIM = "nemotron-nano-12b-v2-vl", "nim"
"""Profiles of the servers that the guides are for."""

_WAIT_S = 300
_IMAGE_WH = (1024, 768)
_TIMES_MS = tuple(range(0, 10_000, 40))
_WEATHER = json.loads(guides.NIM_TOOLS)["tools"]
_TRIP = "Create a detailed itinerary for a week-long adventure trip through Southeast Asia."
_SEEN = "What is in this image?"


class RefusedError(Exception):
    """The server does not take a request of curl's; its words."""


@dataclass(frozen=True)
class Media:
    """The media of the forms.

    Args:
        image: A JPEG of 1024x768: 12 tiles for Nemotron.
        video: An mp4 of 10 s at 25 frames a second: 20 frames by a server's default of 2 a second.
        image_url: Where a server can fetch the JPEG.
        video_url: Where it can fetch the mp4.
    """

    image: Path
    video: Path
    image_url: str
    video_url: str


@dataclass(frozen=True)
class Form:
    """One request form.

    Args:
        guide: `vLLM` or `NIM`, whose guide has it; `both` for what goes beyond them.
        name: What it is.
        profile: The profile that our client uses.
        bodies: Its requests by curl.
        ask: The same by our client.
    """

    guide: str
    name: str
    profile: str
    bodies: tuple[str, ...]
    ask: Callable[[VLM, Media], Awaitable[Reply | list[Reply]]]

    async def ours(self, vlm: VLM, media: Media) -> list[int]:
        """Return the prompt tokens of each request of our client."""
        replies = await self.ask(vlm, media)
        return [one.usage.prompt_tokens for one in (replies if isinstance(replies, list) else [replies])]

    def plain(self, base_url: str, model: str, media: Media) -> list[int]:
        """Return the prompt tokens of each request by curl.

        Raises:
            RefusedError: If the server does not take one of them.
        """
        return [_curl(base_url, _filled(body, model, media)) for body in self.bodies]


def _ask(text: str, attach: Callable[[Media], tuple] = lambda media: (), **options) -> Callable:
    """Return how our client asks one question."""
    return lambda vlm, media: vlm.ask(text, *attach(media), max_tokens=MAX_TOKENS, **options)


def _picture(**options) -> Callable:
    return _ask(_SEEN, lambda media: (image(media.image_url),), **options)


def _scene(**asked: float) -> Callable:
    return _ask("What is in this video?", lambda media: (video(media.video_url, **asked),))


def _film(**asked: float) -> Callable:
    return _ask("Describe the video.", lambda media: (video(media.video.as_uri(), **asked),))


def _file(**options) -> Callable:
    return _ask("Describe the image.", lambda media: (image(media.image.as_uri()),), **options)


def _turns(vlm: VLM, media: Media) -> Awaitable[Reply]:
    history = [
        {"role": "user", "content": [_SEEN, image(media.image_url)]},
        {"role": "assistant", "content": "This image shows a boardwalk in a field of tall grass. ..."},
    ]
    season = "What would be the best season to visit this place?"
    return vlm.ask(season, history=history, max_tokens=MAX_TOKENS)


def _message(vlm: VLM, media: Media) -> Awaitable[Reply]:
    parts = [{"type": "text", "text": _SEEN}, {"type": "image_url", "image_url": {"url": media.image_url}}]
    return vlm.ask("", history=[HumanMessage(parts)], max_tokens=MAX_TOKENS)


async def _batch(vlm: VLM, media: Media) -> list[Reply]:
    prompts = ("What is happening in this video?", "Describe the main objects in this video.")
    asked = [Question(prompt, (video(media.video_url),), max_tokens=MAX_TOKENS) for prompt in prompts]
    replies = await vlm.batch(asked)
    return [reply for reply in replies if isinstance(reply, Reply)]


FORMS = (
    Form("vLLM", "video by path", VLLM, (guides.VIDEO,), _film()),
    Form("vLLM", "image by path", VLLM, (guides.IMAGE,), _file()),
    Form("vLLM", "image in up to 12 tiles", VLLM, (guides.IMAGE_TILES,), _file(max_num_tiles=12)),
    Form("vLLM", "video, 8 fps, most 128", VLLM, (guides.VIDEO_FPS_AND_MOST,), _film(fps=8, max_frames=128)),
    Form("vLLM", "video, 2 fps", VLLM, (guides.VIDEO_FPS,), _film(fps=2)),
    Form("vLLM", "video, 16 frames", VLLM, (guides.VIDEO_FRAMES,), _film(num_frames=16)),
    Form("NIM", "image by URL", NIM, (guides.NIM_IMAGE,), _picture()),
    Form("NIM", "image by URL, streamed", NIM, (guides.NIM_STREAM,), _picture(on_text=lambda *_: None)),
    Form("NIM", "image in base64", NIM, (guides.NIM_IMAGE_DATA,), _ask(_SEEN, lambda m: (image(m.image),))),
    Form("NIM", "video by URL", NIM, (guides.NIM_VIDEO,), _scene()),
    Form(
        "NIM",
        "video in base64",
        NIM,
        (guides.NIM_VIDEO_DATA,),
        _ask("What is in this video?", lambda m: (video(m.video),)),
    ),
    Form("NIM", "video, 3 fps", NIM, (guides.NIM_FPS,), _scene(fps=3.0)),
    Form("NIM", "video, 1 fps", NIM, (guides.NIM_SLOW,), _scene(fps=1.0)),
    Form("NIM", "video, 16 frames", NIM, (guides.NIM_FRAMES,), _scene(num_frames=16)),
    Form("NIM", "image in up to 3 tiles", NIM, (guides.NIM_TILES,), _picture(max_num_tiles=3)),
    Form(
        "NIM",
        "tool calling",
        NIM,
        (guides.NIM_TOOLS,),
        _ask("What is the weather like in San Francisco?", tools=_WEATHER),
    ),
    Form("NIM", "reasoning (/think)", NIM, (guides.NIM_THINK,), _picture(think=True)),
    Form("NIM", "text only", NIM, (guides.NIM_TEXT,), _ask(_TRIP, system="You are a helpful assistant")),
    Form("NIM", "several turns", NIM, (guides.NIM_TURNS,), _turns),
    Form("NIM", "LangChain's message", NIM, (guides.NIM_IMAGE,), _message),
    Form("NIM", "batch of two", NIM, guides.NIM_BATCH, _batch),
    Form(
        "both",
        "several images",
        VLLM,
        (guides.IMAGES,),
        _ask("Is this the same place twice?", lambda m: (image(m.image_url), image(m.image.as_uri()))),
    ),
    Form(
        "both",
        "image and video",
        VLLM,
        (guides.IMAGE_AND_VIDEO,),
        _ask("Is this image from this video?", lambda m: (image(m.image.as_uri()), video(m.video.as_uri()))),
    ),
)


@contextmanager
def shelved(folder: Path) -> Iterator[Media]:
    """Draw the media into a folder, and serve it by HTTP."""
    picture, film = folder / "image.jpg", folder / "video.mp4"
    picture.write_bytes(jpeg.encode(cv2.resize(draw_code(Code(7, 280)), _IMAGE_WH)))
    encode(film, _TIMES_MS)
    serve = functools.partial(_Shelf, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as shelf:
        threading.Thread(target=shelf.serve_forever, args=(0.05,), daemon=True).start()
        root = f"http://127.0.0.1:{shelf.server_port}"
        yield Media(picture, film, f"{root}/{picture.name}", f"{root}/{film.name}")
        shelf.shutdown()


class _Shelf(SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _filled(body: str, model: str, media: Media) -> str:
    """Put our model and media into a body, keep the reply short, and have a stream tell its usage."""
    for name in guides.MODELS:
        body = body.replace(name, model)
    for said, path, url in (
        (guides.IMAGE_FILE, media.image, guides.BOARDWALK),
        (guides.VIDEO_FILE, media.video, guides.SCENE),
    ):
        body = body.replace(said, path.as_uri())
        body = body.replace(url, media.image_url if path == media.image else media.video_url)
    for kind, path in (("image/jpeg", media.image), ("video/mp4", media.video)):
        data = base64.b64encode(path.read_bytes()).decode()
        body = body.replace(f"{kind};base64,{guides.ELLIPSIS}", f"{kind};base64,{data}")
    request = {**json.loads(body), "max_tokens": MAX_TOKENS}
    return json.dumps(
        {**request, "stream_options": {"include_usage": True}} if request.get("stream") else request
    )


def _curl(base_url: str, body: str) -> int:
    """Send a body as the guides do, and return the prompt tokens that the server counts.

    Raises:
        RefusedError: If it counts none.
    """
    headers = ("-H", "accept: application/json", "-H", "Content-Type: application/json")
    command = ["curl", "-sS", "-X", "POST", f"{base_url}/chat/completions", *headers, "-d", "@-"]
    done = subprocess.run(command, input=body, capture_output=True, text=True, timeout=_WAIT_S, check=True)
    events = [line.removeprefix("data: ") for line in done.stdout.splitlines() if line.startswith("data: {")]
    reply = json.loads(events[-1] if events else done.stdout)
    if "usage" not in reply:
        raise RefusedError(done.stdout[:300])
    return int(reply["usage"]["prompt_tokens"])
