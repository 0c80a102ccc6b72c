"""Ask a vision-language model on a server directly, without the agent: images and videos, thinking, several turns.

    python examples/ask_vlm.py "What is in this image?" photo.jpg
    python examples/ask_vlm.py "What happens?" talk.mp4 --fps 2 --thinking-tokens 256
    python examples/ask_vlm.py "Is this person in the video?" face.png https://example.org/talk.mp4 --num-frames 32
    python examples/ask_vlm.py "What is in this image?" photo.jpg --then "Which season is best for a visit?"

The server is that of `--base-url` or `VIDAGENT_BASE_URL`, else one on this machine, port 8000. The reply goes to stdout
as it comes; what the model thinks, what it cost and what was done otherwise than asked go to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import mimetypes
import sys
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from vidagent import VidagentError
from vidagent.agents.direct import VLM, Clip, Image, Reply, image, video


def main(arguments: Sequence[str]) -> int:
    """Ask, print, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(talk(options))
    except VidagentError as error:
        print(f"ask_vlm: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


async def talk(options: argparse.Namespace) -> None:
    """Put the question with its attachments, then those that follow, each with all that was said before."""
    attached = [attachment(source, options) for source in options.attach]
    vlm = VLM.connect(options.base_url, options.model, profile=options.profile)
    print(f"model  {vlm.name} (profile {vlm.profile.name})", file=sys.stderr)
    reply: Reply | None = None
    for question in (options.question, *options.then):
        reply = await vlm.ask(
            question,
            *([] if reply else attached),
            system=options.system,
            history=reply.history if reply else (),
            max_tokens=options.max_tokens,
            think=options.think,
            thinking_tokens=options.thinking_tokens,
            max_num_tiles=options.tiles,
            on_text=speaker(),
        )
        finish(reply)


def attachment(source: str, options: argparse.Namespace) -> Image | Clip:
    """Attach a file or a URL: a video if its name says so, else an image."""
    kind = mimetypes.guess_type(urlsplit(source).path)[0] or ""
    if source.startswith("data:video/") or kind.startswith("video/"):
        return video(
            source,
            fps=options.fps,
            num_frames=options.num_frames,
            max_frames=options.max_frames,
            here=options.here,
        )
    return image(source)


def speaker() -> Callable[[str, str], None]:
    """Return what prints words as they come, the reply on a line of its own."""
    last = "text"

    def say(kind: str, words: str) -> None:
        nonlocal last
        if kind != last and kind == "text":
            print(file=sys.stderr, flush=True)
        last = kind
        print(words, end="", flush=True, file=sys.stdout if kind == "text" else sys.stderr)

    return say


def finish(reply: Reply) -> None:
    """End the reply's line, and say what it cost."""
    print(flush=True)
    cost = reply.usage
    notes = [f"note   {note}" for note in reply.notes]
    if reply.finish_reason == "length":
        notes.append("note   cut off at --max-tokens")
    counted = (
        f"cost   {cost.prompt_tokens:,} prompt tokens ({cost.cached_tokens:,} cached), {cost.completion_tokens:,} "
        f"completion ({cost.thinking_tokens:,} thinking), {cost.requests} requests, {cost.seconds:.1f} s"
    )
    print("\n".join(["", *notes, counted]), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Ask a vision-language model on a server directly.")
    parser.add_argument("question")
    parser.add_argument("attach", nargs="*", metavar="FILE|URL", help="images and videos, in this order")
    parser.add_argument(
        "--then", action="append", default=[], metavar="QUESTION", help="a further turn; repeatable"
    )
    parser.add_argument("--base-url", help="the server's base URL, such as http://127.0.0.1:8000/v1")
    parser.add_argument("--model", help="the model's name; the first that the server lists")
    parser.add_argument("--profile", help="a model profile by name, or the path of a .toml file")
    parser.add_argument("--system", help="the system prompt")
    parser.add_argument(
        "--max-tokens", type=int, default=1024, metavar="N", help="most tokens of a reply (%(default)s)"
    )
    parser.add_argument(
        "--think", action=argparse.BooleanOptionalAction, help="think before the reply, or do not"
    )
    parser.add_argument("--thinking-tokens", type=int, metavar="N", help="most tokens of the thought")
    parser.add_argument("--fps", type=float, help="frames of a video to take a second; not with --num-frames")
    parser.add_argument("--num-frames", type=int, metavar="N", help="frames of a video to take in all")
    parser.add_argument("--max-frames", type=int, metavar="N", help="most frames of a video to take")
    parser.add_argument("--here", action="store_true", help="take the frames here rather than on the server")
    parser.add_argument(
        "--tiles", type=int, metavar="N", help="most tiles that the server cuts a picture into"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
