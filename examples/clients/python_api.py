"""Ask about a video from Python: in one call, and as a stream that tells what happens as it comes.

    python examples/clients/python_api.py talk.mp4 'When does the text "GATE 7" appear?'

Needs `pip install .`, and no server: the model is the one that `vidagent models` marks with a star.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from vidagent import Budget, VidagentError, analyze_video, astream_video


def main() -> int:
    """Ask twice, and print what comes."""
    parser = argparse.ArgumentParser(description="Ask about a video from Python.")
    parser.add_argument("video")
    parser.add_argument("question")
    asked = parser.parse_args()
    try:
        in_one_call(asked.video, asked.question)
        asyncio.run(as_a_stream(asked.video, asked.question))
    except VidagentError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def in_one_call(video: str, question: str) -> None:
    """Print the answer, where it is in the video, and the claims that it rests on."""
    answer = analyze_video(video, question, budget=Budget(seconds=120, frames=200))
    print(f"{answer.status}: {answer.answer}")
    for span in answer.spans:
        print(f"  from {span.start_s:.3f} to {span.end_s:.3f} s")
    for item in answer.evidence:
        print(f"  {item.verdict} at {item.time_s:.3f} s: {item.claim}")


async def as_a_stream(video: str, question: str) -> None:
    """Print the steps, and the words of the answer as the model writes them; the last event has the whole."""
    async for event in astream_video(video, question):
        match event.kind:
            case "look" | "observation" | "verdict":
                print(f"... {event.text}")
            case "token":
                print(event.text, end="", flush=True)
            case "answer":
                print(f"\nit took {event.data['answer']['usage']['frames_sent']} frames")


if __name__ == "__main__":
    sys.exit(main())
