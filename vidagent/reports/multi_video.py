"""What a run about several videos leaves: files of each video, told apart by their names, and those of the whole."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from vidagent.errors import UsageError
from vidagent.graphs.events import Kind
from vidagent.reports.export.atomic_files import write
from vidagent.reports.export.export import Delivered
from vidagent.reports.export.export_request import Export, Order, StrPath, order
from vidagent.reports.export.tables import answer_json
from vidagent.reports.page.cover import render_cover
from vidagent.types import Answer, Evidence, Question, Step
from vidagent.video.index.subtitles import sidecars

_NAME_CHARACTERS = 40
_ONE = ".json"
"""The kind of export that is one file about all videos."""


class Tell(Protocol):
    """How events are told."""

    def __call__(self, kind: Kind, text: str, step: Step | None = None, **data: object) -> None:
        """Tell one."""


def shared(
    videos: Sequence[StrPath],
    report: StrPath | None,
    exports: StrPath | Sequence[StrPath] | None,
    folder: StrPath | None,
) -> tuple[Order, list[Order]]:
    """Return what is to be taken away of all, and of each video.

    Of all it is the report's first page and the answer as JSON, at the paths given. Of each it is a page of its own,
    the other exports and the frames: `clips.mp4` becomes `clips-2-b.mp4` for the second video, `b.mkv`, and a folder
    gets one for each video, `2-b`.

    Raises:
        UsageError: If a path cannot be written, or would be written over a video.
    """
    asked = order(videos[0], report, exports, folder)
    whole = Order(asked.report, tuple(one for one in asked.exports if one.kind == _ONE))
    each = [_order_of(asked, video, number) for number, video in enumerate(videos, 1)]
    kept = {path.resolve() for video in videos for path in (Path(video), *sidecars(Path(video)))}
    for path in _paths(whole, *each):
        if path.resolve() in kept:
            raise UsageError(f"{str(path)!r} is one of the videos or their subtitles; give another path")
    return whole, each


def checked(
    videos: Sequence[StrPath], report: StrPath | None, exports: StrPath | Sequence[StrPath] | None
) -> None:
    """Try whether what is ordered of one video, or of several, could be written.

    Raises:
        UsageError: If not.
    """
    if len(videos) > 1:
        shared(videos, report, exports, None)
    else:
        order(videos[0], report, exports)


def page_of(report: Path, video: StrPath, number: int) -> Path:
    """Return where the page of one video goes."""
    return report.with_stem(f"{report.stem}-{_tag(video, number)}")


def finish(
    question: Question, answer: Answer, delivered: Mapping[int, Answer], whole: Order, tell: Tell
) -> Answer:
    """Write what was ordered of all; return the answer, with the paths of the frames that were saved.

    Raises:
        UsageError: If a file cannot be written.
    """
    answer = dataclasses.replace(answer, evidence=tuple(_framed(answer.evidence, delivered)))
    path = Path()
    try:
        if whole.report is not None:
            pages = [page_of(whole.report, info.path, number) for number, info in enumerate(answer.videos, 1)]
            path = whole.report
            _tell(tell, write(path, render_cover(question, answer, pages, delivered).encode("utf-8")))
        for export in whole.exports:
            path = export.path
            _tell(tell, write(path, answer_json(answer)))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    return answer


def _order_of(asked: Order, video: StrPath, number: int) -> Order:
    tag = _tag(video, number)
    exports = tuple(
        Export(
            one.path / tag if one.kind == "folder" else one.path.with_stem(f"{one.path.stem}-{tag}"), one.kind
        )
        for one in asked.exports
        if one.kind != _ONE
    )
    return Order(
        None if asked.report is None else page_of(asked.report, video, number),
        exports,
        None if asked.folder is None else asked.folder / tag,
    )


def _tag(video: StrPath, number: int) -> str:
    """Return what tells a video's files apart: its number, and as much of its name as is safe in any path."""
    name = re.sub(r"[^\w-]+", "_", Path(video).stem).strip("_")[:_NAME_CHARACTERS]
    return f"{number}-{name}" if name else str(number)


def _paths(*orders: Order) -> Iterator[Path]:
    for one in orders:
        yield from (export.path for export in one.exports)
        if one.report is not None:
            yield one.report


def _framed(evidence: Sequence[Evidence], delivered: Mapping[int, Answer]) -> Iterator[Evidence]:
    """Yield the claims with the frames that were saved for them."""
    saved = {index: iter(answer.evidence) for index, answer in delivered.items()}
    for item in evidence:
        one = next(saved[item.video], None) if item.video in saved else None
        yield item if one is None else dataclasses.replace(item, frame=one.frame)


def _tell(tell: Tell, path: Path) -> None:
    tell("saved", Delivered(path).text, path=str(path))
