"""An answer in parts as text: a headline, and a line with its time for each part."""

from __future__ import annotations

from collections.abc import Sequence

from vidagent.graphs.evidence.parts import joined
from vidagent.graphs.evidence.sentences import sentences_of
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Verified
from vidagent.text import counted, one_line
from vidagent.tools.answer import Draft
from vidagent.video.clock import clock_ranges

MOST_SENTENCES = 3
"""Most sentences of a headline; more of them would be the parts over again."""
LONGEST_SENTENCE = 500


def headline_sentences(draft: Draft) -> list[str]:
    """Return the sentences of a draft's headline that are checked, and told if they stand."""
    sentences = sentences_of(draft.answer)[:MOST_SENTENCES]
    return [text for text in sentences if len(text) <= LONGEST_SENTENCE]


def parts_text(progress: Progress, draft: Draft) -> str:
    """Return the answer: what stands of the headline, a line for each part that stands, and how many fell."""
    kept = {item["claim"] for item in progress.supported}
    headline = " ".join(text for text in headline_sentences(draft) if text in kept)
    lines = [headline] if headline else []
    lines += part_lines(progress.told)
    fallen = sum("part_s" in item for item in progress.verified) - len(progress.told)
    if fallen:
        were = "was" if fallen == 1 else "were"
        lines.append(f"({counted(fallen, 'sentence')} {were} left out as not supported.)")
    return "\n".join(lines)


def part_lines(told: Sequence[Verified]) -> list[str]:
    """Return a line for each part; one that says the same as an earlier part is added to its line."""
    parts = joined(told)
    times = clock_ranges([(item["part_s"][0], item["part_s"][1]) for item in parts])
    lines: dict[str, tuple[str, list[str]]] = {}
    for item, when in zip(parts, times, strict=True):
        key = one_line(item["claim"]).casefold().rstrip(".")
        if key in lines:
            lines[key][1].append(when)
        else:
            lines[key] = (f"{when} {one_line(item['claim'])}", [])
    return [
        f"{line.rstrip('.')} (again at {', '.join(again)})." if again else line
        for line, again in lines.values()
    ]
