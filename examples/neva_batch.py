r"""A prompt file of Video NeVA to answers, twice, and both sets of answers to a judge's table.

    python examples/neva_batch.py prompts.jsonl videos/ -o answers/
    python examples/neva_batch.py prompts.jsonl videos/ -o answers/ --base-url http://127.0.0.1:8000/v1 \
        --judge-url http://127.0.0.1:8001/v1 --rules rule.json

A line of the file asks about a video or an image in the folder:

    {"video": "video_test.mp4", "text": "Can you describe the scene?", "category": "conv", "question_id": 0}
    {"image": "poster.jpg", "text": "<image>\nWhat is announced?", "media_type": "image", "question_id": 1}

Every question is asked about evenly spaced frames of the video, as by NeVA's `num_frames`, and about one of them, as by
its `splice_single_frame`; a line with such a field of its own keeps it. Without a server the embedded model looks at
them: it reads texts and codes. The judge is any language model. What is done in the folder is not asked again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidagent.serve.cli import app


def main(arguments: Sequence[str]) -> int:
    """Ask, show both answers to each question, and have them judged; return the first exit code that is not 0."""
    given = _parser().parse_args(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    many, one = given.output / f"{given.num_frames}-frames.jsonl", given.output / f"{given.single}.jsonl"
    codes = [
        batch(given, many, "--num-frames", str(given.num_frames)),
        batch(given, one, "--splice-single-frame", given.single),
    ]
    for first, second in zip(lines(many), lines(one), strict=True):
        print(f"\n{first.get('question_id')}  {first['text']}")
        for path, line in ((many, first), (one, second)):
            print(f"   {path.stem:9} {line.get('response') or line['error']['message']}")
    if given.judge_url is not None and not any(codes):
        codes.append(judge(given, many, one))
    return next(filter(None, codes), 0)


def batch(given: argparse.Namespace, out: Path, *frames: str) -> int:
    """Answer all lines."""
    where = ("--base-url", given.base_url) if given.base_url else ("--model", "signals")
    told = ("-o", str(out), "--video-root", str(given.media), "--ordered")
    return command("batch", str(given.prompts), *told, *frames, *where)


def judge(given: argparse.Namespace, first: Path, second: Path) -> int:
    """Have each pair of answers scored in both orders, and print the means by category, times ten."""
    context = ("--context", str(given.context)) if given.context else ()
    told = ("--rules", str(given.rules), "-o", str(given.output / "reviews.jsonl"), *context)
    files = (str(given.prompts), str(first), str(second))
    return command("judge", *files, *told, "--base-url", given.judge_url)


def command(*words: str) -> int:
    """Run `vidagent` in this process, as its command line would."""
    print(f"\n$ {shlex.join(('vidagent', *words))}", flush=True)
    return app.run(words)


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file of answers."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="A prompt file of Video NeVA to answers and a judge's table."
    )
    parser.add_argument("prompts", type=Path)
    parser.add_argument("media", type=Path, help="the folder of the videos and images")
    parser.add_argument("-o", "--output", type=Path, default=Path("answers"))
    parser.add_argument("--num-frames", type=int, default=8)
    parser.add_argument(
        "--splice-single-frame", dest="single", choices=["first", "middle", "last"], default="middle"
    )
    parser.add_argument(
        "--base-url", help="a server with a vision-language model; else the embedded one answers"
    )
    parser.add_argument("--judge-url", help="a server with a language model that judges")
    parser.add_argument("--rules", type=Path, default=Path("rule.json"), help="LLaVA-Bench's rule.json")
    parser.add_argument("--context", type=Path, help="lines with image or video, and caption")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
