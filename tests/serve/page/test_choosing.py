"""The page's lists: thumbnails, several videos in one question, which model answers, and a history to be tidied."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.sync_api import Page, expect

from tests.api.test_ask_many import Watcher
from tests.media.make import encode
from tests.serve.page.conftest import PATIENCE_MS, accessible
from tests.serve.page.test_page import answered, ask, choose
from tests.serve.running import QUESTION, running

pytestmark = [pytest.mark.network, pytest.mark.browser]
expect.set_options(timeout=PATIENCE_MS)
SAID = "In both: in cups.mp4 first."
DRAWN = "image => image.decode().then(() => image.naturalWidth > 0)"


class Both(Watcher):
    """Answers questions about one video as a script does that waits, and those about several as a watcher."""

    def __init__(self, waiting) -> None:
        super().__init__((True, True), {"answer": SAID, "videos": [1, 2]})
        self.waiting = waiting
        self.several = False

    def __call__(self, body):
        return super().__call__(body) if self.several else self.waiting(body)


@pytest.fixture
def both(plays) -> Both:
    return Both(plays)


@pytest.fixture
def client(both, model, root, tmp_path, monkeypatch):
    """Serve a video that a browser plays and one that it does not."""
    monkeypatch.setattr(model, "_script", both)
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(root / "clip.mp4", folder / "cups.mp4")
    encode(folder / "beach.avi", range(0, 3000, 40))
    with running(tmp_path / "data", roots=(folder,)) as client:
        yield client


def test_a_video_that_no_browser_plays_shows_its_frames(watched):
    page = watched.page
    page.goto("/")
    pictures = page.locator(".shelf .thumb img")
    expect(pictures).to_have_count(2)
    assert pictures.nth(0).evaluate(DRAWN)
    choose(page, "beach.avi")
    still = page.get_by_role("img", name="Frame of beach.avi")
    expect(page.get_by_text("Your browser cannot play this video.")).to_be_visible()
    assert still.evaluate(DRAWN)
    ask(page)
    answered(page)
    page.get_by_role("list", name="Where the answer is").get_by_role("button").first.click()
    expect(still).to_have_attribute("src", re.compile(r"video=beach\.avi&time_s=2&"))
    assert still.evaluate(DRAWN)
    expect(page.locator(".history .thumb img")).to_have_count(1)
    accessible(page, looks=("light", "dark phone"))


def test_several_videos_in_one_question(page, both, client):
    both.several = True
    page.goto("/")
    page.get_by_label("Ask about several: cups.mp4").click()
    expect(page.get_by_text("Choose another one")).to_be_visible()
    page.get_by_label("Ask about several: beach.avi").click()
    accessible(page, looks=("light", "dark phone"))
    page.get_by_role("link", name="Ask about 2 videos").click()
    ask(page, "Which of these shows a dog?")
    expect(page.locator(".answer-text")).to_have_text(SAID)
    asked = client.get("/v1/jobs").json()["data"][0]["asked"]
    assert [asked["video"], *asked["more_videos"]] == ["cups.mp4", "beach.avi"]
    tabs = page.get_by_role("group", name="Videos")
    places = page.get_by_role("list", name="Where the answer is").get_by_role("button")
    expect(places).to_have_text([re.compile(r"cups\.mp4"), re.compile(r"beach\.avi")])
    places.nth(1).click()
    expect(tabs.get_by_role("button", name="beach.avi")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("img", name="Frame of beach.avi")).to_be_visible()
    places.nth(0).click()
    expect(page.get_by_label("Player: cups.mp4")).to_be_visible()
    expect(page.get_by_role("navigation")).to_contain_text("cups.mp4 and 1 more")
    accessible(page, looks=("light", "dark phone"))


def test_which_model_answers_is_said_and_chosen(page, client):
    choose(page, "cups.mp4")
    model = page.get_by_label("Answered by")
    expect(model).to_have_value("scripted")
    model.select_option("signals")
    expect(page.locator(".model")).to_contain_text("reads text, codes, cuts, motion and colours")
    ask(page, "Why do they laugh?")
    expect(page.locator(".badge").first).to_have_text("Cannot judge")
    expect(page.locator(".answer-text")).to_contain_text("another model of this server")
    expect(page.locator(".turn")).to_contain_text("If this server has another model, choose it")
    assert client.get("/v1/jobs").json()["data"][0]["answer"]["model"] == "signals"
    accessible(page, looks=("light", "dark phone"))
    model.select_option("scripted")
    ask(page)
    answered(page, 1)


def rename_to(page: Page, title: str) -> None:
    page.once("dialog", lambda dialog: dialog.accept(title))
    page.get_by_role("navigation").get_by_label(re.compile("^Rename: ")).click()


def test_a_conversation_is_renamed_and_deleted(page, client):
    choose(page, "cups.mp4")
    ask(page)
    answered(page)
    rename_to(page, "The <b>bar</b>")
    entry = page.get_by_role("navigation").get_by_role("link")
    expect(entry).to_contain_text("The <b>bar</b>")
    page.reload()
    expect(entry).to_contain_text("The <b>bar</b>")
    page.once("dialog", lambda dialog: dialog.dismiss())
    delete = page.get_by_role("navigation").get_by_label("Delete: The <b>bar</b>")
    delete.click()
    expect(entry).to_have_count(1)
    page.once("dialog", lambda dialog: dialog.accept())
    delete.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Which video do you want to ask about?")
    expect(entry).to_have_count(0)
    assert client.get("/v1/jobs").json()["data"] == client.get("/v1/runs").json()["data"] == []
    assert QUESTION not in page.locator("body").inner_text()
