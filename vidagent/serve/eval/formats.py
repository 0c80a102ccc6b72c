"""The benchmarks that can be read, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from vidagent.errors import UsageError
from vidagent.serve.eval import choice_formats, grounding_formats, own_format
from vidagent.serve.eval.items import Benchmark

__all__ = ["FORMATS", "read"]

FORMATS: Mapping[str, Callable[[Path, Path | None], Benchmark]] = {
    "videomme": choice_formats.videomme,
    "lvbench": choice_formats.lvbench,
    "longvideobench": choice_formats.longvideobench,
    "mlvu": choice_formats.mlvu,
    "egoschema": choice_formats.egoschema,
    "charades": grounding_formats.charades,
    "qvhighlights": grounding_formats.qvhighlights,
    "activitynet": grounding_formats.activitynet,
    "items": own_format.items,
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
