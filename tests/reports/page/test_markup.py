"""HTML from typed pieces: text is escaped wherever it stands."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from vidagent.reports.page.markup import Html, clean, el, folded, join, quoted

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>1</script>",
    '" onload="alert(1)',
    "' autofocus onfocus='1",
    "<!--",
    "]]><svg/onload=1>",
    "&lt;b&gt;",
    "</bdi></p>",
]


class Reader(HTMLParser):
    """Lists the tags and the text of a document."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("words", HOSTILE)
def test_text_stays_text(words):
    read = Reader(el("p", quoted(words), title=words))
    assert read.tags == [("p", {"title": words}), ("bdi", {})]
    assert read.words == words


def test_html_is_not_escaped_twice():
    assert el("p", el("b", "a & b"), " < c") == "<p><b>a &amp; b</b> &lt; c</p>"
    assert join([el("b", "x"), Html("<i>y</i>")], " & ") == "<b>x</b> &amp; <i>y</i>"


def test_attributes():
    made = el(
        "rect", class_="a", aria_hidden="true", open=True, hidden=False, title=None, x=1.5, width=3.0, n=2
    )
    assert made == '<rect class="a" aria-hidden="true" open x="1.5" width="3" n="2"></rect>'
    assert el("img", alt="a\nb") == '<img alt="a\nb">'


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a\x00b\x1b[31mc", "a�b�[31mc"),
        ("file\u202egpj.exe", "file�gpj.exe"),
        ("\u2066x\u2069", "�x�"),
        ("half \ud83d", "half �"),
        ("line\r\none\rtwo\tthree", "line\none\ntwo\tthree"),
        ("שלום 🙂 e\u0301", "שלום 🙂 e\u0301"),
    ],
)
def test_what_cannot_be_shown_is_replaced(words, shown):
    assert clean(words) == shown
    assert el("p", words).encode("utf-8").decode() == f"<p>{shown}</p>"


def test_folding():
    assert folded(" a \n\n b\tc ") == "a b c"
