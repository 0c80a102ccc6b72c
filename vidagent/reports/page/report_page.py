"""The report: one HTML file that needs nothing else, neither network nor script, and reads without pictures."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import PurePath

from vidagent.images import jpeg
from vidagent.reports.page.costs import budgets, costs
from vidagent.reports.page.markup import Html, el, folded, join, said
from vidagent.reports.page.photos import photo
from vidagent.reports.page.steps import image, steps
from vidagent.reports.page.timeline import span_text, timelines
from vidagent.reports.run_report import Dossier, Finding
from vidagent.text import counted
from vidagent.types import Answer, Question
from vidagent.video.clock import format_time

_PHOTO_QUALITY = 80
_PHOTO_PX = ((6, 960), (16, 640), (40, 320))
"""Longest side of the frames of the evidence, by how many there are; no more than the last number is shown."""
_STATUS = {"answered": "answered", "not_found": "not found", "partial": "partial"}
_SIGNS = {"supported": "✓", "partial": "~", "unsupported": "✗"}


def render(dossier: Dossier) -> str:
    """Return the document."""
    answer = dossier.answer
    sections = (
        el("header", *_head(dossier)),
        section("When", timelines(dossier)),
        section("Evidence", *_evidence(dossier)),
        section("Steps", steps(dossier)),
        section("Cost", costs(answer), budgets(answer)),
        el("footer", *_foot(dossier)),
    )
    return document(dossier.question.text, *sections)


def document(title: str, *parts: Html) -> str:
    """Return a whole page."""
    name = f"{folded(title)[:120]} · vidagent"
    head = el("head", *_meta(), el("title", name), el("style", Html(_style())))
    return "<!doctype html>\n" + el("html", head, el("body", el("main", *parts)), lang="en") + "\n"


@cache
def _style() -> str:
    return resources.files("vidagent.reports.page").joinpath("page.css").read_text(encoding="utf-8").strip()


def _meta() -> Iterator[Html]:
    """Yield what a browser is told: only this style and the pictures in the file are let in."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    yield el("meta", charset="utf-8")
    yield Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">')
    yield el("meta", name="viewport", content="width=device-width, initial-scale=1")
    yield el("meta", name="color-scheme", content="light dark")
    yield el("meta", name="referrer", content="no-referrer")


def section(title: str, *parts: Html) -> Html:
    """Return a part of a page under its heading."""
    return el("section", el("h2", title), *parts)


def _head(dossier: Dossier) -> Iterator[Html]:
    answer = dossier.answer
    yield el("p", _file_name(answer), class_="file")
    yield el("h1", dossier.question.text, dir="auto")
    yield el("p", answer.answer, class_="answer", dir="auto")
    yield el("p", *badges(answer), class_="badges")
    yield choices(dossier.question, answer)
    if answer.spans:
        yield el("ul", *(el("li", span_text(span)) for span in answer.spans), class_="spans")


def _file_name(answer: Answer) -> Html:
    return said(PurePath(answer.video.path).name)


def badges(answer: Answer) -> Iterator[Html]:
    """Yield how a run ended, in a few words each."""
    yield el("span", _STATUS[answer.status], class_=f"badge {answer.status}")
    if answer.budget.ended_by is not None:
        yield el("span", f" the {answer.budget.ended_by} budget ended the run")
    if answer.count is not None:
        yield el("span", f" count {answer.count:,}")
    yield el("span", f" confidence {answer.confidence:.0%}")
    yield el("span", f" {counted(len(answer.evidence), 'claim')} checked and kept")
    of = "the videos" if answer.videos else "the video"
    yield el("span", f" {answer.coverage.fraction:.0%} of {of} looked at")


def choices(question: Question, answer: Answer) -> Html:
    """Return the options, the chosen one marked; nothing where there are none."""
    options = [_option(text, number == answer.choice) for number, text in enumerate(question.options or ())]
    return el("ol", *options, class_="options") if options else Html()


def _option(text: str, chosen: bool) -> Html:
    return el("li", el("b", said(text), " ✓ chosen")) if chosen else el("li", said(text))


def _evidence(dossier: Dossier) -> Iterator[Html]:
    findings = dossier.findings
    if not findings:
        yield el("p", "No claim was made, so none was checked.")
        return
    side = next((px for most, px in _PHOTO_PX if len(findings) <= most), _PHOTO_PX[-1][1])
    most = _PHOTO_PX[-1][0]
    figures = [
        _figure(dossier, finding, side if number < most else None) for number, finding in enumerate(findings)
    ]
    yield el("div", *figures, class_="evidence")
    if len(findings) > most:
        yield el("p", f"The frames of the first {most} claims are shown.")


def _figure(dossier: Dossier, finding: Finding, side_px: int | None) -> Html:
    """Return a claim with its frame; the words say it all where there is no picture."""
    when = format_time(finding.time_s)
    words = [
        el(
            "p",
            el("b", f"{_SIGNS[finding.verdict]} {finding.verdict}", class_=finding.verdict),
            f" at {when}, confidence {finding.confidence:.0%}",
        ),
        el("p", said(finding.claim)),
    ]
    if finding.why:
        words.append(el("p", "why: ", said(finding.why), class_="why"))
    if finding.box_px is not None:
        x0, y0, x1, y1 = finding.box_px
        words.append(el("p", f"box {x0},{y0} to {x1},{y1} px", class_="why"))
    return el("figure", _photo(dossier, finding, side_px), el("figcaption", *words))


def _photo(dossier: Dossier, finding: Finding, side_px: int | None) -> Html | None:
    rgb = None if side_px is None else photo(dossier, finding, side_px)
    if rgb is None:
        return None if side_px is None else el("p", "There is no frame of it.", class_="why")
    alt = f"Frame at {format_time(finding.time_s)}: {folded(finding.claim)} ({finding.verdict})"
    return image(jpeg.encode(rgb, _PHOTO_QUALITY), (rgb.shape[1], rgb.shape[0]), alt)


def _foot(dossier: Dossier) -> Iterator[Html]:
    answer = dossier.answer
    video = answer.video
    picture = f"{video.width}x{video.height}, {float(video.fps):.6g} frames a second, {video.codec}"
    rows = (
        ("Video", _file_name(answer)),
        ("", Html.of(f"{format_time(video.duration_s)}, {picture}")),
        ("SHA-256", el("code", video.sha256)),
        ("Model", said(answer.model)),
        ("Run", el("code", answer.run_id)),
        ("Made", Html.of(f"{dossier.made_at:%Y-%m-%d %H:%M} UTC by vidagent {dossier.version}")),
    )
    parts = [part for name, value in rows for part in (el("dt", name), el("dd", value))]
    yield el("dl", *parts)
    yield join(
        (el("p", "Times are those a player shows; a range holds its first instant and not its last."),)
    )
