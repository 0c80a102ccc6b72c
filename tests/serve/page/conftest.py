"""A browser for a module's tests, pages that may not complain, and a model that waits where it is told to."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.graphs.scripts import Script, answer, clip_look
from tests.scripted_server import step_of
from tests.serve.running import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_MS = 60_000 * PATIENCE
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
LOOKS = {
    "light": ("light", DESK),
    "dark": ("dark", DESK),
    "phone": ("light", PHONE),
    "dark phone": ("dark", PHONE),
}


SEEN = {"text": "It is seen.", "ledger": ["L1"], "time_s": 1.0}
"""At the first frame of the look, where the observer sees it in a box."""


class Waiting:
    """A script that can be held before a step, as a slow model would hold it."""

    def __init__(self) -> None:
        self.held_at: str | None = None
        self.draft = answer(claims=[SEEN])
        self.go = threading.Event()

    def hold(self, step: str) -> None:
        """Have requests of this step wait until `release`."""
        self.go.clear()
        self.held_at = step

    def release(self) -> None:
        self.held_at = None
        self.go.set()

    def __call__(self, body):
        if step_of(body) == self.held_at:
            self.go.wait(PATIENCE_MS / 1000)
        script = Script([clip_look(1, 3)], [self.draft])
        script.planned = int(any(message["role"] == "tool" for message in body["messages"]))
        return script(body)


@pytest.fixture
def plays() -> Iterator[Waiting]:
    waiting = Waiting()
    yield waiting
    waiting.release()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; it ends with the module, as Playwright's loop keeps others from running meanwhile."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        # The browser is the system's own, so that no test downloads one.
        pytest.skip(f"no Chromium on the PATH: none of {', '.join(NAMES)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page whose console, errors and requests are kept.

    Args:
        page: The page.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def excused(self, *words: str) -> None:
        """Forget complaints in which one of these words stands: they are what the test is about."""
        self.complaints = [text for text in self.complaints if not any(word in text for word in words)]


@pytest.fixture
def watched(browser, client) -> Iterator[Watched]:
    """Open a page in a browser of its own; what its console complains of fails the test."""
    with browser.new_context(base_url=str(client.base_url), viewport=DESK) as context:
        watched = Watched(context.new_page())
        yield watched
        assert watched.complaints == []
        assert watched.hosts <= {client.base_url.netloc.decode()}


@pytest.fixture
def page(watched) -> Page:
    return watched.page


def accessible(page: Page, *, looks=tuple(LOOKS)) -> None:
    """Check the page as it stands with axe, in each of these looks; nothing serious may be found."""
    for name in looks:
        scheme, size = LOOKS[name]
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        found = [
            (item["id"], [node["target"] for node in item["nodes"]])
            for item in Axe().run(page).response["violations"]
            if item["impact"] in {"serious", "critical"}
        ]
        assert found == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{name}: wider than the window"
        )
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESK)
