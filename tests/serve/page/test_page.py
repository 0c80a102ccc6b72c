"""The page in a browser, as a person uses it: a video, a question, steps, an answer, and what goes wrong."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.graphs.scripts import answer
from tests.serve.page.conftest import DESK, PATIENCE_MS, PHONE, Watched, accessible
from tests.serve.rest.test_jobs import added, ended, job
from tests.serve.running import QUESTION, running
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.keys import ApiKeys

pytestmark = [pytest.mark.network, pytest.mark.browser]
expect.set_options(timeout=PATIENCE_MS)


def choose(page: Page, name: str = "clip.mp4") -> None:
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name=name).click()
    expect(page.get_by_label("What do you want to know?")).to_be_focused()


def ask(page: Page, question: str = QUESTION) -> None:
    page.locator("#question").fill(question)
    page.keyboard.press("Enter")


def answered(page: Page, number: int = 0) -> None:
    expect(page.locator(".turn").nth(number).locator(".answer-text")).to_have_text(
        re.compile("Something is to be seen")
    )


def at(page: Page) -> float:
    return page.evaluate("document.querySelector('video').currentTime")


def test_a_line_of_the_transcript_seeks(page, root):
    lines = [
        {"start_s": 0.5, "end_s": 1.0, "text": "The harbour <b>opens</b>.", "speaker": "A <i>", "words": []},
        {"start_s": 2.48, "end_s": 3.0, "text": "It closes at seven.", "speaker": None, "words": []},
    ]
    told = {"model": "tiny", "languages": ["en"], "done_s": 4.0, "complete": True, "lines": lines}
    page.route("**/v1/videos/transcript?**", lambda route: route.fulfill(json=told))
    choose(page)
    page.get_by_text("What is said").click()
    expect(page.get_by_role("list", name="Lines").get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_text("The harbour <b>opens</b>.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="The harbour")).to_contain_text(
        "A <i> The harbour <b>"
    )
    page.get_by_role("list", name="Lines").get_by_role("button").last.click()
    assert 2.48 <= at(page) < 2.5
    accessible(page)
    page.unroute("**/v1/videos/transcript?**")
    page.reload()
    page.get_by_text("What is said").click()
    expect(page.get_by_text("This server has no speech model")).to_be_visible()


def test_from_upload_to_follow_up_and_over_a_reload(page, root, plays):
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Which video do you want to ask about?")
    accessible(page)
    page.get_by_label("Drop a video here").set_input_files(root / "clip.mp4")
    expect(page.get_by_role("region", name="Video")).to_contain_text("clip.mp4 · 4 s")

    plays.hold("verify")
    ask(page)
    look = page.locator(".steps .look.found")
    expect(look).to_contain_text("clip, ")
    expect(look.get_by_role("button", name="0:01 – 0:03")).to_be_visible()
    expect(page.locator(".strip").first.locator(".bar-of.look")).to_have_count(1)
    expect(page.get_by_role("navigation")).to_contain_text(QUESTION)
    expect(
        page.get_by_role("button", name="Ask", exact=True)
    ).to_be_disabled()  # a session takes one at a time
    accessible(page)
    plays.release()

    answered(page)
    expect(page.locator("#announcer")).to_have_text(re.compile("Something is to be seen"))
    expect(page.locator(".badge").first).to_have_text("Answered")
    expect(page.locator(".proof img")).to_have_js_property("complete", value=True)
    assert page.locator(".proof img").evaluate("image => image.naturalWidth") > 0
    expect(page.locator(".proof rect.over")).to_have_count(1)
    accessible(page)
    page.get_by_role("list", name="Where the answer is").get_by_role("button").first.click()
    assert 2 <= at(page) < 2.04
    expect(page.get_by_label("Position in the video")).to_have_attribute("aria-valuetext", re.compile("0:02"))

    ask(page, "And is it there again?")
    answered(page, 1)
    page.reload()
    answered(page, 1)
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(1)
    page.get_by_role("link", name="New question").click()
    expect(page.get_by_role("heading", name="Earlier uploads")).to_be_visible()


def test_parts_are_a_list_whose_times_move_the_player(page, plays):
    parts = [
        {"start_s": 0, "end_s": 2.5, "text": "A bar moves to the right, past the middle of the picture."},
        {"start_s": 2.5, "end_s": None, "text": "The bar goes on, and nothing else is to be seen."},
    ]
    plays.draft = answer(answer="Something is to be seen.", claims=[], spans=[], parts=parts)
    choose(page)
    ask(page)
    answered(page)
    expect(page.locator(".answer-text")).to_have_text("Something is to be seen.")
    listed = page.get_by_role("list", name="Parts of the answer")
    expect(listed.get_by_role("listitem")).to_have_text(
        ["0:00–0:02" + parts[0]["text"], "0:02–0:04" + parts[1]["text"]]
    )
    listed.get_by_role("button").nth(1).click()
    assert 2.5 <= at(page) < 2.54
    accessible(page)


def test_a_summary_is_one_button_and_shows_chapters_whose_sentences_move_the_player(page, plays, client):
    parts = [
        {
            "start_s": 0,
            "end_s": 2.5,
            "text": "A bar moves. It passes the middle of the picture.",
            "ledger": ["L1"],
        },
        {"start_s": 2.5, "end_s": None, "text": "The bar goes on.", "ledger": ["L1"]},
    ]
    spans = [{"start_s": 3.0, "end_s": 3.4}]
    plays.draft = answer(answer="Something is to be seen.", claims=[], spans=spans, parts=parts)
    choose(page)
    page.get_by_label("Length of the summary").select_option("briefly")
    page.locator("#question").fill("What is typed stays.")
    page.get_by_role("button", name="Summarise").click()
    answered(page)
    assert client.get("/v1/jobs").json()["data"][0]["asked"]["summary"] == "short"
    listed = page.get_by_role("list", name="Chapters").get_by_role("listitem")
    expect(listed).to_have_count(2)
    expect(listed.first.locator("strong")).to_have_text("A bar moves")
    expect(listed.first.locator("p")).to_contain_text("It passes the middle of the picture.")
    listed.first.locator("p").get_by_role("button").click()
    assert 0 <= at(page) < 2.5
    page.get_by_role("list", name="Highlights").get_by_role("button").click()
    assert 3.0 <= at(page) < 3.04
    expect(page.locator("#question")).to_have_value("What is typed stays.")
    accessible(page)


def test_an_answer_to_a_schema_shows_each_value_and_its_time(page, plays, client):
    properties = {"player": {"type": "string"}, "team": {"type": "string"}}
    name = "A very long name of a player, of many words that need more than one line"
    source = {"path": "/player", "time_s": 2.0, "ledger": ["L1"]}
    plays.draft = answer(claims=[], spans=[], data={"player": name, "team": None}, sources=[source])
    ended(client, added(client, schema={"type": "object", "properties": properties}))
    page.goto("/")
    page.get_by_role("navigation").get_by_role("link", name=QUESTION).click()
    data = page.get_by_role("table", name="Data")
    expect(data.get_by_role("row").first).to_contain_text(f'/player"{name}"')
    expect(data.get_by_role("row").last).to_contain_text("/teamnull: the model gave no value for it")
    data.get_by_role("button").click()
    assert 1.96 <= at(page) < 2.0
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        assert data.evaluate(
            "one => one.getBoundingClientRect().right <= one.parentElement.getBoundingClientRect().right"
        )
    accessible(page)


def test_a_reload_goes_on_with_a_running_question_and_it_can_be_stopped(page, plays, client):
    choose(page)
    plays.hold("plan")
    ask(page)
    expect(page.locator(".steps")).to_contain_text("Planning")
    page.reload()
    expect(page.locator(".steps")).to_contain_text("Planning")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("This question was stopped.")).to_be_visible()
    assert client.get("/v1/jobs").json()["data"][0]["status"] == "cancelled"
    plays.release()
    page.get_by_role("button", name="Ask again").click()
    answered(page, 1)


TOLD_BESIDE_A_BAR = """() => {
    window.told = [];
    new MutationObserver(() => {
        const doing = document.querySelector(".doing");
        if (doing && document.querySelector("progress, [role=progressbar]")) window.told.push(doing.textContent.trim());
    }).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}"""
"""Keeps what the page says it is doing while a bar stands there, as each lasts for a moment only."""


def test_how_far_a_long_step_is(browser, monkeypatch, text_clip, tmp_path):
    monkeypatch.setenv("VIDAGENT_MODEL", "signals")
    with (
        running(tmp_path / "data", roots=(text_clip,)) as client,
        browser.new_context(base_url=str(client.base_url)) as context,
    ):
        watched = Watched(context.new_page())
        choose(watched.page, "text.mp4")
        watched.page.evaluate(TOLD_BESIDE_A_BAR)
        ask(watched.page, 'When does the text "Second line" appear?')
        expect(watched.page.locator(".answer-text")).to_have_text(re.compile("is shown from 1"))
        told = watched.page.evaluate("() => window.told")
        assert any(re.fullmatch(r"(Indexing|Reading the text on screen), \d+%", text) for text in told), told
        assert watched.complaints == []


def test_the_documentation_of_the_routes_needs_no_network(watched):
    """The fixture checks that no other host is asked."""
    watched.page.goto("/docs")
    expect(watched.page.get_by_role("heading", level=1)).to_contain_text("vidagent")
    watched.page.get_by_role("button", name="POST /v1/jobs").first.click()
    expect(watched.page.get_by_text("Ask a question in the background").last).to_be_visible()
    watched.page.get_by_text("Try it out").click()
    expect(watched.page.get_by_role("button", name="Execute")).to_be_visible()


def test_options_and_a_budget_reach_the_server(page, client):
    choose(page)
    page.get_by_text("Answers to choose from, budget").click()
    page.locator("#options").fill("red\n\n blue \n")
    page.get_by_label("Seconds").fill("90.5")
    page.get_by_label("Frames").fill("50")
    ask(page)
    expect(page.locator(".options li")).to_have_text([re.compile("red"), re.compile("blue")])
    asked = client.get("/v1/jobs").json()["data"][0]["asked"]
    assert asked["options"] == ["red", "blue"]
    assert {name: value for name, value in asked["budget"].items() if value} == {
        "seconds": 90.5,
        "frames": 50,
    }
    page.get_by_text("Cost and budget").click()
    expect(page.locator(".limits")).to_contain_text("of 50 frames")


def test_words_are_never_markup(watched):
    page = watched.page
    choose(page)
    ask(page, "<img src=x onerror=alert(1)> <b>bold?</b>")
    answered(page)
    expect(page.locator(".turn h2")).to_have_text("<img src=x onerror=alert(1)> <b>bold?</b>")
    assert page.locator(".turn h2 :is(img, b), .history b :is(img, b), .history script").count() == 0
    with pytest.raises(Exception, match="TrustedHTML"):
        page.evaluate("document.createElement('p').innerHTML = '<b>x</b>'")
    watched.excused("TrustedHTML")


@pytest.fixture
def notes(root) -> Iterator[str]:
    """Put a file among the videos that is none."""
    path = root / "notes.mp4"
    path.write_text("no video")
    yield path.name
    path.unlink()


def test_what_fails_says_why(watched, notes):
    page = watched.page
    choose(page, notes)
    ask(page)
    fault = page.get_by_role("alert").filter(has_text="notes.mp4: is not a video")
    expect(fault).to_contain_text("Error video")
    expect(page.get_by_text("Your browser cannot play this video")).to_be_visible()
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()
    accessible(page)
    page.goto("/")
    page.get_by_label("Drop a video here").set_input_files(
        {"name": "words.mp4", "mimeType": "video/mp4", "buffer": b"no video"}
    )
    expect(page.get_by_role("alert")).to_contain_text("words.mp4: is not a video")
    watched.excused("404", "422")  # what is no video is not sent to the player, and not kept


def test_a_refusal_stands_beside_the_question(browser, model, plays, root, tmp_path):
    with (
        running(tmp_path, roots=(root,), jobs_each=1) as client,
        browser.new_context(base_url=str(client.base_url)) as context,
    ):
        watched = Watched(context.new_page())
        plays.hold("plan")
        added(client)
        choose(watched.page)
        ask(watched.page, "One more?")
        expect(watched.page.get_by_role("alert")).to_contain_text(
            "you have reached the limit of unfinished jobs: 1"
        )
        expect(watched.page.get_by_role("alert")).to_contain_text("Try again in 10 s.")
        assert watched.page.locator("#question").input_value() == "One more?"
        watched.excused("429")
        assert watched.complaints == []


def first_events(client: httpx.Client, path: str, count: int) -> bytes:
    """Return the first events of a job as they are sent, and leave its stream."""
    told = b""
    with client.stream("GET", path) as reply:
        for piece in reply.iter_raw():
            told += piece
            if told.count(b"\r\n\r\n") >= count:
                return b"".join(
                    f"{event}\r\n\r\n".encode() for event in told.decode().split("\r\n\r\n")[:count]
                )
    raise AssertionError(f"fewer than {count} events")


def test_a_connection_that_is_lost_is_made_again(watched, plays, client):
    page = watched.page
    behind: list[str | None] = []
    back = threading.Event()

    def lose(route: Route) -> None:
        behind.append(route.request.headers.get("last-event-id"))
        if len(behind) == 1:  # cut off after some events
            path = route.request.url.removeprefix(str(client.base_url).rstrip("/"))
            route.fulfill(content_type="text/event-stream", body=first_events(client, path, 3))
        elif not back.is_set():
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/events", lose)
    choose(page)
    plays.hold("verify")
    ask(page)
    expect(page.locator(".doing")).to_contain_text("The connection is lost")
    expect(page.locator(".steps li")).to_have_count(3)
    back.set()
    expect(page.locator(".steps .look.found")).to_be_visible()
    plays.release()
    answered(page)
    assert (behind[0], behind[-1]) == (None, "3")
    kinds = page.locator(".steps li").evaluate_all("items => items.map(item => item.textContent)")
    assert len(kinds) == len(set(kinds))  # nothing came twice
    watched.excused("ERR_CONNECTION_RESET")


def test_with_keys_a_person_signs_in_and_out(browser, model, root, tmp_path):
    store = Store(tmp_path)
    key = ApiKeys(store).add("acme", ("ask", "files"))
    store.close()
    with (
        running(tmp_path, insecure_local=False, roots=(root,)) as client,
        browser.new_context(base_url=str(client.base_url), viewport=DESK) as context,
    ):
        watched = Watched(context.new_page())
        page = watched.page
        page.goto("/")
        accessible(page, looks=("light", "dark", "phone"))
        page.get_by_label("API key").fill("vk-wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("This is not a key of this server")
        watched.excused("401")
        assert watched.complaints == []

        page.get_by_label("API key").fill(key)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="On this server")).to_be_visible()
        choose(page)
        ask(page)
        answered(page)
        page.get_by_role("list", name="Where the answer is").get_by_role("button").first.click()
        assert 2 <= at(page) < 2.04
        assert (
            page.locator(".proof img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        )
        (cookie,) = context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/v1")
        assert key not in cookie["value"]
        page.reload()
        answered(page)

        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert context.cookies() == []
        assert QUESTION not in page.locator("body").inner_text()
        assert page.evaluate("sessionStorage.length") == 0
        assert watched.complaints == []


def test_the_keyboard_is_enough(page, client):
    page.goto("/")
    expect(page.get_by_role("link", name="clip.mp4")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Drop a video here")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="clip.mp4")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("What do you want to know?")).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    answered(page)
    page.locator(".place").focus()
    page.keyboard.press("Enter")
    assert 2 <= at(page) < 2.04
    slider = page.get_by_label("Position in the video")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert at(page) > 2
    assert job(client, client.get("/v1/jobs").json()["data"][0]["id"])["status"] == "succeeded"
