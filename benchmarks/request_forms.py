"""Compare our client's request forms with plain curl: the prompt tokens that a real server counts for each.

    python -m benchmarks.request_forms --base-url http://127.0.0.1:8000/v1

The curl bodies are those of the guides to Nemotron Nano 12B v2 VL on vLLM and behind NIM. Media are drawn, and served
by HTTP from this machine where a form has a URL; the server must be allowed to read files of `--media`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.live.forms import FORMS, Form, Media, RefusedError, shelved
from vidagent.agents.direct import VLM, video
from vidagent.errors import UsageError


def compare(form: Form, base_url: str, media: Media) -> tuple[str, str]:
    """Put one form in both ways; return a row, and whether the counts are the same: `yes`, `NO` or `refused`."""
    vlm = VLM.connect(base_url, profile=form.profile)
    ours = asyncio.run(form.ours(vlm, media))
    try:
        plain = form.plain(base_url, vlm.name, media)
    except RefusedError as error:
        return _row(form, ours, str(error), "refused"), "refused"
    verdict = "yes" if ours == plain else "NO"
    return _row(form, ours, _listed(plain), verdict), verdict


def main() -> None:
    """Print the table, and what is said to a rate with a number of frames; end with 1 if a count differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--base-url", default="http://127.0.0.1:8000/v1", help="the server's base URL")
    parser.add_argument(
        "--media", type=Path, help="folder to draw the media into; a temporary one by default"
    )
    arguments = parser.parse_args()
    verdicts = []
    print("| guide | form | our client | curl | equal |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch, shelved(arguments.media or Path(scratch)) as media:
        for form in FORMS:
            row, verdict = compare(form, arguments.base_url, media)
            verdicts.append(verdict)
            print(row, flush=True)
    print(f"\n{verdicts.count('yes')} of {len(FORMS)} forms have the same prompt tokens", end="")
    print(f"; the server refuses {verdicts.count('refused')} of curl's" if "refused" in verdicts else "")
    try:
        video("talk.mp4", fps=2, num_frames=16)
    except UsageError as error:
        print(f"fps with num_frames, before any request: {error}")
    raise SystemExit(int("NO" in verdicts))


def _row(form: Form, ours: list[int], plain: str, verdict: str) -> str:
    return f"| {form.guide} | {form.name} | {_listed(ours)} | {plain} | {verdict} |"


def _listed(counts: list[int]) -> str:
    return " + ".join(f"{count:,}" for count in counts)


if __name__ == "__main__":
    main()
