"""Ask a `vidagent serve` through LangServe's `RemoteRunnable`: invoke, batch and stream, as with any LangChain chain.

    vidagent serve --insecure-local --root .
    python examples/clients/langserve_client.py talk.mp4 'When is the code shown?'

Needs `pip install langserve httpx`; with keys, `--key` or VIDAGENT_SERVE_KEY.
"""

from __future__ import annotations

import argparse
import os

from langserve import RemoteRunnable


def main() -> None:
    """Ask in three ways, and print what comes."""
    parser = argparse.ArgumentParser(description="Ask a server through LangServe.")
    parser.add_argument("video", help="a path under the server's folder, or the id of an uploaded file")
    parser.add_argument("question")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key", default=os.environ.get("VIDAGENT_SERVE_KEY"))
    wanted = parser.parse_args()
    headers = {"Authorization": f"Bearer {wanted.key}"} if wanted.key else {}
    agent = RemoteRunnable(f"{wanted.url}/vidagent", headers=headers, timeout=600)
    asked = {"video": wanted.video, "question": wanted.question}

    answer = agent.invoke(asked)
    print(f"invoke: {answer['answer']} ({answer['status']}, confidence {answer['confidence']:.2f})")

    several = [asked, {**asked, "budget": {"model_calls": 1}}]
    for answer in agent.batch(several):
        print(f"batch: {answer['status']}, ended by {answer['budget']['ended_by']}")

    for event in agent.stream(asked):
        if event["kind"] in {"step", "look", "observation", "verdict"}:
            print(f"stream: {event['kind']:<12}{event['text']}")
        elif event["kind"] == "answer":
            print(f"stream: {event['data']['answer']['answer']}")


if __name__ == "__main__":
    main()
