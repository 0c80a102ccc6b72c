"""The page's search of all videos: hits with pictures, each of which opens its video at that time."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.library.conftest import colours, indexed, kept, painted
from tests.serve.page.conftest import PATIENCE_MS, accessible
from tests.serve.running import running

__all__ = ["colours", "indexed", "kept", "painted"]
pytestmark = [pytest.mark.network, pytest.mark.browser]
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def client(model, indexed, tmp_path):
    with running(tmp_path / "data", roots=(indexed,)) as client:
        yield client


def test_a_moment_is_found_and_opened(watched):
    page = watched.page
    page.goto("/")
    page.get_by_role("link", name="Find").click()
    page.get_by_label("What to look for").fill("harbour lantern")
    page.get_by_role("button", name="Find").click()
    hits = page.get_by_role("list", name="Moments").get_by_role("listitem")
    expect(hits.first).to_contain_text("a.mp4")
    expect(hits.first).to_contain_text('subtitle: "The harbour lantern is lit"')
    assert page.evaluate("location.hash") == "#/find/harbour%20lantern"
    accessible(page, looks=("light", "dark phone"))
    hits.first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Questions about a.mp4")).to_be_attached()
    page.wait_for_function("Math.abs(document.querySelector('video').currentTime - 0.5) < 0.1")
    page.go_back()
    expect(page.get_by_label("What to look for")).to_have_value("harbour lantern")
