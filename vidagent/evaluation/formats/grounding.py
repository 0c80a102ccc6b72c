"""Benchmarks of temporal grounding: Charades-STA, QVHighlights and ActivityNet Captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.evaluation.formats.item import Benchmark, Item, Truth
from vidagent.evaluation.formats.rows import Row, read_json, read_rows, read_text, validated
from vidagent.types import Span

_CHARADES = re.compile(r"(\S+)\s+(\d+(?:\.\d+)?)\s+(\d+(?:\.\d+)?)\s*##(.*)")


def charades(path: Path, answers: Path | None) -> Benchmark:
    """Read Charades-STA: one line a sentence, `VIDEO START END##SENTENCE`, in seconds.

    Source: `charades_sta_test.txt` of the repository jiyanggao/TALL (`3MSZA 24.3 30.4##person turn a light on.`);
    arXiv:1705.02101.
    """
    items = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        match = _CHARADES.fullmatch(line.strip())
        if match is None:
            raise UsageError(
                f"{path}, line {number}: expected `VIDEO START END##SENTENCE`, got {line[:80]!r}"
            )
        items.append(_item(f"{match[1]}/{number}", match[1], match[4], [(float(match[2]), float(match[3]))]))
    return Benchmark("charades", tuple(items))


class _Highlight(Row):
    qid: str
    query: str
    vid: str
    relevant_windows: tuple[tuple[float, float], ...] = ()


def qvhighlights(path: Path, answers: Path | None) -> Benchmark:
    """Read QVHighlights: one line a query with its `relevant_windows` in seconds; the test split has none.

    Source: `data/README.md` of the repository jayleicn/moment_detr (qid, query, duration, vid, relevant_windows,
    relevant_clip_ids, saliency_scores); arXiv:2107.09609.
    """
    rows = list(validated(read_rows(path), _Highlight, path))
    items = [_item(row.qid, row.vid, row.query, row.relevant_windows) for row in rows if row.relevant_windows]
    return Benchmark("qvhighlights", tuple(items), len(rows) - len(items))


class _Captions(Row):
    timestamps: list[tuple[float, float]]
    sentences: list[str]


def activitynet(path: Path, answers: Path | None) -> Benchmark:
    """Read ActivityNet Captions: an object from video to `timestamps` and `sentences`, one of each a caption.

    Source: `val_1.json` of the dataset (`{"v_uqiMw7tQ1Cc": {"duration", "timestamps", "sentences"}}`),
    cs.stanford.edu/people/ranjaykrishna/densevid; arXiv:1705.00754.
    """
    videos = read_json(path)
    if not isinstance(videos, dict):
        raise UsageError(f"{path}: expected an object from video to captions, got {type(videos).__name__}")
    items = []
    for name, row in zip(videos, validated(videos.values(), _Captions, path), strict=True):
        if len(row.timestamps) != len(row.sentences):
            raise UsageError(
                f"{path}, {name}: {len(row.timestamps)} timestamps do not go with {len(row.sentences)} sentences"
            )
        for number, (window, sentence) in enumerate(zip(row.timestamps, row.sentences, strict=True)):
            items.append(_item(f"{name}/{number}", name, sentence, [window]))
    return Benchmark("activitynet", tuple(items))


def _item(name: str, video: str, sentence: str, windows: Sequence[tuple[float, float]]) -> Item:
    """Ask when what a sentence says happens; where annotators swapped the ends of a window, they are put right."""
    spans = tuple(Span(min(window), max(window)) for window in windows)
    question = f'When does this happen: "{sentence.strip().rstrip(".")}"?'
    return Item(name, video, question, Truth("span", spans=spans))
