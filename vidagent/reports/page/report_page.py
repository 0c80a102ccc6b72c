"""The report: one self-contained HTML file, without network or scripts, readable without its images."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import PurePath

from vidagent.images import jpeg
from vidagent.reports.page.costs import budgets, costs
from vidagent.reports.page.frame_images import evidence_frame
from vidagent.reports.page.markup import Html, el, folded, quoted
from vidagent.reports.page.speech import speech
from vidagent.reports.page.steps import image, steps
from vidagent.reports.page.timeline import span_text, timelines
from vidagent.reports.run_report import Finding, RunReport
from vidagent.summary import Summary
from vidagent.text import counted
from vidagent.types import Answer, Part, Question, Span, limit_title
from vidagent.video.clock import clock_ranges, format_time

_FRAME_QUALITY = 80
_FRAME_SIZES = ((6, 960), (16, 640), (40, 320))
"""Longest side of the evidence's frames by their number; no more than the last number are shown."""
_STATUS = {
    "answered": "answered",
    "not_found": "not found",
    "cannot_judge": "cannot judge",
    "partial": "partial",
}
_SIGNS = {"supported": "✓", "partial": "~", "unsupported": "✗"}


def render(report: RunReport, link: str | None = None) -> str:
    """Return the document; `link` is the address of the video from where it lies, or None."""
    answer = report.answer
    transcript = report.transcript
    sections = (
        el("header", *_head(report)),
        section("When", timelines(report)),
        section("Evidence", *_evidence(report)),
        *(
            [section("Speech", *speech(transcript, link))]
            if transcript is not None and transcript.cues
            else []
        ),
        section("Steps", steps(report)),
        section("Cost", costs(answer), budgets(answer)),
        el("footer", *_foot(report)),
    )
    return document(report.question.text, *sections)


def document(title: str, *parts: Html) -> str:
    """Return a whole page."""
    name = f"{folded(title)[:120]} · vidagent"
    head = el("head", *_meta(), el("title", name), el("style", Html(_style())))
    return "<!doctype html>\n" + el("html", head, el("body", el("main", *parts)), lang="en") + "\n"


@cache
def _style() -> str:
    return resources.files("vidagent.reports.page").joinpath("page.css").read_text(encoding="utf-8").strip()


def _meta() -> Iterator[Html]:
    """Yield the meta elements; the policy allows only this style and the images in the file."""
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
    """Return a section with its heading."""
    return el("section", el("h2", title), *parts)


def _head(report: RunReport) -> Iterator[Html]:
    answer = report.answer
    yield el("p", _file_name(answer), class_="file")
    yield el("h1", report.question.text, dir="auto")
    yield el("p", answer.headline, class_="answer", dir="auto")
    yield el("p", *badges(answer), class_="badges")
    yield choices(report.question, answer)
    if answer.parts:
        times = clock_ranges([(part.start_s, part.end_s) for part in answer.parts], "\u2013")
        parts = zip(answer.parts, times, strict=True)
        items = (_part(report, number, part, when) for number, (part, when) in enumerate(parts))
        yield el("ol", *items, class_="parts")
        yield el("p", answer.closing, class_="why", dir="auto") if answer.closing else Html()
        yield from _highlights(answer) if isinstance(answer, Summary) and answer.highlights else ()
    if answer.fields is not None:
        yield el("pre", json.dumps(answer.data, ensure_ascii=False, indent=2))
        unproved = (
            el("li", el("code", one.path or "all"), f": {one.reason}") for one in answer.fields if one.reason
        )
        yield el("ul", *unproved)
    elif answer.spans and not answer.parts:
        yield el("ul", *(el("li", span_text(span)) for span in answer.spans), class_="spans")


def _part(report: RunReport, number: int, part: Part, when: str) -> Html:
    """Return a part with its time, which leads to the frame that proves it; one of a summary has its title first."""
    answer = report.answer
    proof = next(
        (
            place
            for place, finding in enumerate(report.findings)
            if finding.claim in part.text and part.start_s <= finding.time_s <= part.end_s
        ),
        None,
    )
    time = el("span", when) if proof is None else el("a", when, href=f"#claim-{proof}")
    sign = None if part.verdict == "supported" else el("b", " ~ partial", class_=part.verdict)
    if isinstance(answer, Summary):
        body = " ".join(item.claim for item in answer.body(number))
        title = el("b", quoted(answer.chapters[number].title))
        return el("li", time, el("span", title, Html("<br>") if body else None, quoted(body), sign))
    return el("li", time, el("span", quoted(part.text), sign))


def _highlights(summary: Summary) -> Iterator[Html]:
    yield el("h2", "Highlights")
    items = (
        el(
            "li",
            el("span", span_text(Span(one.start_s, one.end_s))),
            el("span", quoted(summary.evidence[one.sentence].claim)),
        )
        for one in summary.highlights
    )
    yield el("ol", *items, class_="parts")


def _file_name(answer: Answer) -> Html:
    return quoted(PurePath(answer.video.path).name)


def badges(answer: Answer) -> Iterator[Html]:
    """Yield how a run ended, in a few words each."""
    yield el("span", _STATUS[answer.status], class_=f"badge {answer.status}")
    if answer.budget.ended_by is not None:
        yield el("span", f" the {limit_title(answer.budget.ended_by)} ended the run")
    if answer.count is not None:
        yield el("span", f" count {answer.count:,}")
    yield el("span", f" confidence {answer.confidence:.0%}")
    yield el("span", f" {counted(len(answer.evidence), 'claim')} checked and kept")
    of = "the videos" if answer.videos else "the video"
    yield el("span", f" {answer.coverage.share} of {of}")


def choices(question: Question, answer: Answer) -> Html:
    """Return the options with the chosen one marked; empty without options."""
    options = [_option(text, number == answer.choice) for number, text in enumerate(question.options or ())]
    return el("ol", *options, class_="options") if options else Html()


def _option(text: str, chosen: bool) -> Html:
    return el("li", el("b", quoted(text), " ✓ chosen")) if chosen else el("li", quoted(text))


def _evidence(report: RunReport) -> Iterator[Html]:
    findings = report.findings
    if not findings:
        yield el("p", "No claim was made, so none was checked.")
        return
    side = next((px for most, px in _FRAME_SIZES if len(findings) <= most), _FRAME_SIZES[-1][1])
    most = _FRAME_SIZES[-1][0]
    figures = [
        _figure(
            report,
            finding,
            side if number < most else None,
            f"claim-{number}" if report.answer.parts else None,
        )
        for number, finding in enumerate(findings)
    ]
    yield el("div", *figures, class_="evidence")
    if len(findings) > most:
        yield el("p", f"The frames of the first {most} claims are shown.")


def _figure(report: RunReport, finding: Finding, side_px: int | None, name: str | None) -> Html:
    """Return a claim with its frame, if there is one."""
    when = format_time(finding.time_s)
    words = [
        el(
            "p",
            el("b", f"{_SIGNS[finding.verdict]} {finding.verdict}", class_=finding.verdict),
            f" at {when}, confidence {finding.confidence:.0%}",
        ),
        el("p", quoted(finding.claim)),
    ]
    if finding.why:
        words.append(el("p", "why: ", quoted(finding.why), class_="why"))
    if finding.box_px is not None:
        x0, y0, x1, y1 = finding.box_px
        words.append(el("p", f"box {x0},{y0} to {x1},{y1} px", class_="why"))
    return el("figure", _photo(report, finding, side_px), el("figcaption", *words), id=name)


def _photo(report: RunReport, finding: Finding, side_px: int | None) -> Html | None:
    rgb = None if side_px is None else evidence_frame(report, finding, side_px)
    if rgb is None:
        return None if side_px is None else el("p", "There is no frame of it.", class_="why")
    alt = f"Frame at {format_time(finding.time_s)}: {folded(finding.claim)} ({finding.verdict})"
    return image(jpeg.encode(rgb, _FRAME_QUALITY), (rgb.shape[1], rgb.shape[0]), alt)


def _foot(report: RunReport) -> Iterator[Html]:
    answer = report.answer
    video = answer.video
    picture = f"{video.width}x{video.height}, {float(video.fps):.6g} frames a second, {video.codec}"
    rows = (
        ("Video", _file_name(answer)),
        ("", Html.of(f"{format_time(video.duration_s)}, {picture}")),
        ("SHA-256", el("code", video.sha256)),
        ("Model", quoted(answer.model)),
        ("Run", el("code", answer.run_id)),
        ("Made", Html.of(f"{report.made_at:%Y-%m-%d %H:%M} UTC by vidagent {report.version}")),
    )
    yield el("dl", *(part for name, value in rows for part in (el("dt", name), el("dd", value))))
    yield el("p", "Times are those a player shows; a range holds its first instant and not its last.")
