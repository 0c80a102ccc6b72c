"""HTML built from typed pieces: what is plain text is escaped, always."""

from __future__ import annotations

import html
import re
from typing import Self

_UNSHOWN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""What has no place in a document: controls, marks that turn the direction of writing, halves of characters."""
_EMPTY = frozenset({"br", "col", "hr", "img", "meta"})

Value = str | int | float | bool | None


class Html(str):
    """Text that is HTML already; any other string is text, and becomes HTML by being escaped."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Self:
        """Return it as it is if it is HTML, else escaped."""
        return text if isinstance(text, cls) else cls(html.escape(clean(text), quote=True))


def clean(text: str) -> str:
    """Replace what cannot be shown, or would show the text around it in another order."""
    return _UNSHOWN.sub("�", text.replace("\r\n", "\n").replace("\r", "\n"))


def folded(text: str) -> str:
    """Return the text on one line."""
    return clean(" ".join(text.split()))


def el(tag: str, *children: str | None, **attributes: Value) -> Html:
    """Return an element.

    Args:
        tag: Its name; a name that is not a constant has no place here.
        *children: Text or HTML; None is left out.
        **attributes: By name, `class_` for `class` and `_` for `-`. None and False are left out, True stands alone.
    """
    head = tag + "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _EMPTY:
        return Html(f"<{head}>")
    return Html(f"<{head}>{join(children)}</{tag}>")


def join(parts: tuple[str | None, ...] | list[Html], between: str = "") -> Html:
    """Put pieces together, text among them escaped."""
    return Html(Html.of(between).join(Html.of(part) for part in parts if part is not None))


def said(text: str) -> Html:
    """Return words of a model, a video or a user; their direction of writing ends with them."""
    return el("bdi", text)


def _attribute(name: str, value: Value) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(clean(text), quote=True)}"'
