"""Files of a run about several videos: those of each video, told apart by name, and those of the combined answer."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from vidagent.errors import UsageError
from vidagent.graphs.events import Kind
from vidagent.reports.export.atomic_files import write
from vidagent.reports.export.export import WrittenFile
from vidagent.reports.export.export_request import ExportFile, ExportRequest, StrPath, export_request
from vidagent.reports.export.tables import answer_json
from vidagent.reports.page.multi_video_page import render_multi_video
from vidagent.types import Answer, Evidence, Question, Step
from vidagent.video.index.subtitles import sidecars

_MAX_NAME_CHARS = 40
_COMBINED = ".json"
"""The kind of export that is one file about all videos."""


class Tell(Protocol):
    """Sends an event."""

    def __call__(self, kind: Kind, text: str, step: Step | None = None, **data: object) -> None:
        """Send it."""


def split_by_video(
    videos: Sequence[StrPath],
    report: StrPath | None,
    exports: StrPath | Sequence[StrPath] | None,
    folder: StrPath | None,
) -> tuple[ExportRequest, list[ExportRequest]]:
    """Return the files of the combined answer, and those of each video.

    The report's first page and the answer as JSON are about all videos and go to the paths given. Each video has a
    page, the other exports and the frames of its own: `clips.mp4` becomes `clips-2-b.mp4` for the second video,
    `b.mkv`, and a folder gets a subfolder, `2-b`.

    Raises:
        UsageError: If a path cannot be written, or would be written over a video.
    """
    request = export_request(videos[0], report, exports, folder)
    combined = ExportRequest(request.report, tuple(one for one in request.exports if one.kind == _COMBINED))
    each = [_files_of(request, video, number) for number, video in enumerate(videos, 1)]
    sources = {path.resolve() for video in videos for path in (Path(video), *sidecars(Path(video)))}
    for path in _paths(combined, *each):
        if path.resolve() in sources:
            raise UsageError(f"{str(path)!r} is one of the videos or their subtitles; give another path")
    return combined, each


def check_exports(
    videos: Sequence[StrPath], report: StrPath | None, exports: StrPath | Sequence[StrPath] | None
) -> None:
    """Check that the report and the exports of one video, or of several, can be written.

    Raises:
        UsageError: If not.
    """
    if len(videos) > 1:
        split_by_video(videos, report, exports, None)
    else:
        export_request(videos[0], report, exports)


def page_path(report: Path, video: StrPath, number: int) -> Path:
    """Return the path of one video's page."""
    return report.with_stem(f"{report.stem}-{_tag(video, number)}")


def write_combined(
    question: Question, answer: Answer, each: Mapping[int, Answer], request: ExportRequest, tell: Tell
) -> Answer:
    """Write the files of the combined answer; return it with the paths of saved frames.

    Raises:
        UsageError: If a file cannot be written.
    """
    answer = dataclasses.replace(answer, evidence=tuple(_with_frames(answer.evidence, each)))
    path = Path()
    try:
        if request.report is not None:
            pages = [
                page_path(request.report, info.path, number) for number, info in enumerate(answer.videos, 1)
            ]
            path = request.report
            _report_saved(
                tell, write(path, render_multi_video(question, answer, pages, each).encode("utf-8"))
            )
        for export in request.exports:
            path = export.path
            _report_saved(tell, write(path, answer_json(answer)))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    return answer


def _files_of(request: ExportRequest, video: StrPath, number: int) -> ExportRequest:
    tag = _tag(video, number)
    exports = tuple(
        ExportFile(
            one.path / tag if one.kind == "folder" else one.path.with_stem(f"{one.path.stem}-{tag}"), one.kind
        )
        for one in request.exports
        if one.kind != _COMBINED
    )
    return ExportRequest(
        None if request.report is None else page_path(request.report, video, number),
        exports,
        None if request.folder is None else request.folder / tag,
    )


def _tag(video: StrPath, number: int) -> str:
    """Return what tells a video's files apart: its number, and as much of its name as is safe in a path."""
    name = re.sub(r"[^\w-]+", "_", Path(video).stem).strip("_")[:_MAX_NAME_CHARS]
    return f"{number}-{name}" if name else str(number)


def _paths(*requests: ExportRequest) -> Iterator[Path]:
    for one in requests:
        yield from (export.path for export in one.exports)
        if one.report is not None:
            yield one.report


def _with_frames(evidence: Sequence[Evidence], each: Mapping[int, Answer]) -> Iterator[Evidence]:
    """Yield the claims with the frames saved for them."""
    saved = {index: iter(answer.evidence) for index, answer in each.items()}
    for item in evidence:
        one = next(saved[item.video], None) if item.video in saved else None
        yield item if one is None else dataclasses.replace(item, frame=one.frame)


def _report_saved(tell: Tell, path: Path) -> None:
    tell("saved", WrittenFile(path).text, path=str(path))
