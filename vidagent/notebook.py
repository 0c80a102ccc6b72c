"""An answer as HTML for notebooks: the words, where in the video it is, and the frames of its evidence."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from vidagent.text import without_controls

if TYPE_CHECKING:
    from vidagent.types import Answer, Evidence

_MAX_FRAMES = 12
"""Frames that are shown, as a notebook's file holds a copy of each."""
_MEDIA_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


def page(answer: Answer) -> str:
    """Return the answer as an HTML fragment without scripts or links; its frames are inside it, in base64."""
    names = [PurePath(info.path).name for info in answer.videos]

    def place(start_s: float, end_s: float | None, video: int | None) -> str:
        where = "" if video is None else f"{names[video]} "
        return f"{where}{_clock(start_s)}" + (f" to {_clock(end_s)}" if end_s not in {None, start_s} else "")

    spans = [place(span.start_s, span.end_s, span.video) for span in answer.spans]
    parts = [
        f"{place(part.start_s, part.end_s, part.video)}: {part.text} ({part.verdict})"
        for part in answer.parts
    ]
    facts = [answer.status.replace("_", " "), f"sure {answer.confidence:.2f}"]
    facts += [f"count {answer.count}"] if answer.count is not None else []
    facts += [f"the {answer.budget.ended_by} budget ended the run"] if answer.budget.ended_by else []
    claims = [(place(item.time_s, None, item.video), item) for item in answer.evidence]
    return "".join(
        (
            "<div>",
            f"<p><b>{_lines(answer.headline)}</b></p>",
            f"<p>{_text(', '.join(facts))}</p>",
            _listed([] if parts else spans),
            _listed(parts),
            "<div style='display:flex;flex-wrap:wrap;gap:1em'>",
            *_figures(claims),
            "</div>",
            f"<p><small>{_text(f'{answer.model}, run {answer.run_id}')}</small></p>",
            "</div>",
        )
    )


def _figures(claims: list[tuple[str, Evidence]]) -> Iterator[str]:
    shown: dict[str, None] = {}
    for where, item in claims:
        image = ""
        if (
            item.frame
            and item.frame not in shown
            and len(shown) < _MAX_FRAMES
            and (data := _inlined(item.frame))
        ):
            shown[item.frame] = None
            image = f"<img src='{data}' alt='{_text(f'the frame at {where}')}' style='max-width:100%'>"
        caption = f"{_text(where)} <i>{item.verdict}</i>: {_text(item.claim)}"
        yield f"<figure style='margin:0;max-width:20em'>{image}<figcaption>{caption}</figcaption></figure>"


def _inlined(path: str) -> str | None:
    """Return a picture as a `data:` URL; None if the file is gone, as runs are kept for a week."""
    media_type = _MEDIA_TYPES.get(PurePath(path).suffix.lower())
    try:
        data = Path(path).read_bytes() if media_type else b""
    except OSError:
        return None
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}" if data else None


def _listed(lines: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>" if lines else ""


def _text(words: str) -> str:
    return html.escape(without_controls(words), quote=True)


def _lines(words: str) -> str:
    return "<br>".join(_text(line) for line in words.splitlines())


def _clock(time_s: float | None) -> str:
    minutes, millis = divmod(round(1000 * (time_s or 0.0)), 60_000)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{millis // 1000:02d}.{millis % 1000:03d}"
