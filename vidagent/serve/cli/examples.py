"""Examples at the end of the help of the main commands; the tests check that their flags exist."""

from __future__ import annotations


def _examples(*lines: str) -> str:
    return "\n\n".join(("Examples:", *(f"vidagent {line}" for line in lines)))


ASK = _examples(
    "ask talk.mp4 \"When does the slide 'Results' appear?\"",
    'ask talk.mp4 "Which team wins?" --option red --option blue --json',
    'ask talk.mp4 "When is the code shown?" --export clip.mp4 --export frames/ --budget-seconds 60',
    'ask talk.mp4 "What is the score, and when was each goal?" --schema match.json --json',
    "ask a.mp4 b.mp4 'In which of these does \"SALE\" appear first?'",
    'ask --library "When does the red car turn left?"',
)
SUMMARY = _examples(
    "summary talk.mp4",
    "summary talk.mp4 --length short --export talk.md --report talk.html",
    "summary talk.mp4 --export chapters.txt --export talk.ffmetadata --export highlights.mp4",
)
CHAT = _examples("chat talk.mp4", "chat talk.mp4 --continue", "chat talk.mp4 < questions.txt")
BATCH = _examples(
    "batch questions.jsonl -o answers.jsonl",
    "batch questions.jsonl -o answers.jsonl --video-root ~/videos --concurrency 4 --retry-errors",
)
LIBRARY = _examples(
    "library add ~/videos",
    "library add ~/videos --background",
    "library status",
    "library remove ~/videos/old",
)
FIND = _examples(
    "find '\"GATE 7 OPEN\"'", 'find "red car at night" --limit 5 --save-frames hits/', "find harbour --json"
)
EVAL = _examples(
    "eval videomme questions.parquet --videos ~/videomme --limit 50 -o results.jsonl",
    "eval items my-questions.jsonl --videos ~/videos --mode agent",
)
INDEX = _examples("index talk.mp4", "index talk.mp4 --texts --transcribe")
TEXTS = _examples("texts talk.mp4", "texts talk.mp4 --srt > talk.texts.srt", "texts talk.mp4 --json")
TRANSCRIPT = _examples(
    "transcript talk.mp4", "transcript talk.mp4 --srt > talk.srt", "transcript talk.mp4 --language de --json"
)
RUNS = _examples("runs list", "runs show last", "runs resume last --budget-seconds 120", "runs replay last")
SERVE = _examples(
    "serve --insecure-local --root ~/videos",
    "serve keys add acme",
    "serve --host 0.0.0.0 --root /srv/videos --deadline-seconds 300",
)
WATCH = _examples(
    "watch rtsp://camera.local/stream \"When does the text 'GATE 7 OPEN' appear?\"",
    'watch recording.ts "When does somebody climb the fence?" --webhook https://example.org/hook -o alerts/',
)
