"""Ask a `vidagent serve` with OpenAI's own client: upload a video, ask in a chat, read the steps as reasoning.

    vidagent serve --insecure-local
    python examples/clients/openai_client.py talk.mp4 'When is the code shown?'

The upload stays for the next question, unless --delete asks for its end; a file that was there before is never deleted.
Needs `pip install openai`; with keys, `--key` or VIDAGENT_SERVE_KEY.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import openai


def main() -> None:
    """Upload, ask with a stream, print, and with --delete remove what was uploaded here."""
    parser = argparse.ArgumentParser(description="Ask a server with OpenAI's client.")
    parser.add_argument("video", type=Path, help="a video file of yours, which is uploaded")
    parser.add_argument("question")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key", default=os.environ.get("VIDAGENT_SERVE_KEY", "none"))
    parser.add_argument(
        "--delete", action="store_true", help="delete the upload in the end, if it was not there before"
    )
    wanted = parser.parse_args()
    with openai.OpenAI(base_url=f"{wanted.url}/v1", api_key=wanted.key, timeout=600) as client:
        before = {file.id for file in client.files.list()}
        file = client.files.create(file=wanted.video, purpose="user_data")
        try:
            ask(client, file.id, wanted.question)
        finally:
            if (
                wanted.delete and file.id not in before
            ):  # the id is the hash of the bytes: it may be an earlier upload
                client.files.delete(file.id)


def ask(client: openai.OpenAI, video: str, question: str) -> None:
    """Print the steps and the answer as they come; what OpenAI's format has no place for stands in `vidagent`."""
    parts = [{"type": "video_url", "video_url": {"url": video}}, {"type": "text", "text": question}]
    messages = [{"role": "user", "content": parts}]
    for chunk in client.chat.completions.create(model="vidagent", messages=messages, stream=True):
        delta = chunk.choices[0].delta
        if step := getattr(delta, "reasoning_content", None):
            print(f"... {step}", end="", flush=True)
        print(delta.content or "", end="", flush=True)
        if answer := (chunk.model_extra or {}).get("vidagent"):
            print()
            for span in answer["spans"]:
                print(f"from {span['start_s']:.3f} to {span['end_s']:.3f} s")


if __name__ == "__main__":
    main()
