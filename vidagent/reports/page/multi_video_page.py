"""First page of a report about several videos: the combined answer, and each video's result with a link."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from vidagent.agents.prompting.video_findings import names_of
from vidagent.reports.page.costs import budgets, costs
from vidagent.reports.page.markup import Html, el, quoted
from vidagent.reports.page.report_page import badges, choices, document, section
from vidagent.reports.page.timeline import span_text
from vidagent.types import Answer, Question
from vidagent.video.clock import format_time


def render_multi_video(
    question: Question, answer: Answer, pages: Sequence[Path], each: Mapping[int, Answer]
) -> str:
    """Return the document.

    Args:
        question: The question.
        answer: The combined answer.
        pages: Paths of the videos' pages, beside this one.
        each: Answers of the videos that were asked, by index.
    """
    head = (
        el("h1", question.text, dir="auto"),
        el("p", answer.answer, class_="answer", dir="auto"),
        el("p", *badges(answer), class_="badges"),
        choices(question, answer),
    )
    videos = [_video(answer, index, page, each.get(index)) for index, page in enumerate(pages)]
    return document(
        question.text,
        el("header", *head),
        section("Videos", el("ol", *videos, class_="steps")),
        section("Cost", costs(answer), budgets(answer)),
        el(
            "footer",
            el("p", f"Run {answer.run_id}, model ", quoted(answer.model), ". Each video has its own clock."),
        ),
    )


def _video(answer: Answer, index: int, page: Path, one: Answer | None) -> Html:
    info = answer.videos[index]
    name = names_of([info.path for info in answer.videos])[index]
    title = el("h3", quoted(name), " ", el("small", format_time(info.duration_s)))
    return el("li", title, *_result(answer, index, page, one))


def _result(answer: Answer, index: int, page: Path, one: Answer | None) -> Iterator[Html]:
    if one is None:
        yield el("p", "was not looked at")
        return
    yield el("p", quoted(one.answer))
    spans = [span for span in answer.spans if span.video == index]
    if spans:
        yield el("p", *(el("span", span_text(span)) for span in spans), class_="spans")
    link = quote(os.fsencode(page.name))
    yield el("p", f"{one.coverage.share}; ", el("a", "frames and steps", href=link))
