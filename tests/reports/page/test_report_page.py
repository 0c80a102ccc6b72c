"""The report of whole runs: what it says, that it is one file, and that nothing said by others acts in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.media.code import read_code
from tests.reports.conftest import Page
from tests.scripted_server import judges, says, step_of
from vidagent.images.box_drawing import LINE
from vidagent.types import Budget
from vidagent.video.clock import format_time

pytestmark = pytest.mark.network

TAGS = set(
    "html head meta title style body main header section footer h1 h2 h3 p ol ul li b small span bdi code table "
    "caption thead tbody tfoot tr th td svg rect path div figure figcaption img dl dt dd details summary".split()
)
CLAIMS = [
    {"text": "The bar is at the left.", "ledger": ["L1"], "time_s": 2.0},
    {"text": "The bar is at the right.", "ledger": ["L1"], "time_s": 2.4},
]
WORDS = [
    "<script>document.title='hit'</script>",
    "</style></title><img src=x onerror=alert(1)>",
    '"><svg onload="alert(1)">',
    "javascript:alert(1)",
    "'--><base href=//example.org>",
    "evil\u202egpj\u2066.exe",
    "bell\x07 null\x00 half",
    "{{7*7}} ${7*7} &lt;b&gt; &#60;",
]
HOSTILE = " | ".join(WORDS)


class Saying(Script):
    """Says the same words wherever the model says something."""

    def __call__(self, body):
        if step_of(body) == "look":
            time_s = 2.0
            seen = {"time_s": time_s, "text": HOSTILE, "box": [100, 200, 500, 700]}
            return says(json.dumps({"found": True, "what": HOSTILE, "sightings": [seen], "confidence": 0.9}))
        if step_of(body) == "verify":
            return judges(body, self._hostile)
        return super().__call__(body)

    def _hostile(self, claim):
        verdict = "supported" if self.is_words(claim) else "partial"
        return {"why": HOSTILE, "verdict": verdict, "confidence": 0.5}


def usual(**changed: object) -> Script:
    """Look over the video and at two seconds of it, and claim two things."""
    drafted = answer(**{"claims": CLAIMS, **changed})
    return Script(
        [clip_look(2.0, 4.0, "Where is the bar?"), ("search", {"query": "the cuts"})],
        [drafted],
        look=observation(times=[2.0]),
    )


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def page(ask, tmp_path):
    """Return the function that asks and reads the report."""

    def made(script, *asked, **options) -> tuple[Page, object]:
        found = ask(script, *asked, report=tmp_path / "out.html", **options)
        return Page(tmp_path / "out.html"), found

    return made


def test_the_page_tells_the_whole_run(page, clip):
    read, found = page(usual(), "Where is the bar?", budget=Budget(frames=40, seconds=600))
    words = squeezed(read.words)
    assert {tag for tag, _ in read.tags} <= TAGS
    assert words.startswith(
        f"Where is the bar? · vidagent h264.mp4 Where is the bar? {found.answer} answered"
    )
    for told in ("0:02.000 to 0:03.000 (1.000 s)", "2 claims checked and kept", "answered", "confidence 80%"):
        assert told in words
    assert read.told("Video") == "h264.mp4"
    assert read.told("SHA-256") == found.video.sha256
    assert (read.told("Model"), read.told("Run")) == ("scripted", found.run_id)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC by vidagent \S+", read.told("Made"))
    assert str(clip("h264").parent) not in read.text
    steps = [step.step for step in found.usage.by_step]
    heads = re.findall(r"<h3>(.*?) <small>", read.text)
    assert len(heads) == len(steps)
    assert "a question of the kind whole: it" in words
    named = [re.sub(r"<[^>]+>", "", head) for head in heads]
    assert named == ["survey", "route", "plan", "L1 clip", "L2 search", "plan", "verify", "compose"]
    usage = found.usage
    total = [f"{usage.seconds:,.1f}", usage.model_calls, usage.prompt_tokens, usage.cached_tokens]
    total += [usage.completion_tokens, usage.thinking_tokens, usage.frames_decoded, usage.frames_sent]
    row = re.search(r"<tfoot><tr><th[^>]*>the run</th>(.*?)</tr>", read.text)[1]
    assert re.findall(r"<td[^>]*>(.*?)</td>", row) == [f"{n:,}" if isinstance(n, int) else n for n in total]
    assert f"frames {usage.frames_sent} 40 {usage.frames_sent / 40:.0%}" in squeezed(
        re.sub(r"<[^>]+>", " ", read.text)
    )


def test_the_evidence_is_the_frame_with_its_box(page):
    read, found = page(usual())
    evidence = [(alt, rgb) for alt, rgb in read.pictures() if "supported" in alt]
    assert [alt for alt, _ in evidence] == [
        "Frame at 0:02.000: The bar is at the left. (supported)",
        "Frame at 0:02.400: The bar is at the right. (supported)",
    ]
    assert [read_code(rgb).millis for _, rgb in evidence] == [2000, 2400]
    marked = [np.abs(rgb.astype(int) - LINE).sum(axis=2) < 90 for _, rgb in evidence]
    assert [item.box_px for item in found.evidence] == [(0, 0, 160, 90), None]
    assert marked[0][:92, 160:166].any(axis=1).mean() > 0.9
    assert marked[1].mean() < 0.001


def test_the_thumbnails_are_the_frames_looked_at(page):
    read, _ = page(usual())
    thumbs = [(alt, rgb) for alt, rgb in read.pictures() if "supported" not in alt]
    assert len(thumbs) == 9 + 6
    assert [alt for alt, _ in thumbs if "found" in alt] == ["Frame at 0:02.000, something was found in it"]
    for alt, rgb in thumbs:
        assert max(rgb.shape) <= 320
        minutes, seconds = re.match(r"Frame at (\d+):([\d.]+)", alt).groups()
        assert int(minutes) == 0
        assert abs(read_code(rgb).millis - 1000 * float(seconds)) < 1


def test_the_timeline_is_drawn_to_scale(page):
    read, found = page(usual())
    assert found.video.duration_s == 8.0
    (bar,) = read.all("rect", "answer")
    assert (float(bar["x"]), float(bar["width"])) == (250.0, 125.0)
    marks = [path["d"] for path in read.all("path", "claim")]
    assert marks == ["M250 20v-20", "M300 20v-20"]
    windows = [(float(bar["x"]), float(bar["width"])) for bar in read.all("rect", "window")]
    assert windows == [(0, 1000), (250, 250)]
    seen = [(float(bar["x"]), float(bar["width"])) for bar in read.all("rect", "seen")]
    drawn = [(1000 * span.start_s / 8, 1000 * span.length_s / 8) for span in found.coverage.spans]
    assert seen == [pytest.approx(span, abs=0.02) for span in drawn]
    frames = [path["d"].count("M") for path in read.all("path", "frame")]
    assert frames == [9, 6]
    assert all(svg["aria-hidden"] == "true" for svg in read.all("svg"))


def test_a_small_part_is_shown_again_near(page):
    read, _ = page(usual(spans=[{"start_s": 2.0, "end_s": 3.0}]))
    assert len(read.all("table", "timeline")) == 1
    claims = [{**CLAIMS[0], "time_s": 0.0, "ledger": ["L1"]}]
    script = Script([clip_look(0.0, 1.0)], [answer(claims=claims, spans=[{"start_s": 0, "end_s": 0.08}])])
    read, _ = page(script)
    assert len(read.all("table", "timeline")) == 2
    whole, near = (float(bar["width"]) for bar in read.all("rect", "answer"))
    assert (whole, near) == (10, pytest.approx(1000 * 0.08 / 1.08, abs=0.01))
    words = squeezed(read.words)
    assert "Around the answer, 0:00.000 to 0:01.080" in words
    assert "L1 clip 6 of 6 frames here" in words
    assert "L0 overview 2 of 9 frames here" in words


def test_nothing_said_acts_in_the_page(page, clip, tmp_path):
    video = tmp_path / "<b onclick=alert(1)>&amp;.mp4"
    shutil.copy(clip("h264"), video)
    claims = [{"text": HOSTILE, "ledger": ["L1"], "time_s": 2.0}]
    script = Saying(
        [clip_look(2.0, 4.0, HOSTILE[:200])],
        [answer(claims=claims, answer=HOSTILE[:-1], choice=1), clip_look(0, 1, "b")],
    )
    read, found = page(script, HOSTILE, path=video, options=["x", HOSTILE[:-1]])
    assert found.choice == 1
    assert {tag for tag, _ in read.tags} <= TAGS
    names = {name for _, attrs in read.tags for name in attrs}
    assert not {name for name in names if name.startswith("on") or name in {"href", "style", "srcset", "id"}}
    assert all((img["src"] or "").startswith("data:image/jpeg;base64,") for img in read.all("img"))
    assert read.words.count("<script>document.title='hit'</script>") >= 6
    assert "<b onclick=alert(1)>&amp;.mp4" in read.words
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", read.text)
    assert "7*7" in read.words
    assert "�" in read.words


def test_the_policy_lets_in_the_style_and_the_pictures_alone(page):
    read, _ = page(usual())
    (policy,) = [meta["content"] for meta in read.all("meta") if meta.get("http-equiv")]
    style = re.search(r"<style>(.*?)</style>", read.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert read.text.index("Content-Security-Policy") < read.text.index("<style>")
    assert "//" not in re.sub(r"base64,[^\"]*", "", read.text.replace(style, "").replace(digest, ""))
    assert "url(" not in style
    assert "@import" not in style


def test_what_was_refused_is_told(page):
    script = Script(
        [clip_look(2.0, 4.0)],
        [answer(claims=CLAIMS[:1])],
        [clip_look(4.0, 6.0)],
        [answer(claims=[{**CLAIMS[0], "text": "It is elsewhere.", "ledger": ["L2"], "time_s": 4.0}])],
        verdicts=["unsupported", "partial"],
        look=observation(times=[2.0]),
    )
    read, found = page(script)
    words = squeezed(read.words)
    assert found.evidence[0].claim == "It is elsewhere."
    assert "sends back: The bar is at the left. ( because )" in words
    assert "1 partial" in words
    assert words.index("sends back") < words.index("1 partial")
    assert [path["class"] for path in read.all("path", "claim")] == ["claim partial"]


def test_nothing_found_says_what_was_looked_at(page):
    script = Script(
        [clip_look(2.0, 4.0)],
        [answer(found="no", answer="There is no bar", claims=[], spans=[])],
        look=observation(found=False, what="only blocks"),
    )
    read, found = page(script)
    assert found.status == "not_found"
    words = squeezed(read.words)
    assert "not found" in words
    assert "There is no bar. Looked at" in words
    assert "1 claim checked and kept" in words
    assert [path["class"] for path in read.all("path", "claim")] == ["claim supported"]
    assert "nothing found : only blocks" in words
    assert read.all("rect", "answer") == []
    assert len(read.pictures()) == 1 + 9 + 6


def test_a_no_of_more_sentences_than_are_checked_says_that_nothing_was(page):
    many = " ".join(f"Nothing is to be seen in place {number}." for number in range(1, 10))
    look = observation(found=False, what="only blocks")
    read, found = page(
        Script([clip_look(2.0, 4.0)], [answer(found="no", answer=many, claims=[], spans=[])], look=look)
    )
    assert (found.status, found.evidence) == ("not_found", ())
    assert "No claim was made, so none was checked." in squeezed(read.words)


def test_a_budget_that_ended_the_run_is_named(page):
    read, found = page(usual(), budget=Budget(model_calls=2))
    assert (found.status, found.budget.ended_by) == ("partial", "model_calls")
    words = squeezed(read.words)
    assert "the model_calls budget ended the run" in words
    assert "100% ended the run" in words


def test_a_look_that_failed_is_told(page):
    read, _ = page(Script([clip_look(30.0, 40.0)], [clip_look(2.0, 4.0)], [answer(claims=CLAIMS[:1])]))
    words = squeezed(read.words)
    assert "L1 clip" in words
    heads = [re.sub(r"<[^>]+>", "", head) for head in re.findall(r"<h3>(.*?) <small>", read.text)]
    assert heads[:5] == ["survey", "route", "plan", "L1 clip", "plan"]


def test_the_same_page_after_the_run(ask, tmp_path):
    first = ask(usual(), report=tmp_path / "first.html")
    again = ask(usual(), report=tmp_path / "again.html", resume=first.run_id)
    assert again == first
    pages = [
        re.sub(r"<dt>Made</dt>.*?</dd>", "", (tmp_path / name).read_text())
        for name in ("first.html", "again.html")
    ]
    assert pages[0] == pages[1]


def test_pictures_that_are_gone_are_left_out(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDAGENT_CACHE_DIR", str(tmp_path / "cache"))
    first = ask(usual())
    (frames,) = (tmp_path / "cache" / "runs").glob("*/frames")
    shutil.rmtree(frames)
    ask(usual(), report=tmp_path / "out.html", resume=first.run_id)
    read = Page(tmp_path / "out.html")
    assert [alt.split(":")[0] for alt, _ in read.pictures()] == ["Frame at 0", "Frame at 0"]
    assert "0:02.000 to 0:04.000, 6 frames" in squeezed(read.words)


def test_an_earlier_report_stays_until_the_new_one_is_whole(ask, tmp_path: Path, monkeypatch):
    (tmp_path / "out.html").write_text("an earlier report")
    monkeypatch.setattr("vidagent.reports.page.report_page.costs", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ask(usual(), report=tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text() == "an earlier report"
    assert list(tmp_path.glob(".*.part")) == []


def test_parts_are_a_list_whose_times_lead_to_their_frames(ask, tmp_path):
    parts = [
        {"start_s": 0, "end_s": 3, "text": "The bar <moves>.", "frames_s": [0.4]},
        {"start_s": 3, "end_s": 5, "text": "The bar rests.", "frames_s": [3.72]},
        {"start_s": 5, "end_s": 8, "text": "The bar leaves.", "frames_s": [5.6]},
    ]
    path = tmp_path / "out.html"
    told = answer(answer="A bar.", claims=[], spans=[], parts=parts)
    found = ask(Script([told]), "What happens?", report=path)
    page = path.read_text("utf-8")
    read = Page(path)
    assert {tag for tag, _ in read.tags} <= TAGS | {"a"}
    links = [attrs["href"] for tag, attrs in read.tags if tag == "a"]
    names = {attrs["id"] for _, attrs in read.tags if "id" in attrs}
    assert len(links) == 3
    assert {link.removeprefix("#") for link in links} <= names
    head = page[page.index('class="parts"') : page.index("</header>")]
    assert "There is no frame of it" not in page
    assert head.index("0:00\u20130:03") < head.index("The bar &lt;moves&gt;.") < head.index("0:03\u20130:05")
    times = sorted(item.time_s for item in found.evidence)
    assert f"supported {', '.join(map(format_time, times))}" in squeezed(read.words)
