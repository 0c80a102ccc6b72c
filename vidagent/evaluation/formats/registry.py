"""The benchmarks that can be read, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.evaluation.formats import grounding, multiple_choice, own
from vidagent.evaluation.formats.item import Benchmark

FORMATS: Mapping[str, Callable[[Path, Path | None], Benchmark]] = {
    "videomme": multiple_choice.videomme,
    "lvbench": multiple_choice.lvbench,
    "longvideobench": multiple_choice.longvideobench,
    "mlvu": multiple_choice.mlvu,
    "egoschema": multiple_choice.egoschema,
    "charades": grounding.charades,
    "qvhighlights": grounding.qvhighlights,
    "activitynet": grounding.activitynet,
    "items": own.items,
}


def read(name: str, path: Path, answers: Path | None = None) -> Benchmark:
    """Read a benchmark.

    Args:
        name: One of `FORMATS`; letter case, dashes and spaces do not count (`Video-MME`).
        path: Its annotations.
        answers: The file of the right answers, where they stand in another one.

    Raises:
        UsageError: If there is no such benchmark, the file does not fit its schema, or holds no question whose right
            answer is known, or two of one name.
    """
    plain = name.casefold().replace("-", "").replace("_", "").replace(" ", "")
    reader = FORMATS.get({"charadessta": "charades", "activitynetcaptions": "activitynet"}.get(plain, plain))
    if reader is None:
        raise UsageError(f"there is no benchmark {name!r}; there are {', '.join(FORMATS)}")
    benchmark = reader(path, answers)
    if not benchmark.items:
        left_out = (
            f"; {benchmark.unanswered} have no right answer in the file" if benchmark.unanswered else ""
        )
        raise UsageError(f"{path}: no question that can be scored{left_out}")
    name, times = Counter(item.id for item in benchmark.items).most_common(1)[0]
    if times > 1:
        raise UsageError(f"{path}: {times} questions have the name {name!r}; names must differ")
    return benchmark
