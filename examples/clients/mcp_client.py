"""Call the tools of `vidagent mcp` with the MCP SDK's client, as an assistant would: list, probe, ask, and look.

    python examples/clients/mcp_client.py talk.mp4 'When is the code shown?' --root .
    python examples/clients/mcp_client.py talk.mp4 'When is the code shown?' --url http://127.0.0.1:8090/mcp

Needs `pip install '.[mcp]'`. Without --url it starts the server itself, and they speak through its stdin and
stdout; with it, the server is one that was started with `vidagent mcp --http --root .`
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult


async def main() -> None:
    """Call the tools, and print what they hand back."""
    parser = argparse.ArgumentParser(description="Call the tools of an MCP server of videos.")
    parser.add_argument("video")
    parser.add_argument("question")
    parser.add_argument("--root", default=".")
    parser.add_argument("--url")
    wanted = parser.parse_args()
    words = ["-m", "vidagent", "mcp", "--root", wanted.root]
    async with Client(
        wanted.url or StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))
    ) as client:
        print("tools:", *(tool.name for tool in (await client.list_tools()).tools))
        show("probe", await client.call_tool("probe", {"video": wanted.video}))
        asked = {"video": wanted.video, "question": wanted.question}
        answer = await client.call_tool("ask", asked, progress_callback=progress)
        show("ask", answer)
        for span in (answer.structured_content or {}).get("spans", []):
            show("look", await client.call_tool("look", {"video": wanted.video, "max_frames": 4, **span}))


async def progress(step: float, _total: float | None, message: str | None) -> None:
    """Print what the agent is at."""
    print(f"... {step:.0f} {message}")


def show(tool: str, result: CallToolResult) -> None:
    """Print the first line of a result, and how many pictures came with it."""
    pictures = [part for part in result.content if part.type == "image"]
    texts = [part.text for part in result.content if part.type == "text"]
    first = texts[0].partition("\n")[0]
    print(f"{tool}{' failed' if result.is_error else ''}: {first} [{len(pictures)} pictures]")


if __name__ == "__main__":
    asyncio.run(main())
