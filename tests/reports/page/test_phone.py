"""The report on a phone, in a browser: nothing is wider than the screen, and no word of a table is broken."""

from __future__ import annotations

import pytest

from tests.reports.page.test_report_page import usual
from tests.serve.page.conftest import LOOKS, browser  # noqa: F401 - pytest finds the fixture by its name

pytestmark = [pytest.mark.network, pytest.mark.browser]
BROKEN = """() => {
  const broken = [];
  for (const cell of document.querySelectorAll("tbody :is(th, td), tfoot :is(th, td), .numbers thead th, caption")) {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      for (const word of texts.currentNode.data.matchAll(/\\S+/g)) {
        const range = document.createRange();
        range.setStart(texts.currentNode, word.index);
        range.setEnd(texts.currentNode, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((box) => box.top)).size > 1) broken.push(word[0]);
      }
    }
  }
  return broken;
}"""


def test_no_word_of_a_table_is_broken(browser, ask, tmp_path):  # noqa: F811 - the fixture
    path = tmp_path / "out.html"
    ask(usual(), "Where is the bar?", report=path, budget={"seconds": 600, "frames": 40})
    scheme, size = LOOKS["phone"]
    with browser.new_context(viewport=size, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.evaluate(BROKEN) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        look = page.locator(".steps-cost tr", has_text="look")
        assert look.locator("td:visible").count() < len(look.locator("td").all())  # zeros are left out
        noun = look.locator("td").first.evaluate("cell => getComputedStyle(cell, '::after').content")
        assert "seconds" in noun
